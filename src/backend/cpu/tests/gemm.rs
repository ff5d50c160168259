//! Every micro-kernel that this processor has, on sizes around its tiles, against a plain product in f64.
//!
//! The workspace is NaN wherever the product has no business, before and after.

use half::{bf16, f16};

use super::super::element::Element;
use super::super::gemm::{Product, strips};
use super::super::isa::Portable;
use super::super::layout::Operand;
use super::super::memory::{Arena, Shared};
use super::super::micro::{F32, Kernel, PANEL, STRIP};
use super::super::pack::pack;
use super::super::panel::Workspace;
use super::super::program::{GemmEpilogue, GemmOp};
use super::super::scratch::Scratch;
use super::Random;

const DEPTHS: [usize; 9] = [1, 31, 32, 33, 255, 256, 257, 521, 1499];
const OUTS: [usize; 7] = [1, 16, 31, 32, 33, 64, 97];
const ROWS: [usize; 14] = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Bias,
    Relu,
    Multiply,
}

struct Case<E> {
    out: usize,
    op: GemmOp,
    weights: Arena<E>,
    plain: Vec<f64>,
}

fn narrow<E: Element>(value: f32) -> E {
    E::from_f64(value.into())
}

fn wide<E: Element>(value: E) -> f64 {
    E::widen::<Portable>(&[value; 16])[0].into()
}

impl<E: Element> Case<E> {
    fn new<K: Kernel<Stored = E>>(depth: usize, out: usize, kind: Kind, random: &mut Random) -> Self {
        let (columns, padded) = (out.next_multiple_of(STRIP), depth.next_multiple_of(STRIP));
        let plain: Vec<f64> = (0..out * depth).map(|_| wide(narrow::<E>(random.signed()))).collect();
        let mut weights = Arena::new(columns * padded).unwrap();
        pack::<K>(padded, weights.as_mut_slice(), |column, row| {
            row.fill(0.0);
            if column < out {
                row[..depth].copy_from_slice(&plain[column * depth..(column + 1) * depth]);
            }
        });
        let mut per_column = |from: f32| -> Vec<f32> {
            (0..columns).map(|c| if c < out { from + random.signed() } else { 0.0 }).collect()
        };
        let epilogue = match kind {
            Kind::Bias => GemmEpilogue::Bias,
            Kind::Relu => GemmEpilogue::Relu,
            Kind::Multiply => GemmEpilogue::Multiply,
        };
        let (bias, scale) = (per_column(0.0), per_column(2.0));
        let op =
            GemmOp { weights: 0, depth: padded, strips: columns / STRIP, bias, scale, epilogue, once: None };
        Self { out, op, weights, plain }
    }
}

