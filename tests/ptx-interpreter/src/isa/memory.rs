//! Memory, synchronisation and warp-wide operations.

use super::{P, Pred, Reg, W};
use crate::fault::Space;

/// `base + offset`; a word base is a 32-bit address in its space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addr {
    pub(crate) base: Reg,
    pub(crate) offset: i64,
}

/// Ordering of a memory operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sem {
    Weak,
    Relaxed,
    Acquire,
    Release,
    AcqRel,
    SeqCst,
}

impl Sem {
    pub(crate) fn releases(self) -> bool {
        matches!(self, Self::Release | Self::AcqRel | Self::SeqCst)
    }
}

/// Set of threads that an ordering reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Cta,
    Cluster,
    Gpu,
    Sys,
}

/// A load or store of `n` elements of `elem` bytes.
#[derive(Clone, Debug)]
pub(crate) struct Mem {
    pub(crate) space: Space,
    pub(crate) elem: u8,
    pub(crate) signed: bool,
    pub(crate) sem: Sem,
    pub(crate) scope: Scope,
    pub(crate) addr: Addr,
    /// Destinations of a load, sources of a store.
    pub(crate) regs: Box<[Reg]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum AtomOp {
    AddInt, AddF32, AddF64, AddF16, AddBf16, AddF16x2, AddBf16x2, MinU, MinS, MaxU, MaxS, And, Or, Xor, Exch, Cas,
    Inc, Dec,
}

/// `atom` and, without a destination, `red`.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    pub(crate) op: AtomOp,
    pub(crate) space: Space,
    /// Bytes of each element.
    pub(crate) size: u8,
    pub(crate) sem: Sem,
    pub(crate) scope: Scope,
    pub(crate) addr: Addr,
    /// One destination per element; empty for `red`.
    pub(crate) dst: Box<[Reg]>,
    pub(crate) src: Box<[Reg]>,
    /// New value of `cas`.
    pub(crate) swap: Option<Reg>,
}

#[derive(Clone, Debug)]
pub(crate) struct CpAsync {
    pub(crate) dst: Addr,
    pub(crate) src: Addr,
    pub(crate) bytes: u8,
    /// Bytes really read; the rest of the target is zero.
    pub(crate) src_bytes: Option<W>,
    /// Predicate that, when true, zeroes the whole target.
    pub(crate) ignore: Option<Pred>,
}

#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    pub(crate) addr: Addr,
    pub(crate) transposed: bool,
    pub(crate) regs: Box<[W]>,
}

/// Element type of the multiplied matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MmaTy {
    F16,
    Bf16,
    Tf32,
}

/// Element type of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccTy {
    F32,
    F16,
}

#[derive(Clone, Debug)]
pub(crate) struct Mma {
    pub(crate) ty: MmaTy,
    pub(crate) acc: AccTy,
    pub(crate) k: u8,
    pub(crate) d: [W; 4],
    pub(crate) a: [W; 4],
    pub(crate) b: [W; 2],
    pub(crate) c: [W; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarKind {
    Sync,
    Arrive,
    /// Reduction of a predicate over the threads of the barrier.
    And,
    Or,
    Popc,
}

#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) kind: BarKind,
    pub(crate) id: W,
    /// Threads expected; all threads of the block if absent.
    pub(crate) count: Option<W>,
    /// All lanes of a warp must arrive together.
    pub(crate) aligned: bool,
    pub(crate) src: Option<Pred>,
    pub(crate) dst_pred: Option<P>,
    pub(crate) dst_word: Option<W>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShflMode {
    Up,
    Down,
    Bfly,
    Idx,
}

#[derive(Clone, Debug)]
pub(crate) struct Shfl {
    pub(crate) mode: ShflMode,
    pub(crate) d: W,
    pub(crate) p: Option<P>,
    pub(crate) a: W,
    pub(crate) b: W,
    pub(crate) c: W,
    pub(crate) mask: W,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoteOp {
    All,
    Any,
    Uni,
    Ballot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReduxOp {
    Add,
    MinU,
    MinS,
    MaxU,
    MaxS,
    And,
    Or,
    Xor,
}

/// `mov` between one register and the vector of its parts.
#[derive(Clone, Debug)]
pub(crate) struct Pack {
    pub(crate) whole: Reg,
    pub(crate) parts: Box<[Reg]>,
    /// From parts to the whole, or back.
    pub(crate) join: bool,
    /// Bits of one part.
    pub(crate) bits: u8,
}
