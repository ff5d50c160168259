//! Micro-kernels: a tile of `C (+)= A · Bᵀ`, once for every instruction set that is worth it.
//!
//! Operands lie as the kernels read them.
//! - A *panel* holds [`PANEL`] = 16 candidates: lines of 64 bytes (16 f32 or 32 halves of one candidate), the 16
//!   candidates' lines of the same columns side by side, 1 KiB in all, then the next columns. So a panel is both an
//!   AMX tile after another and, for the vector kernels, sixteen rows whose loads stay in few pages. Columns
//!   `[k, ..)` of a panel start `16 · k` elements in, whatever the type.
//! - A *strip* of weights holds [`STRIP`] = 32 output columns for all of K, in the kernel's own order; its K columns
//!   `[k, ..)` start `32 · k` elements in.
//! - C is f32, one row of 32 a candidate.
//!
//! Batch invariance is by construction: an output's sum is taken over K in ascending order in a lane of its own, in
//! chunks whose ends depend on K alone. How many rows a call has, and where the output lies in its tile, changes
//! which lane computes it and nothing else.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
mod portable;
#[cfg(target_arch = "x86_64")]
mod rows512;
#[cfg(target_arch = "x86_64")]
mod sixteen;

use std::marker::PhantomData;

#[cfg(target_arch = "x86_64")]
pub(super) use amx::{AmxBf16, Denied};
#[cfg(target_arch = "x86_64")]
pub(super) use avx512_bf16::DotBf16;

use super::element::Element;
use super::isa::Isa;

/// Candidates of a panel.
pub(super) const PANEL: usize = 16;
/// Output columns of a strip of weights; the plan's column alignment.
pub(super) const STRIP: usize = 32;

/// The layout of both bf16 kernels: pairs of K.
pub(super) const PAIRS: &str = "strips-32-pairs";
/// The layout of the f32 kernels: all 32 columns of a K, then the next K.
pub(super) const COLUMNS: &str = "strips-32";

/// Asks for a line in L2; reads nothing.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(
    unused_unsafe,
    reason = "the intrinsic became safe after the oldest compiler that this crate supports"
)]
pub(super) fn fetch(line: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    // SAFETY: a prefetch of any address is allowed.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) };
}

/// Asks for nothing on other architectures.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn fetch(_line: *const u8) {}

/// One call of a micro-kernel. Pointers are to the first K column of the chunk.
pub(super) struct Tile<E> {
    /// First panel of A.
    pub(super) a: *const E,
    /// Elements from one panel to the next.
    pub(super) panel_stride: usize,
    /// Elements from a candidate's line to its next: a panel's 16 lines, or no more than there are candidates where those
    /// of a few were gathered ([`Kernel::FEW`]).
    pub(super) line_stride: usize,
    /// Strip of weights.
    pub(super) b: *const E,
    /// K columns; a multiple of [`STRIP`].
    pub(super) columns: usize,
    /// C, (rows, 32), without gaps; whole panels of it may be written.
    pub(super) c: *mut f32,
    /// Candidates, from 1 to `PANEL · Kernel::PANELS`.
    pub(super) rows: usize,
    /// Whether C holds the sums of the chunks before.
    pub(super) accumulate: bool,
    /// Weights that will be read next: bytes to fetch ahead from here.
    pub(super) ahead: *const u8,
    /// How many lines of them this call should fetch.
    pub(super) ahead_lines: usize,
    /// The next strip's C of the same rows, where it has left the caches near; else null.
    pub(super) next_c: *const f32,
}

