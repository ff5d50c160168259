//! bf16 by AMX: 32 candidates × 32 columns in four tile registers.
//!
//! A tile register holds 16 lines of 64 bytes. A step of 32 K columns loads two tiles of A and two of B and makes
//! four products of 16 × 16 × 32: 64 cycles of the tile unit for 4 KiB of loads, so B is kept in L1 (its chunk) and
//! A comes from L2, by loads that say that a line will not be needed again soon: plain ones would push B out of L1. The instructions are written as `asm!`, because their intrinsics are not stable; the compiler
//! itself never touches tile registers.
//!
//! The system must grant a process the tile state before its first use ([`AmxBf16::detect`]); a thread then loads a
//! tile configuration before, and releases it after, a stretch of work ([`Session`]).

use std::arch::asm;
use std::marker::PhantomData;

use half::bf16;

use super::super::isa::{Avx512Bf16, cpuid};
use super::avx512_bf16::pair_index;
use super::{Kernel, PANEL, STRIP, Tile};

/// Tile products, for a process that may use them.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct AmxBf16(Avx512Bf16);

/// Why AMX does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Denied {
    /// The processor has no AMX bf16, or no AVX-512 bf16 to go with it.
    Absent,
    /// The processor has it; the system refused the permission, with this error number.
    Refused(i64),
}

impl AmxBf16 {
    /// Asks the processor, then the system.
    pub(in super::super) fn detect() -> Result<Self, Denied> {
        // CPUID leaf 7, EDX: bit 22 is AMX-BF16, bit 24 AMX-TILE.
        const BITS: u32 = 1 << 22 | 1 << 24;
        let vectors = Avx512Bf16::detect().ok_or(Denied::Absent)?;
        if cpuid(7).edx & BITS != BITS {
            return Err(Denied::Absent);
        }
        match request_permission() {
            0 => Ok(Self(vectors)),
            error => Err(Denied::Refused(error)),
        }
    }
}

/// Asks Linux to grant tile state to this process; 0, or a negative error number. Asking again is harmless.
#[cfg(target_os = "linux")]
fn request_permission() -> i64 {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XTILEDATA: u64 = 18;
    let result: i64;
    // SAFETY: this system call takes two integers and writes no memory; the kernel clobbers rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Other systems grant it in other ways, which this crate does not know: not implemented (ENOSYS).
#[cfg(not(target_os = "linux"))]
fn request_permission() -> i64 {
    -38
}

/// Operand of `ldtilecfg`: palette 1, eight tiles of up to 16 rows of 64 bytes.
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes_per_row: [u16; 16],
    rows: [u8; 16],
}

/// Tiles of candidates in `one_panel`: two of C, one of A.
const OF_CANDIDATES: [usize; 3] = [0, 1, 4];

impl TileConfig {
    /// Whole tiles, but for those of candidates where these are few: lines of nobody are neither loaded nor multiplied.
    fn new(rows: usize) -> Self {
        let mut config =
            Self { palette: 1, start_row: 0, reserved: [0; 14], bytes_per_row: [0; 16], rows: [0; 16] };
        config.bytes_per_row[..8].fill(64);
        config.rows[..8].fill(PANEL as u8);
        if (1..=FEW).contains(&rows) {
            OF_CANDIDATES.iter().for_each(|&tile| config.rows[tile] = rows as u8);
        }
        config
    }
}

/// Candidates whose lines are gathered, and alone in their tiles.
const FEW: usize = 8;

/// A thread's loaded tile configuration; bound to the thread.
pub(in super::super) struct Session(PhantomData<*const ()>);

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the tiles are configured, and releasing them is allowed at any time.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }
}

impl Kernel for AmxBf16 {
    type Isa = Avx512Bf16;
    type Stored = bf16;
    type Operand = bf16;
    type Session = Session;

