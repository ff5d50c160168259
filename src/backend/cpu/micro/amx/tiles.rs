//! The loops over K: what a step loads, multiplies and fetches ahead.

use std::arch::asm;

use half::bf16;

use super::super::{PANEL, STRIP, Tile};

/// Prefetches of lines at these offsets from a register.
macro_rules! fetch {
    ($from:literal, $($offset:literal)*) => {
        concat!($("prefetcht1 [{", $from, "} + ", $offset, "]\n"),*)
    };
}

/// Four tiles of C, at `c` and `c1`, loaded where the sums go on, else zero.
macro_rules! load_or_zero {
    () => {
        "test {acc:e}, {acc:e}
        jz 3f
        tileloadd tmm0, [{c} + {ldc}*1]
        tileloadd tmm1, [{c} + {ldc}*1 + 64]
        tileloadd tmm2, [{c1} + {ldc}*1]
        tileloadd tmm3, [{c1} + {ldc}*1 + 64]
        jmp 2f
        3:
        tilezero tmm0
        tilezero tmm1
        tilezero tmm2
        tilezero tmm3"
    };
}

/// And back to C.
macro_rules! store {
    () => {
        "tilestored [{c} + {ldc}*1], tmm0
        tilestored [{c} + {ldc}*1 + 64], tmm1
        tilestored [{c1} + {ldc}*1], tmm2
        tilestored [{c1} + {ldc}*1 + 64], tmm3"
    };
}

