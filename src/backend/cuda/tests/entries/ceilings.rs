//! `ceiling_multiply` and `ceiling_read`: that they do all of the work that rates are computed from.

use bytemuck::Zeroable;
use maskrank_ptx::Gpu;

use super::{Kernel, Output, kernels, mutated, precision};
use crate::Precision;
use crate::backend::cuda::ceilings::flops;
use crate::backend::cuda::params::{CeilingMultiplyParams, CeilingReadParams};

const LANES: usize = 32;
const PIECES: usize = 4;
const TURNS: usize = 4;
const BLOCKS: u32 = 2;
const QUADS: usize = 8;

/// Element `index` of a lane's operands: a multiple of 1/8 in [-1, 1).
fn number(lane: usize, index: usize) -> f64 {
    let mixed = ((lane * 64 + index + 1) as u32).wrapping_mul(0x9e37_79b9);
    f64::from(mixed.cast_signed() >> 28) * 0.125
}

/// What each lane of a warp writes after so many rounds. Sums of so few multiples of 1/64 are exact in f32.
fn reference(precision: Precision, rounds: usize) -> Vec<f64> {
    let turns = (TURNS * rounds) as f64;
    if precision == Precision::F32 {
        let sum = |lane, first| (0..PIECES).map(|i| number(lane, first + i)).sum::<f64>();
        return (0..LANES).map(|lane| turns * sum(lane, 0) * sum(lane, PIECES)).collect();
    }
    // Elements of a 32-bit register: two neighbours in k, or one.
    let wide = if precision == Precision::Tf32 { 1 } else { 2 };
    let depth = 8 * wide;
    // Row r, column k of A: register r / 8 + 2 · (k / (4 · wide)) of lane 4 · (r % 8) + k / wide % 4.
    let a = |piece: usize, row: usize, k: usize| {
        let register = 4 * piece + row / 8 + 2 * (k / (4 * wide));
        number(row % 8 * 4 + k / wide % 4, register * wide + k % wide)
    };
    let b = |piece: usize, column: usize, k: usize| {
        let register = 4 * PIECES + 2 * piece + k / (4 * wide);
        number(column * 4 + k / wide % 4, register * wide + k % wide)
    };
    let mut sums = vec![0.0; LANES];
    for (i, j) in (0..PIECES * PIECES).map(|index| (index / PIECES, index % PIECES)) {
        for (row, column) in (0..16 * 8).map(|index| (index / 8, index % 8)) {
            let product: f64 = (0..depth).map(|k| a(i, row, k) * b(j, column, k)).sum();
            sums[row % 8 * 4 + column / 2] += turns * product;
        }
    }
    sums
}

/// What a kernel writes, and the FLOPs that the interpreter saw.
fn multiply(kernel: &Kernel, rounds: usize) -> (Vec<f64>, f64) {
    let gpu = &mut Gpu::new();
    let threads = (BLOCKS * kernel.entry.threads) as usize;
    let output = Output::new(gpu, Precision::F32, 1, threads, threads);
    let mut params = CeilingMultiplyParams::zeroed();
    (params.sums, params.rounds) = (output.address(gpu), rounds as u32);
    let stats = kernel.measure(gpu, [BLOCKS, 1, 1], 0, bytemuck::bytes_of(&params), false);
    let executed = |prefix: &str| {
        let found = stats.by_opcode.iter().filter(|(opcode, _)| opcode.starts_with(prefix));
        found.map(|(opcode, count)| (opcode.clone(), *count)).collect::<Vec<_>>()
    };
    let mut flops = 0.0;
    for (opcode, count) in executed("mma.sync") {
        let k = if opcode.contains("m16n8k16") { 16.0 } else { 8.0 };
        flops += count.warps as f64 * 2.0 * 16.0 * 8.0 * k;
    }
    flops += executed("fma.rn").iter().map(|(_, count)| 2.0 * count.lanes as f64).sum::<f64>();
    (output.values(gpu), flops)
}

#[test]
fn ceiling_multiply() {
    for kernel in kernels("ceiling_multiply") {
        let name = &kernel.entry.name;
        let precision = precision(name.strip_prefix("ceiling_multiply_").expect("a ceiling"));
        for rounds in [0, 1, 3] {
            let (found, executed) = multiply(&kernel, rounds);
            let warp = reference(precision, rounds);
            let wrong = (0..found.len()).find(|&thread| found[thread] != warp[thread % LANES]);
            assert_eq!(
                wrong, None,
                "{} {name}, {rounds} rounds: {found:?}, expected {warp:?}",
                kernel.target
            );
            // No compiler has left anything out of what is counted.
            assert_eq!(executed, flops(precision, BLOCKS, kernel.entry.threads, rounds as u32), "{name}");
        }
    }
}

/// Whether the kernel finds a region in which the quads of one thread, or of none, give four words `never`.
fn read(kernel: &Kernel, blocks: usize, odd: Option<usize>) -> bool {
    const NEVER: u32 = 0x5bd1_e995;
    let gpu = &mut Gpu::new();
    let threads = blocks * kernel.entry.threads as usize;
    let mut words: Vec<u32> =
        (0..threads * QUADS * 4).map(|word| (word as u32).wrapping_mul(NEVER)).collect();
    if let Some(thread) = odd {
        for word in 0..4 {
            let at = |quad: usize| (quad * threads + thread) * 4 + word;
            let others = (0..QUADS - 1).fold(0, |xor, quad| xor ^ words[at(quad)]);
            words[at(QUADS - 1)] = others ^ NEVER;
        }
    }
    let quads = gpu.input("quads", &words);
    let found = gpu.inout("found", &[0u32]);
    let mut params = CeilingReadParams::zeroed();
    (params.quads, params.never) = (gpu.address::<u32>(quads, 0), NEVER);
    params.found = gpu.address::<u32>(found, 0);
    let stats = kernel.measure(gpu, [blocks as u32, 1, 1], 0, bytemuck::bytes_of(&params), false);
    // Nothing is read twice, and nothing is left out.
    let expected = size_of_val(&words[..]) + if odd.is_some() { 4 } else { 0 };
    assert_eq!(stats.total.global_bytes, expected as u64, "{}: bytes moved", kernel.target);
    gpu.read::<u32>(found) == [1]
}

#[test]
fn ceiling_read() {
    for kernel in kernels("ceiling_read") {
        for blocks in [1, 3] {
            assert!(!read(&kernel, blocks, None), "{}", kernel.target);
            let last = blocks * kernel.entry.threads as usize - 1;
            for thread in [0, 1, last] {
                assert!(read(&kernel, blocks, Some(thread)), "{}: thread {thread} of {last}", kernel.target);
            }
        }
    }
}

/// Proof that the test can fail.
#[test]
fn a_product_that_is_left_out_is_seen() {
    let first = |text: &str| {
        let start = text.find("mma.sync").expect("a product");
        let end = start + text[start..].find(';').expect("its end") + 1;
        format!("{}{}", &text[..start], &text[end..])
    };
    let kernel = mutated("ceiling_multiply", "ceiling_multiply_bf16", first);
    let (found, executed) = multiply(&kernel, 1);
    let warp = reference(Precision::Bf16, 1);
    assert!((0..found.len()).any(|thread| found[thread] != warp[thread % LANES]));
    assert!(executed < flops(Precision::Bf16, BLOCKS, kernel.entry.threads, 1));
}