    const PANELS: usize = 2;
    // 36 KiB of B: with A's lines passing by, as much as stays in L1. Sums go to C and come back once a chunk.
    const CHUNK: usize = 576;
    const FEW: usize = FEW;
    const LAYOUT: &'static str = super::PAIRS;

    fn isa(self) -> Avx512Bf16 {
        self.0
    }

    fn session(self, rows: usize) -> Session {
        let config = TileConfig::new(rows);
        // SAFETY: `detect` saw the instructions and got the permission; the operand is 64 bytes and a valid palette 1.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly)) };
        Session(PhantomData)
    }

    fn weight_index(k: usize, column: usize) -> usize {
        pair_index(k, column)
    }

    // A tile's sums go to C and come back as they are, so that where K is cut changes no bit. Few candidates read the
    // weights once or twice, and keeping those in L1 gains less than storing and loading C costs; more of them pass by a
    // chunk that is the longer the more calls there are to fetch the next.
    #[inline(always)]
    fn chunk(rows: usize) -> usize {
        match rows.div_ceil(2 * PANEL) {
            0 | 1 => usize::MAX,
            2 => 1408,
            3..=5 => 352,
            6..=8 => 512,
            _ => Self::CHUNK,
        }
    }

    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<bf16>) {
        // How many lines of weights a step must fetch, so that the next chunk is in L2 when it is needed.
        let each = tile.ahead_lines.div_ceil(tile.columns / 32);
        // SAFETY: the caller vouches for operands and session; a second panel exists when rows go beyond the first.
        unsafe {
            match (tile.rows > PANEL, each) {
                (false, 0..=4) => one_panel_fetching_4(tile),
                (false, 5..=8) => one_panel_fetching_8(tile),
                (false, 9..=16) => one_panel_fetching_16(tile),
                (false, _) => one_panel_fetching_32(tile),
                (true, 0..=3) if tile.next_c.is_null() => two_panels_fetching_3(tile),
                (true, 0..=3) => two_panels_fetching_3_and_c(tile),
                (true, 4) if tile.next_c.is_null() => two_panels_fetching_4(tile),
                (true, 4) => two_panels_fetching_4_and_c(tile),
                (true, 5..=8) => two_panels_fetching_8(tile),
                (true, 9..=16) => two_panels_fetching_16(tile),
                (true, _) => two_panels_fetching_32(tile),
            }
        }
    }
}

/// Prefetches of lines at these offsets from a register.
macro_rules! fetch {
    ($from:literal, $($offset:literal)*) => {
        concat!($("prefetcht1 [{", $from, "} + ", $offset, "]\n"),*)
    };
}

/// C rows 0..32 += two panels · strip, one variant for each number of lines fetched a step: in four places between
/// the products, because a burst of prefetches would hold up the tile loads.
macro_rules! two_panels {
    ($name:ident, $first:expr, $second:expr, $third:expr, $fourth:expr) => {
        unsafe fn $name(tile: &Tile<bf16>) {
            // SAFETY: every step reads 1 KiB a panel and 2 KiB of the strip, `columns / 32` times, all vouched for by
            // the caller; C is two whole panels. Prefetches read nothing. Tile registers are used nowhere else.
            unsafe {
                asm!(
                    "test {acc:e}, {acc:e}",
                    "jz 3f",
                    "tileloadd tmm0, [{c} + {ldc}*1]",
                    "tileloadd tmm1, [{c} + {ldc}*1 + 64]",
                    "tileloadd tmm2, [{c1} + {ldc}*1]",
                    "tileloadd tmm3, [{c1} + {ldc}*1 + 64]",
                    "jmp 2f",
                    "3:",
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
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
                    "tilestored [{c} + {ldc}*1], tmm0",
                    "tilestored [{c} + {ldc}*1 + 64], tmm1",
                    "tilestored [{c1} + {ldc}*1], tmm2",
                    "tilestored [{c1} + {ldc}*1 + 64], tmm3",
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
        unsafe fn $name(tile: &Tile<bf16>) {
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