/// A way to multiply: instruction set, storage type and operand order.
pub(super) trait Kernel: Copy + Send + Sync + 'static {
    /// For everything between the products.
    type Isa: Isa;
    /// What activations and weights are stored as.
    type Stored: Element;
    /// What [`Kernel::tile`] reads; where it differs from `Stored`, chunks are widened on the way.
    type Operand: Element;
    /// A thread's permission to call [`Kernel::tile`] for a number of candidates.
    type Session;

    /// Panels that one call takes.
    const PANELS: usize;
    /// Most K columns of a call where many candidates pass by: chunks of B of this length stay in L1.
    const CHUNK: usize;
    /// Most candidates whose lines are gathered before strips are read; 0 where the kernel takes whole panels only.
    const FEW: usize = 0;
    /// Name of the order of weights in a strip: kernels of one name read each other's packed files.
    const LAYOUT: &'static str;

    /// The instruction set.
    fn isa(self) -> Self::Isa;

    /// Prepares the calling thread for calls of operands of up to `rows` candidates; undone when dropped.
    fn session(self, rows: usize) -> Self::Session;

    /// Where weight `(k, column)` lies in its strip.
    fn weight_index(k: usize, column: usize) -> usize;

    /// Most K columns of a call where `rows` candidates pass by. Only a kernel whose sums are the same however K is
    /// divided may let it depend on them.
    #[inline(always)]
    fn chunk(_rows: usize) -> usize {
        Self::CHUNK
    }

    /// C (+)= A · B over the chunk.
    ///
    /// # Safety
    /// - `a` is readable for `16 · columns` elements in every panel that `rows` touches, `b` for `32 · columns`.
    /// - `c` is writable for `32 · rows` floats, rounded up to whole panels.
    /// - A [`Kernel::session`] of this thread is alive, for as many candidates as these are part of.
    unsafe fn tile(self, tile: &Tile<Self::Operand>);

    /// Whether two strips at once are faster where `rows` candidates pass by; never where operands are widened.
    #[inline(always)]
    fn takes_two(_rows: usize) -> bool {
        false
    }

    /// Two strips against the same candidates, where the kernel [takes two](Self::takes_two).
    ///
    /// # Safety
    /// As [`Kernel::tile`] for each; they differ in nothing but weights and C.
    #[inline(always)]
    unsafe fn two_tiles(self, tiles: [&Tile<Self::Operand>; 2]) {
        // SAFETY: the caller's promise.
        tiles.iter().for_each(|tile| unsafe { self.tile(tile) });
    }
}

/// f32 arithmetic on any storage type.
#[derive(Clone, Copy, Debug)]
pub(super) struct F32<I, E> {
    isa: I,
    stored: PhantomData<E>,
}

impl<I, E> F32<I, E> {
    pub(super) fn new(isa: I) -> Self {
        Self { isa, stored: PhantomData }
    }
}

/// An instruction set with an f32 micro-kernel.
pub(super) trait F32Tile: Isa {
    /// [`Kernel::FEW`] where nothing is widened.
    const FEW: usize = 0;
    /// Most candidates for which [`Kernel::takes_two`], where nothing is widened.
    const TWO_UP_TO: usize = 0;

    /// The kernel.
    ///
    /// # Safety
    /// As [`Kernel::tile`].
    unsafe fn tile(self, tile: &Tile<f32>);

    /// [`Kernel::two_tiles`].
    ///
    /// # Safety
    /// As [`Kernel::two_tiles`].
    #[inline(always)]
    unsafe fn two_tiles(self, tiles: [&Tile<f32>; 2]) {
        // SAFETY: the caller's promise.
        tiles.iter().for_each(|tile| unsafe { self.tile(tile) });
    }
}

impl<I: F32Tile, E: Element> Kernel for F32<I, E> {
    type Isa = I;
    type Stored = E;
    type Operand = f32;
    type Session = ();

    const PANELS: usize = 1;
    // 16 KiB of B, or two times that: with a panel's chunk of A, 8 KiB, as much as stays in L1.
    const CHUNK: usize = 128;
    const FEW: usize = if size_of::<E>() == size_of::<f32>() { I::FEW } else { 0 };
    const LAYOUT: &'static str = COLUMNS;

    fn isa(self) -> I {
        self.isa
    }

    fn session(self, _rows: usize) {}

    fn weight_index(k: usize, column: usize) -> usize {
        k * STRIP + column
    }

    #[inline(always)]
    unsafe fn tile(self, tile: &Tile<f32>) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.isa.tile(tile) }
    }

    #[inline(always)]
    fn takes_two(rows: usize) -> bool {
        rows <= I::TWO_UP_TO && size_of::<E>() == size_of::<f32>()
    }

    #[inline(always)]
    unsafe fn two_tiles(self, tiles: [&Tile<f32>; 2]) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.isa.two_tiles(tiles) }
    }
}
