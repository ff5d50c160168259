//! `featurize`: every input type and precision, with and without each part, columns from candidates and requests.

use bytemuck::Zeroable;
use maskrank_ptx::Gpu;

use super::once;
use super::{Kernel, Output, Random, Stored, close, floats, kernels, precision, unit_roundoff};
use crate::Precision;
use crate::backend::cuda::params::{self, Columns, EmbeddingNorm, FeaturizeParams};

/// What a launch has.
struct Case {
    rows: usize,
    continuous: usize,
    binary: usize,
    binary_kind: u32,
    embeddings: [usize; 3],
    /// Every third column comes from the request.
    is_split: bool,
    has_batch_norm: bool,
    /// Epsilon of the feature norm, and whether it has an affine.
    norm: Option<(f64, bool)>,
    /// First columns of x whose products are computed once a request: under the norm, and not.
    once: [usize; 2],
}

impl Case {
    /// The feature of each column of x: columns given once a request first, as many as are computed so.
    fn order(&self, width: usize, padded: usize) -> Vec<i32> {
        let dense =
            (0..self.continuous).map(|j| (j, j)).chain((0..self.binary).map(|j| (self.continuous + j, j)));
        let mut order: Vec<usize> =
            dense.filter(|&(_, column)| is_from_request(self.is_split, column)).map(|(j, _)| j).collect();
        order.truncate(self.once.iter().sum());
        assert_eq!(order.len(), self.once.iter().sum::<usize>(), "enough columns of requests");
        let rest: Vec<usize> = (0..width).filter(|j| !order.contains(j)).collect();
        order.into_iter().chain(rest).chain(width..padded).map(|j| j as i32).collect()
    }
}

const REQUESTS: usize = 2;

/// One kind of columns: what the GPU gets, and every candidate's numbers.
struct Given {
    columns: Columns,
    values: Vec<Vec<f64>>,
}

fn is_from_request(is_split: bool, column: usize) -> bool {
    is_split && column.is_multiple_of(3)
}

/// Splits the columns of random rows; `store` gives the GPU a matrix of (rows, width) numbers.
fn give(
    gpu: &mut Gpu,
    case: &Case,
    width: usize,
    mut value: impl FnMut(usize) -> f64,
    mut store: impl FnMut(&mut Gpu, &[f64], usize) -> (u64, usize, Vec<f64>),
) -> Given {
    let once: Vec<usize> = (0..width).filter(|&c| is_from_request(case.is_split, c)).collect();
    let each: Vec<usize> = (0..width).filter(|&c| !is_from_request(case.is_split, c)).collect();
    let draw = |value: &mut dyn FnMut(usize) -> f64, rows: usize, columns: &[usize]| -> Vec<f64> {
        (0..rows * columns.len()).map(|i| value(columns[i % columns.len()])).collect()
    };
    let candidate = draw(&mut value, case.rows, &each);
    let request = draw(&mut value, REQUESTS, &once);
    let (candidate_at, candidate_stride, candidate) = store(gpu, &candidate, each.len());
    let (request_at, request_stride, request) = store(gpu, &request, once.len());
    let map: Vec<i32> = (0..width)
        .map(|c| match once.iter().position(|&o| o == c) {
            Some(place) => -1 - place as i32,
            None => each.iter().position(|&e| e == c).expect("one or the other") as i32,
        })
        .collect();
    let values = (0..case.rows)
        .map(|row| {
            map.iter()
                .map(|&from| match usize::try_from(from) {
                    Ok(column) => candidate[row * each.len() + column],
                    Err(_) => request[row % REQUESTS * once.len() + (-1 - from) as usize],
                })
                .collect()
        })
        .collect();
    let map_at = if case.is_split {
        let buffer = gpu.input("map", &map);
        gpu.address::<i32>(buffer, 0)
    } else {
        0
    };
    let columns = Columns {
        candidate: candidate_at,
        request: request_at,
        map: map_at,
        candidate_stride: candidate_stride as u32,
        request_stride: request_stride as u32,
        width: width as u32,
        reserved: 0,
    };
    Given { columns, values }
}

