//! `gemm`: every precision, tile and epilogue, at the tiles' edges, two unequal groups in a launch.

use bytemuck::Zeroable;
use maskrank_ptx::{Count, Gpu};

use super::sums;
use super::{Kernel, Output, Random, Stored, close, floats, kernels, precision, rows_word, unit_roundoff};
use crate::Precision;
use crate::backend::cuda::params::{GemmGroup, GemmParams};

const EPSILON: f64 = 1e-5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Epilogue {
    Bias,
    Relu,
    Mask,
    Norm,
    /// Of requests: sums as they are, in f32.
    Sums,
}

/// What a kernel's name says.
struct Name {
    precision: Precision,
    m: usize,
    n: usize,
    epilogue: Epilogue,
}

impl Name {
    fn parse(name: &str) -> Self {
        let words: Vec<&str> = name.split('_').collect();
        let [_, kind, tile, epilogue] = words[..] else { panic!("no test runs {name}") };
        let (m, n) = tile.split_once('x').expect("a tile");
        let epilogue = match epilogue {
            "bias" => Epilogue::Bias,
            "relu" => Epilogue::Relu,
            "mask" => Epilogue::Mask,
            "norm" => Epilogue::Norm,
            "sums" => Epilogue::Sums,
            other => panic!("no test runs the epilogue {other}"),
        };
        Self {
            precision: precision(kind),
            m: m.parse().expect("rows"),
            n: n.parse().expect("columns"),
            epilogue,
        }
    }
}

/// One group's operands. `width` columns of `n` carry values.
struct Group {
    a: Stored,
    b: Stored,
    factor: Stored,
    scale: Option<Vec<f64>>,
    bias: Vec<f64>,
    affine: Option<[Vec<f64>; 2]>,
    once: Option<Once>,
    width: usize,
}

/// What candidates take of their requests' sums.
struct Once {
    /// (REQUESTS, n) each.
    plain: Vec<f64>,
    normed: Vec<f64>,
    /// (n)
    center: Vec<f64>,
    /// (rows, 4): the request, and what `normed` and `center` count.
    terms: Vec<[f32; 4]>,
}

const REQUESTS: usize = 3;

impl Once {
    fn random(seed: u64, rows: usize, width: usize, n: usize) -> Self {
        let mut random = Random(seed);
        let mut matrix = |rows: usize| random.matrix(Precision::F32, rows, width, n).values;
        let (plain, normed, center) = (matrix(REQUESTS), matrix(REQUESTS), matrix(1));
        let terms = (0..rows)
            .map(|row| {
                let request = f32::from_bits((row * 7 % REQUESTS) as u32);
                // The last number means nothing.
                [request, random.signed() as f32 + 1.5, random.signed() as f32, f32::NAN]
            })
            .collect();
        Self { plain, normed, center, terms }
    }

    /// What a row's sum of a column gets, and the size of its parts.
    fn of(&self, row: usize, column: usize) -> (f64, f64) {
        let [request, normed, center, _] = self.terms[row];
        let at = request.to_bits() as usize * self.center.len() + column;
        let normed = f64::from(normed) * self.normed[at];
        let parts = [self.plain[at], normed, f64::from(center) * self.center[column]];
        (parts.iter().sum(), parts.iter().map(|part| part.abs()).sum())
    }
}

impl Group {
    fn random(seed: u64, precision: Precision, rows: usize, width: usize, k: usize, extras: bool) -> Self {
        let mut random = Random(seed);
        let (n, k_padded) = (width.next_multiple_of(64), k.next_multiple_of(64));
        let a = random.matrix(precision, rows, k, k_padded);
        let mut b = random.matrix(precision, n, k, k_padded);
        b.values[width * k_padded..].fill(0.0);
        let b = Stored::new(precision, &b.values, k_padded);
        let factor = random.matrix(precision, rows, width, n);
        let mut padded = |base: f64| -> Vec<f64> {
            (0..n).map(|i| if i < width { f64::from((base + random.signed()) as f32) } else { 0.0 }).collect()
        };
        let bias = padded(0.0);
        let scale = extras.then(|| padded(2.0));
        let affine = extras.then(|| [padded(2.0), padded(0.0)]);
        let once = extras.then(|| Once::random(seed ^ 0x0CE, rows, width, n));
        Self { a, b, factor, scale, bias, affine, once, width }
    }