/// The product of `inputs`' rows from `from` on, as stored bits of (rows, out); checks the surroundings.
fn run<K: Kernel>(
    kernel: K,
    case: &Case<K::Stored>,
    inputs: &[Vec<K::Stored>],
    by: &[Vec<K::Stored>],
    resident: usize,
) -> Vec<Vec<K::Stored>> {
    let rows = inputs.len();
    let capacity = rows.next_multiple_of(PANEL) + PANEL;
    let columns = case.op.strips * STRIP;
    let total = case.op.depth + 2 * columns + 2 * STRIP;
    let input = Operand { matrix: 0, matrix_columns: case.op.depth, first: 0, columns: case.op.depth };
    // The other two lie side by side in one matrix, with a strip of nothing before and after.
    let side =
        |first| Operand { matrix: case.op.depth, matrix_columns: 2 * columns + 2 * STRIP, first, columns };
    let (output, multiplied) = (side(STRIP), side(STRIP + columns));
    let mut elements = Arena::<K::Stored>::new(total * capacity).unwrap();
    elements.as_mut_slice().fill(narrow(f32::NAN));
    let mut waiting = Arena::<f32>::new(0).unwrap();
    let workspace = Workspace {
        elements: Shared::new(elements.as_mut_slice()),
        capacity,
        waiting: Shared::new(waiting.as_mut_slice()),
        terms: Shared::new(&mut []),
    };
    let index = |operand: Operand, row: usize, column: usize| {
        workspace.index(operand, row, column / 16 * 16) + column % 16
    };
    let slice = elements.as_mut_slice();
    for row in 0..rows {
        for column in 0..case.op.depth {
            slice[index(input, row, column)] = inputs[row].get(column).copied().unwrap_or_default();
        }
        for column in 0..columns {
            slice[index(multiplied, row, column)] = by[row].get(column).copied().unwrap_or_default();
        }
    }
    let before: Vec<u64> = slice.iter().map(|&v| wide(v).to_bits()).collect();

    let product = Product {
        op: &case.op,
        weights: case.weights.as_slice(),
        input,
        output,
        by: Some(multiplied),
        waiting: 0,
        requests: (Operand::default(), 0),
    };
    let mut scratch = Scratch::for_tests::<K>(capacity);
    let session = kernel.session(rows);
    // SAFETY: the operands lie in the workspace, whose inputs were written above; one thread.
    unsafe { strips(kernel, &product, &workspace, 0..case.op.strips, rows, resident, &mut scratch) };
    drop(session);

    let mut written = vec![false; before.len()];
    let mut found = vec![vec![K::Stored::default(); case.out]; rows];
    for row in 0..rows {
        for column in 0..columns {
            let at = index(output, row, column);
            written[at] = true;
            match found[row].get_mut(column) {
                Some(place) => *place = slice[at],
                None => assert_eq!(wide(slice[at]), 0.0, "row {row} column {column}: padding is zero"),
            }
        }
    }
    for (at, (&value, &before)) in slice.iter().zip(&before).enumerate() {
        assert!(written[at] || wide(value).to_bits() == before, "element {at} is not the product's");
    }
    found
}

fn sweep<K: Kernel>(name: &str, kernel: K) {
    let mut random = Random(7);
    // Products and sums of 32-bit floats, pairwise or not; then one rounding to storage.
    let stored = match K::Stored::LINE {
        16 => 2f64.powi(-24),
        _ if size_of::<K::Stored>() == 2 && wide(narrow::<K::Stored>(1.0 + 2f32.powi(-9))) > 1.0 => {
            2f64.powi(-11)
        }
        _ => 2f64.powi(-8),
    };
    for (i, depth) in DEPTHS.into_iter().enumerate() {
        for (j, out) in OUTS.into_iter().enumerate() {
            let kind = [Kind::Bias, Kind::Relu, Kind::Multiply][(i + j) % 3];
            let case = Case::<K::Stored>::new::<K>(depth, out, kind, &mut random);
            let mut make = |width: usize| -> Vec<Vec<K::Stored>> {
                (0..64).map(|_| (0..width).map(|_| narrow(random.signed())).collect()).collect()
            };
            let (inputs, by) = (make(depth), make(out));
            let whole = run(kernel, &case, &inputs, &by, usize::MAX);
            for row in 0..inputs.len() {
                for column in 0..out {
                    let (mut sum, mut size) = (0.0, 0.0);
                    for k in 0..depth {
                        let term = wide(inputs[row][k]) * case.plain[column * depth + k];
                        sum += term;
                        size += term.abs();
                    }
                    let (scale, bias) = (f64::from(case.op.scale[column]), f64::from(case.op.bias[column]));
                    let mut expected = sum * scale + bias;
                    let mut bound =
                        (2.0 * depth as f64 + 3.0) * 2f64.powi(-24) * (size * scale.abs() + bias.abs());
                    match kind {
                        Kind::Bias => {}
                        Kind::Relu => expected = expected.max(0.0),
                        Kind::Multiply => {
                            expected *= wide(by[row][column]);
                            bound *= wide(by[row][column]).abs();
                        }
                    }
                    bound += stored * (expected.abs() + bound) * 1.01 + 1e-30;
                    if size_of::<K::Stored>() == 2 {
                        bound += 2f64.powi(-25); // half a step of f16's subnormals
                    }
                    let got = wide(whole[row][column]);
                    let err = (got - expected).abs();
                    assert!(
                        err <= bound,
                        "{name} depth {depth} out {out} {kind:?}: row {row} col {column}: expected {expected}, \
                         got {got}, |err| {err:e} > bound {bound:e}"
                    );
                }
            }
            // The same bits for any number of rows, at any place among them, and for K in parts.
            for rows in ROWS {
                for first in [0, 64 - rows] {
                    let own = first..first + rows;
                    let resident = if first == 0 { rows * K::CHUNK } else { 1 };
                    let part = run(kernel, &case, &inputs[own.clone()], &by[own], resident);
                    for (row, (a, b)) in part.iter().zip(&whole[first..]).enumerate() {
                        let same = a.iter().zip(b).all(|(a, b)| wide(*a).to_bits() == wide(*b).to_bits());
                        assert!(same, "{name} depth {depth} out {out}: row {row} of {rows} from {first}");
                    }
                }
            }
        }
    }
}