fn store_as(precision: Precision) -> impl FnMut(&mut Gpu, &[f64], usize) -> (u64, usize, Vec<f64>) {
    move |gpu, values, width| {
        let stored = Stored::new(precision, values, width);
        let buffer = gpu.input("features", &stored.bytes);
        (gpu.address::<u8>(buffer, 0), width, stored.values)
    }
}

fn store_binary(kind: u32) -> impl FnMut(&mut Gpu, &[f64], usize) -> (u64, usize, Vec<f64>) {
    move |gpu, values, width| match kind {
        params::BINARY_F32 => store_as(Precision::F32)(gpu, values, width),
        params::BINARY_BYTES => {
            let bytes: Vec<u8> = values.iter().map(|&v| v as u8).collect();
            let buffer = gpu.input("bytes", &bytes);
            (gpu.address::<u8>(buffer, 0), width, values.to_vec())
        }
        _ => {
            let (stride, rows) = (width.div_ceil(8), values.len().checked_div(width).unwrap_or(0));
            let mut bits = vec![0u8; stride * rows];
            let values: Vec<f64> = values.iter().map(|&v| f64::from(u8::from(v >= 1.0))).collect();
            for (i, &v) in values.iter().enumerate() {
                bits[i / width * stride + i % width / 8] |= (v as u8) << (i % width % 8);
            }
            let buffer = gpu.input("bits", &bits);
            (gpu.address::<u8>(buffer, 0), stride, values)
        }
    }
}

fn norm(row: &[f64], epsilon: f64) -> (Vec<f64>, f64) {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / row.len() as f64;
    let deviation = (variance + epsilon).sqrt();
    (row.iter().map(|v| (v - mean) / deviation).collect(), deviation)
}

