//! Every entry of the manifest, from the PTX of each compiler that ships.
//!
//! The list of what is tested is the manifest's: an entry that no family here knows fails the test of its unit, and
//! a unit without a test fails `every_unit_has_a_test`.

mod ceilings;
mod featurize;
mod gemm;
mod head;
mod layer_norm;
mod once;
mod planted;
mod sums;

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use half::{bf16, f16};
use maskrank_ptx::{Arg, BufferId, Gpu, Launch, Module, Padding, Stats};

use crate::Precision;
use crate::backend::cuda::artifacts::{self, Entry, Target};
use crate::backend::cuda::element;

/// A kernel that can be launched on the interpreter.
pub(super) struct Kernel {
    module: &'static Module,
    pub(super) entry: Entry,
    /// Of the machine code's twin: `compute_80`.
    pub(super) target: &'static str,
}

impl Kernel {
    /// Runs the kernel; a fault fails the test, with kernel, source line, block and thread.
    pub(super) fn run(&self, gpu: &mut Gpu, grid: [u32; 3], extra_shared: usize, params: &[u8]) {
        self.measure(gpu, grid, extra_shared, params, false);
    }

    /// Like `run`, and gives what was executed and moved; with `detail`, bank conflicts and sectors too.
    pub(super) fn measure(
        &self,
        gpu: &mut Gpu,
        grid: [u32; 3],
        extra_shared: usize,
        params: &[u8],
        detail: bool,
    ) -> Stats {
        assert_eq!(params.len(), self.entry.param_bytes, "{}: parameter struct", self.entry.name);
        let launch = Launch::new(self.module, &self.entry.name)
            .grid(grid)
            .block([self.entry.threads, 1, 1])
            .shared(self.entry.dynamic_shared_bytes as usize + extra_shared)
            .arg(Arg::Bytes(params.to_vec()));
        let launch = if detail { launch.detail() } else { launch };
        launch.run(gpu).unwrap_or_else(|fault| panic!("{} {}: {fault}", self.target, self.entry.name))
    }
}

/// The kernels of a unit, for every target that ships as PTX.
pub(super) fn kernels(unit: &str) -> Vec<Kernel> {
    type Parsed = Mutex<HashMap<(String, String), &'static Module>>;
    static PARSED: OnceLock<Parsed> = OnceLock::new();
    let manifest = artifacts::manifest().expect("the manifest parses");
    let mut found = Vec::new();
    for target in manifest.targets.iter().filter(|target| target.is_ptx) {
        let mut parsed = PARSED.get_or_init(Parsed::default).lock().expect("no test panics while it parses");
        let module =
            parsed.entry((target.target.clone(), unit.to_owned())).or_insert_with(|| parse(target, unit));
        let entries = &target.module(unit).expect("a unit of the manifest").entries;
        found.extend(entries.iter().map(|entry| Kernel {
            module,
            entry: entry.clone(),
            target: &target.target,
        }));
    }
    assert!(!found.is_empty(), "no kernels in {unit}");
    found
}

fn parse(target: &Target, unit: &str) -> &'static Module {
    Box::leak(Box::new(Module::parse(&text(target, unit)).expect("PTX that parses")))
}

fn text(target: &Target, unit: &str) -> String {
    let module = target.module(unit).expect("a unit of the manifest");
    String::from_utf8(target.inflate(module).expect("an intact module")).expect("PTX is text")
}

/// A kernel whose PTX was changed by `change`, which must change something.
pub(super) fn mutated(unit: &str, name: &str, change: impl Fn(&str) -> String) -> Kernel {
    let manifest = artifacts::manifest().expect("the manifest parses");
    let target = manifest.targets.iter().find(|t| t.target == "compute_80").expect("the portable PTX");
    let (_, entry) = target.entry(name).expect("an entry of the manifest");
    let whole = text(target, unit);
    let start = whole.find(&format!(".entry {name}(")).expect("the entry's text");
    let end = whole[start + 1..].find(".entry ").map_or(whole.len(), |at| start + 1 + at);
    let changed = change(&whole[start..end]);
    assert_ne!(changed, whole[start..end], "{name}: nothing was changed");
    let text = format!("{}{changed}{}", &whole[..start], &whole[end..]);
    let module = Box::leak(Box::new(Module::parse(&text).expect("PTX that parses")));
    Kernel { module, entry: entry.clone(), target: &target.target }
}

/// The precision and the rest of a name like `gemm_bf16_64x64_relu` after its stem.
pub(super) fn precision(word: &str) -> Precision {
    match word {
        "f32" => Precision::F32,
        "tf32" => Precision::Tf32,
        "bf16" => Precision::Bf16,
        "f16" => Precision::F16,
        other => panic!("no precision is called {other}"),
    }
}

/// Largest relative error of one rounding to a precision.
pub(super) fn unit_roundoff(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 2f64.powi(-24),
        Precision::Tf32 | Precision::F16 => 2f64.powi(-11),
        Precision::Bf16 => 2f64.powi(-8),
    }
}