/// Two strips' C rows, as many as the session is for, += the panel · each strip: two streams from memory are read faster
/// than one, and each fetches its next step.
pub(super) unsafe fn few_of_two_strips([one, two]: [&Tile<bf16>; 2]) {
    // SAFETY: every step reads the session's few lines of the panel and 2 KiB of each strip, `columns / 32` times, all
    // vouched for by the caller; each C is a whole panel. Prefetches read nothing. Tile registers are used nowhere else.
    unsafe {
        asm!(
            load_or_zero!(),
            ".p2align 5",
            "2:",
            "tileloadd tmm4, [{a} + {line}*1]",
            "tileloadd tmm6, [{b} + {line}*1]",
            fetch!("b", 2048 2112 2176 2240 2304 2368 2432 2496 2560 2624 2688 2752 2816 2880 2944 3008),
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {line}*1 + 1024]",
            fetch!("b", 3072 3136 3200 3264 3328 3392 3456 3520 3584 3648 3712 3776 3840 3904 3968 4032),
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm6, [{b1} + {line}*1]",
            fetch!("b1", 2048 2112 2176 2240 2304 2368 2432 2496 2560 2624 2688 2752 2816 2880 2944 3008),
            "tdpbf16ps tmm2, tmm4, tmm6",
            "tileloadd tmm7, [{b1} + {line}*1 + 1024]",
            fetch!("b1", 3072 3136 3200 3264 3328 3392 3456 3520 3584 3648 3712 3776 3840 3904 3968 4032),
            "tdpbf16ps tmm3, tmm4, tmm7",
            "add {a}, {next}",
            "add {b}, 2048",
            "add {b1}, 2048",
            "dec {n}",
            "jnz 2b",
            store!(),
            acc = in(reg) u32::from(one.accumulate),
            c = in(reg) one.c,
            c1 = in(reg) two.c,
            ldc = in(reg) STRIP * size_of::<f32>(),
            line = in(reg) 64usize,
            a = inout(reg) one.a => _,
            next = in(reg) one.line_stride * size_of::<bf16>(),
            b = inout(reg) one.b => _,
            b1 = inout(reg) two.b => _,
            n = inout(reg) one.columns / 32 => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// C rows 0..32 += two panels · strip, one variant for each number of lines fetched a step: in four places between
/// the products, because a burst of prefetches would hold up the tile loads.
macro_rules! two_panels {
    ($name:ident, $first:expr, $second:expr, $third:expr, $fourth:expr) => {
        pub(super) unsafe fn $name(tile: &Tile<bf16>) {
            // SAFETY: every step reads 1 KiB a panel and 2 KiB of the strip, `columns / 32` times, all vouched for by
            // the caller; C is two whole panels. Prefetches read nothing. Tile registers are used nowhere else.
            unsafe {
                asm!(
                    load_or_zero!(),
                    ".p2align 5",
                    "2:",
                    "tileloaddt1 tmm4, [{a0} + {line}*1]",
                    $first,
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    $second,
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    $third,
                    "tileloaddt1 tmm5, [{a1} + {line}*1]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    $fourth,
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "add {ahead}, {step}",
                    "add {next_c}, {next_step}",
                    "add {a0}, 1024",
                    "add {a1}, 1024",
                    "add {b}, 2048",
                    "dec {n}",
                    "jnz 2b",
                    store!(),
                    acc = in(reg) u32::from(tile.accumulate),
                    c = in(reg) tile.c,
                    c1 = in(reg) tile.c.add(PANEL * STRIP),
                    ldc = in(reg) STRIP * size_of::<f32>(),
                    line = in(reg) 64usize,
                    a0 = inout(reg) tile.a => _,
                    a1 = inout(reg) tile.a.add(tile.panel_stride) => _,
                    b = inout(reg) tile.b => _,
                    n = inout(reg) tile.columns / 32 => _,
                    ahead = inout(reg) tile.ahead => _,
                    step = in(reg) tile.ahead_lines * 64 / (tile.columns / 32),
                    next_c = inout(reg) tile.next_c => _,
                    next_step = in(reg) (2 * PANEL * STRIP * size_of::<f32>() / (tile.columns / 32)).next_multiple_of(64),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

two_panels!(two_panels_fetching_3, fetch!("ahead", 0), fetch!("ahead", 64), fetch!("ahead", 128), "");
two_panels!(
    two_panels_fetching_4,
    fetch!("ahead", 0),
    fetch!("ahead", 64),
    fetch!("ahead", 128),
    fetch!("ahead", 192)
);
// Two lines of the next strip's C a step, side by side: the processor's own prefetch brings most of those between.
two_panels!(
    two_panels_fetching_3_and_c,
    fetch!("ahead", 0),
    concat!(fetch!("ahead", 64), fetch!("next_c", 0)),
    fetch!("ahead", 128),
    fetch!("next_c", 64)
);
two_panels!(
    two_panels_fetching_4_and_c,
    concat!(fetch!("ahead", 0), fetch!("next_c", 0)),
    fetch!("ahead", 64),
    concat!(fetch!("ahead", 128), fetch!("next_c", 64)),
    fetch!("ahead", 192)
);
two_panels!(
    two_panels_fetching_8,
    fetch!("ahead", 0 64),
    fetch!("ahead", 128 192),
    fetch!("ahead", 256 320),
    fetch!("ahead", 384 448)
);
two_panels!(
    two_panels_fetching_16,
    fetch!("ahead", 0 64 128 192),
    fetch!("ahead", 256 320 384 448),
    fetch!("ahead", 512 576 640 704),
    fetch!("ahead", 768 832 896 960)
);
// One call takes all candidates: the weights are read as they come, and the next step's are fetched.
two_panels!(
    two_panels_fetching_32,
    fetch!("b", 2048 2112 2176 2240 2304 2368 2432 2496),
    fetch!("b", 2560 2624 2688 2752 2816 2880 2944 3008),
    fetch!("b", 3072 3136 3200 3264 3328 3392 3456 3520),
    fetch!("b", 3584 3648 3712 3776 3840 3904 3968 4032)
);

/// C rows 0..16, or as many as the session is for, += one panel · strip, one variant for each number of lines fetched
/// a step: the last of an odd number of panels has its share of the next chunk to fetch, like all others.
macro_rules! one_panel {
    ($name:ident, $first:expr, $second:expr) => {
        pub(super) unsafe fn $name(tile: &Tile<bf16>) {
            // SAFETY: every step reads 1 KiB of the panel, or the session's few lines, and 2 KiB of the strip,
            // `columns / 32` times, all vouched for by the caller; C is a whole panel. Prefetches read nothing. Tile
            // registers are used nowhere else.
            unsafe {
                asm!(
                    "test {acc:e}, {acc:e}",
                    "jz 3f",
                    "tileloadd tmm0, [{c} + {ldc}*1]",
                    "tileloadd tmm1, [{c} + {ldc}*1 + 64]",
                    "jmp 2f",
                    "3:",
                    "tilezero tmm0",
                    "tilezero tmm1",
                    ".p2align 5",
                    "2:",
                    "tileloaddt1 tmm4, [{a0} + {line}*1]",
                    "tileloadd tmm6, [{b} + {line}*1]",
                    $first,
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    $second,
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "add {ahead}, {step}",
                    "add {a0}, {next}",
                    "add {b}, 2048",
                    "dec {n}",
                    "jnz 2b",
                    "tilestored [{c} + {ldc}*1], tmm0",
                    "tilestored [{c} + {ldc}*1 + 64], tmm1",
                    acc = in(reg) u32::from(tile.accumulate),
                    c = in(reg) tile.c,
                    ldc = in(reg) STRIP * size_of::<f32>(),
                    line = in(reg) 64usize,
                    a0 = inout(reg) tile.a => _,
                    next = in(reg) tile.line_stride * size_of::<bf16>(),
                    b = inout(reg) tile.b => _,
                    n = inout(reg) tile.columns / 32 => _,
                    ahead = inout(reg) tile.ahead => _,
                    step = in(reg) tile.ahead_lines * 64 / (tile.columns / 32),
                    out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

one_panel!(one_panel_fetching_4, fetch!("ahead", 0 64), fetch!("ahead", 128 192));
one_panel!(one_panel_fetching_8, fetch!("ahead", 0 64 128 192), fetch!("ahead", 256 320 384 448));
one_panel!(
    one_panel_fetching_16,
    fetch!("ahead", 0 64 128 192 256 320 384 448),
    fetch!("ahead", 512 576 640 704 768 832 896 960)
);
// All candidates there are: the weights are what takes time, and the next step's are fetched.
one_panel!(
    one_panel_fetching_32,
    fetch!("b", 2048 2112 2176 2240 2304 2368 2432 2496 2560 2624 2688 2752 2816 2880 2944 3008),
    fetch!("b", 3072 3136 3200 3264 3328 3392 3456 3520 3584 3648 3712 3776 3840 3904 3968 4032)
);
