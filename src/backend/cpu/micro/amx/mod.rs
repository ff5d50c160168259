//! bf16 by AMX: 32 candidates × 32 columns in four tile registers.
//!
//! A tile register holds 16 lines of 64 bytes. A step of 32 K columns loads two tiles of A and two of B and makes
//! four products of 16 × 16 × 32: 64 cycles of the tile unit for 4 KiB of loads, so B is kept in L1 (its chunk) and
//! A comes from L2, by loads that say that a line will not be needed again soon: plain ones would push B out of L1. The
//! instructions are written as `asm!` ([`tiles`]), because their intrinsics are not stable; the compiler itself never
//! touches tile registers.
//!
//! The system must grant a process the tile state before its first use ([`AmxBf16::detect`]); a thread then loads a
//! tile configuration before, and releases it after, a stretch of work ([`Session`]).

use std::arch::asm;
use std::marker::PhantomData;

use half::bf16;

use super::super::isa::{Avx512Bf16, cpuid};
use super::avx512_bf16::pair_index;
use super::{Kernel, PANEL, Tile};

mod tiles;

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

impl TileConfig {
    /// Whole tiles, but for those of candidates where these are few: lines of nobody are neither loaded nor multiplied.
    fn new(rows: usize) -> Self {
        let mut config =
            Self { palette: 1, start_row: 0, reserved: [0; 14], bytes_per_row: [0; 16], rows: [0; 16] };
        config.bytes_per_row[..8].fill(64);
        config.rows[..8].fill(PANEL as u8);
        if (1..=FEW).contains(&rows) {
            // Four of C, one of A.
            config.rows[..5].fill(rows as u8);
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
                (false, 0..=4) => tiles::one_panel_fetching_4(tile),
                (false, 5..=8) => tiles::one_panel_fetching_8(tile),
                (false, 9..=16) => tiles::one_panel_fetching_16(tile),
                (false, _) => tiles::one_panel_fetching_32(tile),
                (true, 0..=3) if tile.next_c.is_null() => tiles::two_panels_fetching_3(tile),
                (true, 0..=3) => tiles::two_panels_fetching_3_and_c(tile),
                (true, 4) if tile.next_c.is_null() => tiles::two_panels_fetching_4(tile),
                (true, 4) => tiles::two_panels_fetching_4_and_c(tile),
                (true, 5..=8) => tiles::two_panels_fetching_8(tile),
                (true, 9..=16) => tiles::two_panels_fetching_16(tile),
                (true, _) => tiles::two_panels_fetching_32(tile),
            }
        }
    }

    #[inline(always)]
    fn takes_two(rows: usize) -> bool {
        rows <= FEW
    }

    #[inline(always)]
    unsafe fn two_tiles(self, tiles: [&Tile<bf16>; 2]) {
        // SAFETY: the caller vouches for operands and session.
        unsafe { tiles::few_of_two_strips(tiles) }
    }
}