/// Stored elements as numbers.
pub(super) fn decode(precision: Precision, bytes: &[u8]) -> Vec<f64> {
    match precision {
        Precision::F32 | Precision::Tf32 => {
            bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
        }
        Precision::Bf16 => bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f64()).collect(),
        Precision::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f64()).collect(),
    }
}

/// splitmix64, and numbers from it.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In [-1, 1), a multiple of 2⁻²³.
    pub(super) fn signed(&mut self) -> f64 {
        (self.next() >> 40) as f64 * 2f64.powi(-23) - 1.0
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// `rows` × `padded` numbers of which the first `width` of a row are random and the rest zero, as stored.
    pub(super) fn matrix(
        &mut self,
        precision: Precision,
        rows: usize,
        width: usize,
        padded: usize,
    ) -> Stored {
        let values: Vec<f64> =
            (0..rows * padded).map(|i| if i % padded < width { self.signed() } else { 0.0 }).collect();
        Stored::new(precision, &values, padded)
    }
}

/// A matrix as it is stored, and its numbers after rounding.
pub(super) struct Stored {
    precision: Precision,
    pub(super) bytes: Vec<u8>,
    pub(super) values: Vec<f64>,
    pub(super) columns: usize,
}

impl Stored {
    pub(super) fn new(precision: Precision, values: &[f64], columns: usize) -> Self {
        let mut bytes = vec![0; values.len() * element::bytes(precision)];
        element::store(precision, values, &mut bytes);
        let values = decode(precision, &bytes);
        Self { precision, bytes, values, columns }
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// An input of the GPU whose rows are `stride` elements apart, NaN between them.
    pub(super) fn input(&self, gpu: &mut Gpu, name: &str, stride: usize) -> u64 {
        let size = element::bytes(self.precision);
        let padding = Padding { stride: stride * size };
        let buffer = gpu.input_rows::<u8>(name, &self.bytes, self.columns * size, padding);
        gpu.address::<u8>(buffer, 0)
    }
}

/// An output with canaries between and after its rows.
pub(super) struct Output {
    precision: Precision,
    buffer: BufferId,
    rows: usize,
    columns: usize,
    stride: usize,
}

impl Output {
    pub(super) fn new(
        gpu: &mut Gpu,
        precision: Precision,
        rows: usize,
        columns: usize,
        stride: usize,
    ) -> Self {
        let size = element::bytes(precision);
        let buffer = gpu.output_rows::<u8>("out", rows, columns * size, Padding { stride: stride * size });
        Self { precision, buffer, rows, columns, stride }
    }

    pub(super) fn address(&self, gpu: &Gpu) -> u64 {
        gpu.address::<u8>(self.buffer, 0)
    }

    /// The stored bytes without the padding. Every element of the rows must have been written.
    pub(super) fn bytes(&self, gpu: &Gpu) -> Vec<u8> {
        let size = element::bytes(self.precision);
        for row in 0..self.rows {
            let start = row * self.stride * size;
            let unwritten = gpu.first_unwritten::<u8>(self.buffer, start..start + self.columns * size);
            assert_eq!(unwritten, None, "row {row} of the output was written");
        }
        let padding = Padding { stride: self.stride * size };
        gpu.read_rows::<u8>(self.buffer, self.rows, self.columns * size, padding)
    }

    pub(super) fn values(&self, gpu: &Gpu) -> Vec<f64> {
        decode(self.precision, &self.bytes(gpu))
    }
}

/// An f32 input without padding.
pub(super) fn floats(gpu: &mut Gpu, name: &str, values: &[f64]) -> u64 {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    let buffer = gpu.input(name, &values);
    gpu.address::<f32>(buffer, 0)
}

/// The number of candidates, where kernels read it.
pub(super) fn rows_word(gpu: &mut Gpu, rows: usize) -> u64 {
    let buffer = gpu.input("rows", &[rows as u32]);
    gpu.address::<u32>(buffer, 0)
}

/// Passes only if every error is within its bound, so that NaN fails.
pub(super) fn close(what: &str, found: &[f64], expected: &[f64], bound: impl Fn(usize) -> f64) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (error, bound) = ((found - expected).abs(), bound(index));
        assert!(
            error <= bound,
            "{what}: element {index}: expected {expected}, got {found}, |err| {error:e} > {bound:e}"
        );
    }
}

#[test]
fn every_unit_has_a_test() {
    let products = ["gemm_f32", "gemm_tf32", "gemm_bf16", "gemm_f16", "ceiling_multiply"];
    let tested = [&products[..], &["featurize", "layer_norm", "head", "ceiling_read"]].concat();
    for target in &artifacts::manifest().expect("the manifest parses").targets {
        for module in &target.modules {
            assert!(tested.contains(&module.unit.as_str()), "no test runs {}", module.unit);
        }
    }
}
