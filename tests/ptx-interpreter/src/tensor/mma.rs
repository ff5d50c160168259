//! `mma.sync`: D = A·B + C, with exact products and sums in `f32`.
//!
//! The manual leaves the order of the sums and the precision between them open. Here the products of one instruction
//! are added in `f32` in ascending k, and C last.

use std::sync::LazyLock;

use super::fragments;
use crate::float::{F16, Round, f16_to_f32};
use crate::isa::{AccTy, Mma, MmaTy, W};
use crate::machine::{Exec, LANES, Regs};

/// Rows of A and D.
const M: usize = 16;
/// Columns of B and D.
const N: usize = 8;
/// Largest depth.
const K: usize = 16;

/// Offsets in a matrix of the elements of each register, for every lane: `[register][element in it][lane]`.
struct Layout<const REGS: usize, const PER: usize>([[[u8; LANES]; PER]; REGS]);

impl<const REGS: usize, const PER: usize> Layout<REGS, PER> {
    fn new(position: fn(usize, usize) -> (usize, usize), row_length: usize) -> Self {
        let mut out = [[[0; LANES]; PER]; REGS];
        for (q, reg) in out.iter_mut().enumerate() {
            for (e, lanes) in reg.iter_mut().enumerate() {
                for (lane, at) in lanes.iter_mut().enumerate() {
                    let (r, c) = position(lane, q * PER + e);
                    *at = (r * row_length + c) as u8;
                }
            }
        }
        Self(out)
    }
}

static A16: LazyLock<Layout<4, 2>> = LazyLock::new(|| Layout::new(fragments::a_16bit, K));
static B16: LazyLock<Layout<2, 2>> = LazyLock::new(|| Layout::new(fragments::b_16bit, N));
static A32: LazyLock<Layout<4, 1>> = LazyLock::new(|| Layout::new(fragments::a_tf32, K));
static B32: LazyLock<Layout<2, 1>> = LazyLock::new(|| Layout::new(fragments::b_tf32, N));
static C: LazyLock<Layout<4, 1>> = LazyLock::new(|| Layout::new(fragments::c, N));

/// Spreads the registers of a fragment into a matrix of `f32`.
fn scatter<const REGS: usize, const PER: usize>(
    layout: &Layout<REGS, PER>,
    regs: &Regs,
    from: &[W],
    to: &mut [f32; 256],
    value: impl Fn(u32, usize) -> f32,
) {
    for (w, places) in from.iter().zip(&layout.0) {
        let row = regs.w(*w);
        for (e, lanes) in places.iter().enumerate() {
            for (x, at) in row.iter().zip(lanes) {
                to[*at as usize] = value(*x, e);
            }
        }
    }
}

/// The bits that tf32 keeps of an `f32`; the hardware ignores the others.
fn tf32(x: u32) -> f32 {
    f32::from_bits(x & !0x1fff)
}

fn load(ty: MmaTy, k: usize, regs: &Regs, m: &Mma, a: &mut [f32; 256], b: &mut [f32; 256]) {
    match ty {
        MmaTy::Bf16 => {
            let value = |x: u32, e: usize| f32::from_bits(if e == 0 { x << 16 } else { x & 0xffff_0000 });
            scatter(&A16, regs, &m.a[..k / 4], a, value);
            scatter(&B16, regs, &m.b[..k / 8], b, value);
        }
        MmaTy::F16 => {
            let value = |x: u32, e: usize| f16_to_f32(x >> (16 * e) & 0xffff);
            scatter(&A16, regs, &m.a[..k / 4], a, value);
            scatter(&B16, regs, &m.b[..k / 8], b, value);
        }
        MmaTy::Tf32 => {
            scatter(&A32, regs, &m.a[..k / 2], a, |x, _| tf32(x));
            scatter(&B32, regs, &m.b[..k / 4], b, |x, _| tf32(x));
        }
    }
}

/// Executes one `mma.sync` of a whole warp.
pub(crate) fn mma(regs: &mut Regs, m: &Mma) -> Exec<()> {
    let all = m.a.iter().chain(&m.b).fold(u32::MAX, |ok, r| ok & regs.w_ok(*r));
    regs.require(all, u32::MAX, "a matrix fragment")?;
    let defined = m.c.iter().fold(u32::MAX, |ok, r| ok & regs.w_ok(*r));
    regs.require(defined, u32::MAX, "an accumulator")?;
    let k = m.k as usize;
    let (mut a, mut b) = ([0f32; 256], [0f32; 256]);
    load(m.ty, k, regs, m, &mut a, &mut b);
    let mut d = [[0f32; N]; M];
    for (row, out) in a.chunks_exact(K).zip(&mut d) {
        let mut sum = [0f32; N];
        for (x, b) in row[..k].iter().zip(b.chunks_exact(N)) {
            for (s, y) in sum.iter_mut().zip(b) {
                *s += x * y;
            }
        }
        *out = sum;
    }
    let d = d.as_flattened();
    // All of C before any of D: they may share registers in any order.
    let sums = m.c.map(|r| *regs.w(r));
    if m.acc == AccTy::F32 {
        for (q, [places]) in C.0.iter().enumerate() {
            let c = sums[q];
            let row = std::array::from_fn(|l| (f32::from_bits(c[l]) + d[places[l] as usize]).to_bits());
            regs.put_w(m.d[q], &row, u32::MAX, u32::MAX);
        }
        return Ok(());
    }
    for q in 0..2 {
        let c = sums[q];
        let row = std::array::from_fn(|l| {
            let [low, high] = [0, 1].map(|e| {
                let sum = f16_to_f32(c[l] >> (16 * e) & 0xffff) + d[C.0[2 * q + e][0][l] as usize];
                F16.encode(f64::from(sum), Round::Nearest, false)
            });
            low | high << 16
        });
        regs.put_w(m.d[q], &row, u32::MAX, u32::MAX);
    }
    Ok(())
}
