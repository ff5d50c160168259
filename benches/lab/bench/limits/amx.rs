//! bf16 products in AMX tiles. Callers know that the processor and the system allow them.

use std::arch::asm;
use std::time::Instant;

/// FLOPs of one step: 32 × 32 outputs, 32 columns.
const STEP: usize = 2 * 32 * 32 * 32;
/// Steps after which a round is long enough for the clock.
const WORK: usize = 60_000;

#[repr(C, align(64))]
struct Configuration([u8; 64]);

/// Memory whose first byte starts a line.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u16; 32]);

fn lines(count: usize) -> Vec<Line> {
    // 0x3c00 is a small bf16 number: products of it stay finite however long the sums grow.
    vec![Line([0x3c00; 32]); count]
}

/// Runs `work` with all tiles of 16 rows of 64 bytes.
fn with_tiles<R>(work: impl FnOnce() -> R) -> R {
    let mut configuration = Configuration([0; 64]);
    configuration.0[0] = 1;
    for tile in 0..8 {
        configuration.0[16 + 2 * tile] = 64;
        configuration.0[48 + tile] = 16;
    }
    // SAFETY: AMX is there and allowed; the configuration is a valid palette 1.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly)) };
    let result = work();
    // SAFETY: as above.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
    result
}

/// FLOP/s of products whose operands stay in tiles.
pub(super) fn peak() -> f64 {
    with_tiles(|| {
        let start = Instant::now();
        // SAFETY: tiles are configured; they are the only state.
        unsafe {
            asm!(
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                "tilezero tmm4", "tilezero tmm5", "tilezero tmm6", "tilezero tmm7",
                "2:",
                "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
                "dec {n}", "jnz 2b",
                n = inout(reg) WORK => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, nomem),
            );
        }
        (WORK * STEP) as f64 / start.elapsed().as_secs_f64()
    })
}

/// FLOP/s of `rows` × 32 outputs over `depth`, K in chunks whose weights stay while the rows pass: the better of A's tiles
/// loaded to stay in L1 and loaded to pass by.
pub(super) fn packed(depth: usize, rows: usize, chunk: usize) -> f64 {
    blocked(depth, rows, chunk, staying).max(blocked(depth, rows, chunk, passing))
}

fn blocked(depth: usize, rows: usize, chunk: usize, tile: Tile) -> f64 {
    let (steps, pairs) = (depth.div_ceil(32), rows.div_ceil(32));
    let chunk = (chunk / 32).clamp(1, steps);
    // A step has two tiles of A, two of B, 16 lines each; C has four tiles of 16 lines.
    let (a, b) = (lines(pairs * steps * 32), lines(steps * 32));
    let mut c = lines(pairs * 64);
    let rounds = WORK.div_ceil(pairs * steps);
    with_tiles(|| {
        let start = Instant::now();
        for _ in 0..rounds {
            for first in (0..steps).step_by(chunk) {
                let count = chunk.min(steps - first);
                for pair in 0..pairs {
                    let a = &a[(pair * steps + first) * 32..][..count * 32];
                    let b = &b[first * 32..][..count * 32];
                    let c = &mut c[pair * 64..][..64];
                    // SAFETY: `count` steps of two tiles lie in `a` and `b`, four tiles in `c`; tiles are configured.
                    unsafe { tile(a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), count, first > 0) };
                }
            }
        }
        std::hint::black_box(&c);
        (rounds * pairs * steps * STEP) as f64 / start.elapsed().as_secs_f64()
    })
}

/// A call: A, B, C, steps, and whether C holds sums already.
///
/// # Safety
/// `steps` ≥ 1 steps of 2 KiB at A and at B, 4 KiB at C; tiles are configured.
type Tile = unsafe fn(*const Line, *const Line, *mut Line, usize, bool);

/// A call, by the instruction that loads A.
macro_rules! tile {
    ($name:ident, $load:literal) => {
        unsafe fn $name(a: *const Line, b: *const Line, c: *mut Line, steps: usize, accumulate: bool) {
            // SAFETY: the caller's promise ([`Tile`]); every address is inside these extents.
            unsafe {
                if accumulate {
                    asm!(
                        "tileloadd tmm0, [{c} + {line}*1]", "tileloadd tmm1, [{c} + {line}*1 + 1024]",
                        "tileloadd tmm2, [{c} + {line}*1 + 2048]", "tileloadd tmm3, [{c} + {line}*1 + 3072]",
                        c = in(reg) c, line = in(reg) 64usize,
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        options(nostack, readonly),
                    );
                } else {
                    asm!(
                        "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        options(nostack, nomem),
                    );
                }
                asm!(
                    "2:",
                    concat!($load, " tmm4, [{a} + {line}*1]"),
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    concat!($load, " tmm5, [{a} + {line}*1 + 1024]"),
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "add {a}, 2048", "add {b}, 2048",
                    "dec {n}", "jnz 2b",
                    "tilestored [{c} + {line}*1], tmm0", "tilestored [{c} + {line}*1 + 1024], tmm1",
                    "tilestored [{c} + {line}*1 + 2048], tmm2", "tilestored [{c} + {line}*1 + 3072], tmm3",
                    a = inout(reg) a => _, b = inout(reg) b => _, c = in(reg) c,
                    n = inout(reg) steps => _, line = in(reg) 64usize,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

tile!(staying, "tileloadd");
tile!(passing, "tileloaddt1");