/// Where many candidates pass by, chunks of K, what a call fetches ahead and which sums it fetches go by how many there
/// are: none of it changes a bit of what 64 at a time give.
fn many<K: Kernel>(name: &str, kernel: K) {
    const MOST: usize = 401;
    let (depth, out) = (1216, 96);
    let mut random = Random(11);
    let case = Case::<K::Stored>::new::<K>(depth, out, Kind::Relu, &mut random);
    let mut make = |width: usize| -> Vec<Vec<K::Stored>> {
        (0..MOST).map(|_| (0..width).map(|_| narrow(random.signed())).collect()).collect()
    };
    let (inputs, by) = (make(depth), make(out));
    let few: Vec<_> = inputs
        .chunks(64)
        .zip(by.chunks(64))
        .flat_map(|(inputs, by)| run(kernel, &case, inputs, by, usize::MAX))
        .collect();
    // An odd panel at the end, whole pairs of panels, and a last panel that is not full: of each length of chunks.
    for rows in [80, 107, 176, 256, 272, 384, MOST] {
        for resident in [usize::MAX, rows * depth / 2, 1] {
            let found = run(kernel, &case, &inputs[..rows], &by[..rows], resident);
            for (row, (a, b)) in found.iter().zip(&few).enumerate() {
                let same = a.iter().zip(b).all(|(a, b)| wide(*a).to_bits() == wide(*b).to_bits());
                assert!(same, "{name}: row {row} of {rows}, {resident} elements resident");
            }
        }
    }
}

fn check<K: Kernel>(name: &str, kernel: K) {
    sweep(name, kernel);
    many(name, kernel);
}

#[test]
fn every_kernel_of_this_processor() {
    check("portable f32", F32::<Portable, f32>::new(Portable));
    check("portable bf16", F32::<Portable, bf16>::new(Portable));
    check("portable f16", F32::<Portable, f16>::new(Portable));
    #[cfg(target_arch = "x86_64")]
    {
        use super::super::isa::{Avx2, Avx512, Avx512Bf16};
        use super::super::micro::{AmxBf16, DotBf16};
        // Which of these a processor has is listed, and what it lacks reported as ignored, by `tests/cpu_kernels.rs`.
        if let Some(isa) = Avx2::detect() {
            check("avx2 f32", F32::<_, f32>::new(isa));
            check("avx2 bf16", F32::<_, bf16>::new(isa));
            check("avx2 f16", F32::<_, f16>::new(isa));
        }
        if let Some(isa) = Avx512::detect() {
            check("avx512 f32", F32::<_, f32>::new(isa));
            check("avx512 bf16", F32::<_, bf16>::new(isa));
            check("avx512 f16", F32::<_, f16>::new(isa));
        }
        if let Some(isa) = Avx512Bf16::detect() {
            check("avx512-bf16", DotBf16(isa));
        }
        if let Ok(kernel) = AmxBf16::detect() {
            check("amx", kernel);
        }
    }
}