    fn n(&self) -> usize {
        self.b.values.len() / self.b.columns
    }

    /// Row `row` of the result in f64, and how far a correct kernel may be from it.
    fn expected(&self, name: &Name, row: usize) -> (Vec<f64>, Vec<f64>) {
        let k = self.a.columns;
        let mut sums = Vec::new();
        let mut slack = Vec::new();
        for column in 0..self.n() {
            let products = self.a.row(row).iter().zip(self.b.row(column)).map(|(a, b)| a * b);
            let (mut sum, mut size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
            if let Some(once) = &self.once {
                let (shared, parts) = once.of(row, column);
                (sum, size) = (sum + shared, size + parts);
            }
            let scale = self.scale.as_ref().map_or(1.0, |s| s[column]);
            // One rounding for each addition, none for products wider than the sum; the request's; then scale and bias.
            let error = (k + 5) as f64 * 2f64.powi(-24) * (size * scale.abs() + self.bias[column].abs());
            sums.push(sum * scale + self.bias[column]);
            slack.push(error);
        }
        match name.epilogue {
            Epilogue::Bias | Epilogue::Sums => {}
            Epilogue::Relu => sums.iter_mut().for_each(|v| *v = v.max(0.0)),
            Epilogue::Mask => {
                for (column, factor) in self.factor.row(row).iter().enumerate() {
                    sums[column] *= factor;
                    slack[column] = slack[column] * factor.abs() + 2f64.powi(-24) * sums[column].abs();
                }
            }
            Epilogue::Norm => (sums, slack) = self.normalised(&sums, &slack),
        }
        let roundoff = unit_roundoff(name.precision);
        // Below the smallest normal number an f16's steps stay 2⁻²⁴ apart.
        let floor = if name.precision == Precision::F16 { 2f64.powi(-25) } else { 1e-30 };
        let bounds = sums.iter().zip(&slack).map(|(v, s)| s + roundoff * (v.abs() + s) + floor).collect();
        (sums, bounds)
    }

    fn normalised(&self, sums: &[f64], slack: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let width = self.width as f64;
        let mean = sums[..self.width].iter().sum::<f64>() / width;
        let variance = sums[..self.width].iter().map(|v| (v - mean).powi(2)).sum::<f64>() / width;
        let deviation = (variance + EPSILON).sqrt();
        let worst = slack.iter().copied().fold(0.0, f64::max);
        let mut out = vec![0.0; sums.len()];
        let mut bounds = vec![0.0; sums.len()];
        for column in 0..self.width {
            let y = (sums[column] - mean) / deviation;
            let [gamma, beta] = self.affine.as_ref().map_or([1.0, 0.0], |[g, b]| [g[column], b[column]]);
            out[column] = y * gamma + beta;
            // Errors of the sums and of their mean over the deviation; those of the deviation times y; a few roundings.
            let largest = sums.iter().fold(mean.abs(), |m, v| m.max(v.abs()));
            let shift = 2.0 * worst + (width + 4.0) * 2f64.powi(-24) * largest;
            bounds[column] = gamma.abs()
                * (shift / deviation * (1.0 + y.abs()) + 2f64.powi(-20) * (1.0 + y.abs()))
                + 2f64.powi(-23) * beta.abs();
        }
        (out, bounds)
    }
}

/// Launches the groups; gives each group's output bytes after checking them against f64.
fn run(
    kernel: &Kernel,
    name: &Name,
    groups: &[Group],
    rows: usize,
    grid_rows: usize,
    checked: bool,
) -> Vec<Vec<u8>> {
    let gpu = &mut Gpu::new();
    let row_tiles = grid_rows.div_ceil(name.m).max(1);
    let mut params = GemmParams::zeroed();
    params.rows = rows_word(gpu, rows);
    let tickets = gpu.inout("tickets", &vec![0u32; groups.len() * row_tiles]);
    params.tickets = gpu.address::<u32>(tickets, 0);
    params.num_groups = groups.len() as u32;
    let mut outputs = Vec::new();
    let mut tiles = 0;
    for (group, out) in groups.iter().zip(&mut params.groups) {
        let n = group.n();
        let (a_stride, stride) = (group.a.columns + 64, n + 64);
        let output = Output::new(gpu, name.precision, rows, n, stride);
        let scratch = gpu.output::<f32>("scratch", (rows * n).max(1));
        let terms = group.once.as_ref().map(|once| {
            let buffer = gpu.input("terms", once.terms.as_flattened());
            gpu.address::<f32>(buffer, 0)
        });
        let optional = |gpu: &mut Gpu, name: &str, values: Option<&Vec<f64>>| {
            values.map_or(0, |values| floats(gpu, name, values))
        };
        *out = GemmGroup {
            a: group.a.input(gpu, "a", a_stride),
            b: group.b.input(gpu, "b", group.b.columns),
            scale: optional(gpu, "scale", group.scale.as_ref()),
            bias: floats(gpu, "bias", &group.bias),
            out: output.address(gpu),
            factor: group.factor.input(gpu, "factor", stride),
            scratch: gpu.address::<f32>(scratch, 0),
            gamma: optional(gpu, "gamma", group.affine.as_ref().map(|a| &a[0])),
            beta: optional(gpu, "beta", group.affine.as_ref().map(|a| &a[1])),
            terms: terms.unwrap_or(0),
            plain: optional(gpu, "plain", group.once.as_ref().map(|once| &once.plain)),
            normed: optional(gpu, "normed", group.once.as_ref().map(|once| &once.normed)),
            center: optional(gpu, "center", group.once.as_ref().map(|once| &once.center)),
            a_stride: a_stride as u32,
            b_stride: group.b.columns as u32,
            out_stride: stride as u32,
            factor_stride: stride as u32,
            k: group.a.columns as u32,
            repeat_k: group.a.columns as u32,
            n: n as u32,
            width: group.width as u32,
            epsilon: EPSILON as f32,
            first_tile: tiles,
        };
        tiles += n.div_ceil(name.n) as u32;
        outputs.push(output);
    }
    // Twice: the second launch finds the tickets that the first one left.
    for _ in 0..if name.epilogue == Epilogue::Norm { 2 } else { 1 } {
        kernel.run(gpu, [tiles, row_tiles as u32, 1], 0, bytemuck::bytes_of(&params));
        assert!(gpu.read::<u32>(tickets).iter().all(|&ticket| ticket == 0), "tickets are put back");
    }
    if checked {
        for (index, (group, output)) in groups.iter().zip(&outputs).enumerate() {
            let found = output.values(gpu);
            for (row, found) in found.chunks(group.n()).enumerate() {
                let (expected, bounds) = group.expected(name, row);
                let what =
                    format!("{} {} rows {rows} group {index} row {row}", kernel.target, kernel.entry.name);
                close(&what, found, &expected, |column| bounds[column]);
            }
        }
    }
    outputs.iter().map(|output| output.bytes(gpu)).collect()
}

fn edges(unit: &str) {
    for kernel in kernels(unit) {
        let name = Name::parse(&kernel.entry.name);
        let m = name.m;
        if name.epilogue == Epilogue::Sums {
            sums::check(&kernel, name.precision, (name.m, name.n));
            continue;
        }
        // The newer compiler's PTX is of the same source: fewer sizes.
        let all =
            if kernel.target == "compute_80" { vec![0, 1, m - 1, m, m + 1, 37] } else { vec![1, m + 1] };
        for (index, rows) in all.into_iter().enumerate() {
            let extras = index % 2 == 0;
            let groups = [
                Group::random(7 + rows as u64, name.precision, rows, name.n + 1, 65, extras),
                Group::random(8 + rows as u64, name.precision, rows, 61, 190, extras),
            ];
            // A graph is captured for more rows than a batch has.
            run(&kernel, &name, &groups, rows, rows + m, true);
        }
    }
}

/// One launch at a ragged size, for kernels with a planted fault.
pub(super) fn once(kernel: &Kernel) {
    let name = Name::parse(&kernel.entry.name);
    if name.epilogue == Epilogue::Sums {
        return sums::check(kernel, name.precision, (name.m, name.n));
    }
    let rows = name.m + 1;
    let groups = [Group::random(7, name.precision, rows, name.n + 1, 190, true)];
    run(kernel, &name, &groups, rows, rows, true);
}

#[test]
fn gemm_f32() {
    edges("gemm_f32");
}

#[test]
fn gemm_tf32() {
    edges("gemm_tf32");
}

#[test]
fn gemm_bf16() {
    edges("gemm_bf16");
}

#[test]
fn gemm_f16() {
    edges("gemm_f16");
}

/// The same candidates in every tile, alone and in a batch: equal bits.
#[test]
fn tiles_and_batches_give_equal_bits() {
    for unit in ["gemm_f32", "gemm_tf32", "gemm_bf16", "gemm_f16"] {
        let kernels = kernels(unit);
        for epilogue in ["bias", "norm"] {
            let mut seen: Vec<Vec<Vec<u8>>> = Vec::new();
            for kernel in kernels.iter().filter(|kernel| kernel.entry.name.ends_with(epilogue)) {
                let name = Name::parse(&kernel.entry.name);
                // Row i of a batch is drawn from the same sequence whatever the batch's size.
                let rows = [1, 70];
                let found: Vec<Vec<u8>> = rows
                    .iter()
                    .map(|&rows| {
                        let group = Group::random(5, name.precision, 70, 100, 300, true);
                        let a = Stored::new(
                            name.precision,
                            &group.a.values[..rows * group.a.columns],
                            group.a.columns,
                        );
                        let group = Group { a, ..group };
                        run(kernel, &name, &[group], rows, rows, false).remove(0)
                    })
                    .collect();
                let row_bytes = found[0].len();
                assert_eq!(
                    found[0],
                    found[1][..row_bytes],
                    "{}: a row alone and in a batch",
                    kernel.entry.name
                );
                seen.push(found);
            }
            assert!(
                seen.windows(2).all(|pair| pair[0] == pair[1]),
                "{unit} {epilogue}: bits depend on the tile"
            );
        }
    }
}

/// The memory behaviour that the tiles were chosen for: no bank conflict where operands are read, whole sectors where
/// they are copied and where results leave, each operand copied once a tile.
#[test]
fn operands_are_read_without_bank_conflicts_in_whole_sectors() {
    for unit in ["gemm_f32", "gemm_tf32", "gemm_bf16", "gemm_f16"] {
        for kernel in kernels(unit).iter().filter(|kernel| kernel.entry.name.ends_with("_bias")) {
            let name = Name::parse(&kernel.entry.name);
            let (what, gpu) = (format!("{} {}", kernel.target, kernel.entry.name), &mut Gpu::new());
            let (rows, n, k) = (name.m, name.n.next_multiple_of(64), 256);
            let group = Group::random(3, name.precision, rows, n, k, true);
            let output = Output::new(gpu, name.precision, rows, n, n);
            let mut params = GemmParams::zeroed();
            params.rows = rows_word(gpu, rows);
            params.num_groups = 1;
            params.groups[0] = GemmGroup {
                a: group.a.input(gpu, "a", k),
                b: group.b.input(gpu, "b", k),
                bias: floats(gpu, "bias", &group.bias),
                out: output.address(gpu),
                a_stride: k as u32,
                b_stride: k as u32,
                out_stride: n as u32,
                k: k as u32,
                repeat_k: k as u32,
                n: n as u32,
                ..GemmGroup::zeroed()
            };
            let tiles = n / name.n;
            let stats = kernel.measure(gpu, [tiles as u32, 1, 1], 0, bytemuck::bytes_of(&params), true);
            let copies = stats.of("cp.async");
            let size = crate::backend::cuda::element::bytes(name.precision);
            assert_eq!(copies.global_bytes as usize, tiles * (name.m + name.n) * k * size, "{what}");
            assert_eq!(copies.sectors, copies.ideal_sectors, "{what}: copies");
            let stores = stats.of("st.global");
            assert_eq!(stores.sectors, stores.ideal_sectors, "{what}: stores");
            // The copies and the reads of operands are instructions of their own; the epilogue's slices are not.
            let operands = stats.by_line.iter().filter(|((file, _), _)| file.ends_with("ptx.cuh"));
            let mut reads = Count::default();
            operands.for_each(|(_, count)| reads.add(count));
            assert!(reads.shared_requests > 0, "{what}: reads");
            assert_eq!(reads.wavefronts, reads.ideal_wavefronts, "{what}: bank conflicts");
        }
    }
}