fn run(kernel: &Kernel, input: Precision, output: Precision, case: &Case) {
    let gpu = &mut Gpu::new();
    let random = &mut Random((case.rows * 1000 + case.continuous) as u64);
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e-40, 3e4, -3e4];
    let continuous = give(
        gpu,
        case,
        case.continuous,
        |_| {
            if random.below(9) == 0 { odd[random.below(odd.len())] } else { random.signed().powi(3) * 1000.0 }
        },
        store_as(input),
    );
    let kind = case.binary_kind;
    let binary = give(
        gpu,
        case,
        case.binary,
        |_| random.below(if kind == params::BINARY_BITS { 2 } else { 10 }) as f64,
        store_binary(kind),
    );
    let embeddings =
        case.embeddings.map(|width| give(gpu, case, width, |_| random.signed(), store_as(input)));
    let mut affine = |width: usize| -> [Vec<f64>; 2] {
        [1.5, 0.0].map(|base| (0..width).map(|_| f64::from((base + random.signed()) as f32)).collect())
    };
    let batch_norm = case.has_batch_norm.then(|| affine(case.continuous));
    let z_affine = case.norm.and_then(|(_, has)| has.then(|| affine(case.continuous + case.binary)));
    let embedding_affines = [0, 1, 2].map(|e| (e != 1).then(|| affine(case.embeddings[e])));
    let pair = |gpu: &mut Gpu, affine: &Option<[Vec<f64>; 2]>| {
        affine.as_ref().map_or([0, 0], |[a, b]| [floats(gpu, "scale", a), floats(gpu, "shift", b)])
    };

    let width = case.continuous + case.binary + case.embeddings.iter().sum::<usize>();
    let padded = width.next_multiple_of(64);
    let x = Output::new(gpu, output, case.rows, padded, padded + 64);
    let status = gpu.output::<u32>("status", case.rows.max(1));
    let rows_out = gpu.output::<u32>("rows", 1);
    let request: Vec<u32> = (0..case.rows.max(1)).map(|row| (row % REQUESTS) as u32).collect();
    let request = gpu.input("candidate_request", &request);
    let mut params = FeaturizeParams::zeroed();
    params.continuous = continuous.columns;
    params.binary = binary.columns;
    params.embeddings = embeddings.each_ref().map(|e| e.columns);
    params.embedding_norms = embedding_affines.each_ref().map(|affine| {
        let [gamma, beta] = pair(gpu, affine);
        EmbeddingNorm { gamma, beta, epsilon: 1e-5, reserved: 0 }
    });
    params.candidate_request = gpu.address::<u32>(request, 0);
    [params.scale, params.shift] = pair(gpu, &batch_norm);
    [params.gamma, params.beta] = pair(gpu, &z_affine);
    params.x = x.address(gpu);
    params.status = gpu.address::<u32>(status, 0);
    params.rows_out = gpu.address::<u32>(rows_out, 0);
    params.rows = case.rows as u32;
    params.binary_kind = kind;
    params.x_stride = (padded + 64) as u32;
    params.x_padded = padded as u32;
    (params.min_value, params.max_value) = (-5.0, 5.0);
    params.epsilon = case.norm.map_or(0.0, |(epsilon, _)| epsilon as f32);
    params.has_layer_norm = u32::from(case.norm.is_some());
    let order = case.order(width, padded);
    let mut written = None;
    if case.once != [0, 0] {
        let [normed, plain] = case.once;
        let has_rest = output != Precision::F32 && normed > 0;
        let row = normed * if has_rest { 2 } else { 1 } + plain;
        let rows = Output::new(gpu, output, REQUESTS, row, row + 64);
        let terms = Output::new(gpu, Precision::F32, case.rows, 4, 4);
        let (given, count) = (gpu.input("order", &order), gpu.output::<u32>("requests", 1));
        params.order = gpu.address::<i32>(given, 0);
        (params.request_rows, params.terms) = (rows.address(gpu), terms.address(gpu));
        params.requests_out = gpu.address::<u32>(count, 0);
        (params.requests, params.request_stride) = (REQUESTS as u32, row as u32 + 64);
        (params.normed, params.plain) = (normed as u32, plain as u32);
        params.has_rest = u32::from(has_rest);
        written = Some((rows, terms, count, row));
    }
    let blocks = case.rows as u32 + 1 + params.requests;
    kernel.run(gpu, [blocks, 1, 1], padded * 4, bytemuck::bytes_of(&params));
    let written = written.map(|(rows, terms, count, row)| {
        assert_eq!(gpu.read::<u32>(count), [REQUESTS as u32], "{}: requests", kernel.entry.name);
        (rows.values(gpu), terms.values(gpu), row)
    });

    assert_eq!(gpu.read::<u32>(rows_out), [case.rows as u32], "{}: rows", kernel.entry.name);
    let status = gpu.read::<u32>(status);
    let found = x.values(gpu);
    let roundoff = unit_roundoff(output) + 2f64.powi(-21);
    for row in 0..case.rows {
        let what = format!("{} {} rows {} row {row}", kernel.target, kernel.entry.name, case.rows);
        let mut z: Vec<f64> = continuous.values[row]
            .iter()
            .enumerate()
            .map(|(j, &v)| {
                let v = if v.is_finite() { v } else { 0.0 };
                let v = v.abs().ln_1p().copysign(v);
                let v = batch_norm.as_ref().map_or(v, |[scale, shift]| v * scale[j] + shift[j]);
                v.clamp(-5.0, 5.0)
            })
            .collect();
        z.extend(&binary.values[row]);
        let is_flat = case.norm.is_some_and(|(epsilon, _)| epsilon == 0.0) && z.iter().all(|v| *v == z[0]);
        assert_eq!(status[row], u32::from(is_flat), "{what}: status");
        let mut steepness = vec![0.0; z.len()];
        if let Some((rows, terms, width)) = &written {
            let request = row % REQUESTS;
            let gamma = z_affine.as_ref().map(|[gamma, _]| gamma.as_slice());
            let epsilon = case.norm.map(|(epsilon, _)| epsilon);
            let own = &rows[request * width..(request + 1) * width];
            once::check_row(&what, case.once, (&z, &order, gamma, epsilon), own, roundoff);
            let [number, normed, center, _] = terms[row * 4..row * 4 + 4] else { panic!("four terms") };
            assert_eq!((number as f32).to_bits(), request as u32, "{what}: its request");
            if case.once[0] > 0 {
                once::check_terms(&what, case.once, (&z, &order, epsilon.unwrap_or(0.0)), [normed, center]);
            }
        }
        if let Some((epsilon, _)) = case.norm {
            let (normed, deviation) = norm(&z, epsilon);
            // Errors of z (below 20, a few roundings and the mean's sum) over the deviation.
            let inner = (z.len() + 40) as f64 * 2f64.powi(-24) * 10.0 / deviation;
            z = normed;
            steepness = z.iter().map(|y| inner * (1.0 + y.abs())).collect();
            if let Some([gamma, beta]) = &z_affine {
                for j in 0..z.len() {
                    steepness[j] *= gamma[j].abs();
                    z[j] = z[j] * gamma[j] + beta[j];
                }
            }
        }
        for (embedding, affine) in embeddings.iter().zip(&embedding_affines) {
            if embedding.values[row].is_empty() {
                continue;
            }
            let (normed, deviation) = norm(&embedding.values[row], 1e-5);
            let inner = (normed.len() + 8) as f64 * 2f64.powi(-24) / deviation;
            for (j, y) in normed.into_iter().enumerate() {
                let [gamma, beta] = affine.as_ref().map_or([1.0, 0.0], |[g, b]| [g[j], b[j]]);
                z.push(y * gamma + beta);
                steepness.push(inner * (1.0 + y.abs()) * gamma.abs());
            }
        }
        z.resize(padded, 0.0);
        steepness.resize(padded, 0.0);
        if is_flat {
            z.fill(0.0);
        }
        if case.once != [0, 0] {
            let ordered = |values: &[f64]| order.iter().map(|&j| values[j as usize]).collect();
            (z, steepness) = (ordered(&z), ordered(&steepness));
        }
        let extra = |j: usize| if j < width { 2f64.powi(-18) } else { 0.0 };
        close(&what, &found[row * padded..(row + 1) * padded], &z, |j| {
            if is_flat {
                0.0
            } else {
                steepness[j] + roundoff * (z[j].abs() + extra(j)) + extra(j) * 2f64.powi(-3)
            }
        });
    }
}

