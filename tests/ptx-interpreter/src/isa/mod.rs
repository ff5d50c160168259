//! The predecoded form of a kernel: every name resolved to an index, every modifier to an enum.
//!
//! Registers live in three banks: predicates, words (8, 16 and 32 bits; narrower values are zero-extended) and
//! doubles (64 bits). Immediates, variable addresses and special registers are read-only registers that a warp
//! fills once when it starts, so an operand is always an index.

mod alu;
mod memory;

pub(crate) use alu::*;
pub(crate) use memory::*;

use crate::fault::Site;

/// Index into the bank of 32-bit registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct W(pub(crate) u16);
/// Index into the bank of 64-bit registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct D(pub(crate) u16);
/// Index into the bank of predicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct P(pub(crate) u16);

/// A register of the word or the double bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reg {
    W(W),
    D(D),
}

/// A predicate operand, possibly negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pred {
    pub(crate) reg: P,
    pub(crate) negated: bool,
}

/// One instruction with its guard.
#[derive(Clone, Debug)]
pub(crate) struct Ins {
    pub(crate) guard: Option<Pred>,
    pub(crate) op: Op,
}

/// Index of an instruction.
pub(crate) type Pc = u32;

/// Value that a warp writes once, at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    Tid(u8),
    Ntid(u8),
    Ctaid(u8),
    Nctaid(u8),
    LaneId,
    WarpId,
    NumWarps,
    LaneMaskEq,
    LaneMaskLt,
    LaneMaskLe,
    LaneMaskGt,
    LaneMaskGe,
    /// Offset of the dynamic shared memory.
    DynamicShared,
    DynamicSharedBytes,
    TotalSharedBytes,
    /// Address of a module variable in global memory, 64 bits.
    GlobalVar(u16),
}

/// What a register holds before the first instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Preset {
    Word(W, u32),
    Double(D, u64),
    Predicate(P, bool),
    Special(Reg, Special),
}

/// One instruction.
#[derive(Clone, Debug)]
#[rustfmt::skip]
pub(crate) enum Op {
    MovW { d: W, a: W },
    MovD { d: D, a: D },
    /// Two, four or eight parts to one register or back.
    Pack(Box<Pack>),
    Pred { op: PredOp, d: P, a: Pred, b: Pred },
    Un { op: UnOp, d: W, a: W },
    Bin { op: BinOp, d: W, a: W, b: W },
    Tri { op: TriOp, d: W, a: W, b: W, c: W },
    Un64 { op: Un64, d: D, a: D },
    Bin64 { op: Bin64, d: D, a: D, b: D },
    Tri64 { op: Tri64, d: D, a: D, b: D, c: D },
    Shift64 { op: Shift64, d: D, a: D, b: W },
    /// Count of 64-bit value into a word: `popc`, `clz`, `bfind`.
    Count64 { op: UnOp, d: W, a: D },
    MulWide { signed: bool, d: D, a: W, b: W },
    MadWide { signed: bool, d: D, a: W, b: W, c: D },
    Field { op: FieldOp, d: Reg, a: Reg, b: Option<Reg>, pos: W, len: W },
    Carry { op: CarryOp, d: W, a: W, b: W },
    Fp32 { op: FpOp, mode: FpMode, d: W, a: W, b: W, c: W },
    /// Rounds to nearest.
    Fp64 { op: FpOp, d: D, a: D, b: D, c: D },
    /// `f16`, `bf16` and their packed pairs.
    Half { op: FpOp, mode: FpMode, format: Half, packed: bool, d: W, a: W, b: W, c: W },
    Setp(Box<Setp>),
    /// `set`: all ones or 1.0 instead of a predicate.
    Set { cmp: Cmp, ty: CmpTy, ftz: bool, float: bool, d: W, a: Reg, b: Reg },
    TestP { kind: TestKind, ty: CmpTy, d: P, a: Reg },
    SelW { d: W, a: W, b: W, p: Pred },
    SelD { d: D, a: D, b: D, p: Pred },
    Cvt { spec: Cvt, d: Reg, a: Reg, b: Option<W> },
    /// Zero- or sign-extension and truncation, the conversions of address arithmetic.
    Extend { kind: Extend, d: Reg, a: Reg },
    CvtaFrom { space: crate::fault::Space, d: D, a: D },
    CvtaTo { space: crate::fault::Space, d: Reg, a: D },
    IsSpace { space: crate::fault::Space, d: P, a: D },
    Ld(Box<Mem>),
    St(Box<Mem>),
    Atom(Box<Atom>),
    /// Every fence acquires and releases.
    Fence { scope: Scope },
    CpAsync(Box<CpAsync>),
    CpCommit,
    /// Waits until at most `keep` groups are pending; `all` commits what is open first.
    CpWait { keep: u32, all: bool },
    LdMatrix(Box<Matrix>),
    StMatrix(Box<Matrix>),
    MovMatrix { d: W, a: W },
    Mma(Box<Mma>),
    Bra { target: Pc },
    BrxIdx { index: W, targets: Box<[Pc]> },
    Exit,
    Trap,
    Nop,
    Clock { d: Reg },
    Bar(Box<Bar>),
    WarpSync { mask: W },
    Shfl(Box<Shfl>),
    Vote { op: VoteOp, d: Reg, pd: Option<P>, p: Pred, mask: W },
    Match { all: bool, d: W, pd: Option<P>, a: Reg, mask: W },
    Redux { op: ReduxOp, d: W, a: W, mask: W },
    ActiveMask { d: W },
    Elect { d: W, p: P, mask: W },
}

/// A kernel ready to run.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) code: Vec<Ins>,
    /// One place per instruction.
    pub(crate) sites: Vec<Site>,
    pub(crate) words: usize,
    pub(crate) doubles: usize,
    pub(crate) preds: usize,
    pub(crate) presets: Vec<Preset>,
    pub(crate) params: Vec<ParamSlot>,
    pub(crate) param_bytes: usize,
    pub(crate) static_shared: usize,
    pub(crate) dynamic_align: usize,
    pub(crate) local_bytes: usize,
    pub(crate) max_threads: Option<[u32; 3]>,
    /// Bytes of the module's constant variables.
    pub(crate) constants: Vec<u8>,
    /// Initial bytes of the module's global variables, with names; `None` where there is no initialiser.
    pub(crate) globals: Vec<GlobalVar>,
}

/// A module variable in global memory.
#[derive(Clone, Debug)]
pub(crate) struct GlobalVar {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Where one parameter lies in the parameter space.
#[derive(Clone, Debug)]
pub(crate) struct ParamSlot {
    pub(crate) offset: usize,
    pub(crate) bytes: usize,
    pub(crate) align: usize,
}