#[test]
fn featurize() {
    kernels("featurize").iter().for_each(check);
}

pub(super) fn check(kernel: &Kernel) {
    {
        let name = kernel.entry.name.strip_prefix("featurize_").expect("a featurization");
        let (input, output) = name.split_once("_to_").expect("two types");
        let (input, output) = (precision(input), precision(output));
        let base = Case {
            rows: 5,
            continuous: 257,
            binary: 13,
            binary_kind: params::BINARY_BYTES,
            embeddings: [33, 1, 20],
            is_split: false,
            has_batch_norm: true,
            norm: Some((1e-3, true)),
            once: [0, 0],
        };
        let split = Case { is_split: true, binary_kind: params::BINARY_BITS, ..base };
        run(kernel, input, output, &Case { once: [64, 0], ..split });
        run(kernel, input, output, &base);
        run(kernel, input, output, &split);
        run(
            kernel,
            input,
            output,
            &Case {
                rows: 2,
                is_split: true,
                binary_kind: params::BINARY_F32,
                has_batch_norm: false,
                norm: None,
                once: [0, 64],
                ..base
            },
        );
        run(
            kernel,
            input,
            output,
            &Case { rows: 3, binary: 0, embeddings: [0, 64, 0], norm: Some((0.0, false)), ..base },
        );
        // One feature is always equal to itself: no row has a norm.
        run(
            kernel,
            input,
            output,
            &Case { rows: 2, continuous: 1, binary: 0, embeddings: [0; 3], norm: Some((0.0, false)), ..base },
        );
        run(kernel, input, output, &Case { rows: 0, ..base });
    }
}
