//! Arithmetic operations, named apart from the syntax that selects them.

use super::{P, Pred, Reg};
use crate::float::Round;

/// One word in, one word out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnOp {
    Not,
    Neg,
    Abs,
    Not16,
    Neg16,
    Abs16,
    Popc,
    Clz,
    Brev,
    BfindU,
    BfindS,
    BfindShiftU,
    BfindShiftS,
    Cnot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum BinOp {
    Add, Sub, Add16, Sub16, MulLo, MulLo16, MulHiU, MulHiS, MulHiU16, MulHiS16, MulWideU16, MulWideS16, Mul24Lo,
    AddSatS, SubSatS, DivU, DivS, RemU, RemS, DivU16, DivS16, RemU16, RemS16,
    MinU, MinS, MaxU, MaxS, MinU16, MinS16, MaxU16, MaxS16,
    And, Or, Xor, Shl, Shl16, ShrU, ShrS, ShrU16, ShrS16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TriOp {
    MadLo,
    MadLo16,
    MadHiU,
    MadHiS,
    MadWideU16,
    MadWideS16,
    Lop3(u8),
    /// Funnel shifts: clamp or wrap, left or right.
    ShfL {
        wrap: bool,
    },
    ShfR {
        wrap: bool,
    },
    Prmt(Prmt),
    BfeU,
    BfeS,
    SadU,
    SadS,
    Dp4a {
        a_signed: bool,
        b_signed: bool,
    },
    /// `slct` with an integer or float selector in `c`.
    SlctS32,
    SlctF32,
}

/// Byte selection of `prmt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prmt {
    Index,
    F4e,
    B4e,
    Rc8,
    Ecl,
    Ecr,
    Rc16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Un64 {
    Not,
    Neg,
    Abs,
    Brev,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Bin64 {
    Add, Sub, MulLo, MulHiU, MulHiS, DivU, DivS, RemU, RemS, MinU, MinS, MaxU, MaxS, And, Or, Xor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tri64 {
    MadLo,
    MadHiU,
    MadHiS,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift64 {
    Shl,
    ShrU,
    ShrS,
}

/// Bit fields: extract (no `b`) or insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldOp {
    ExtractU,
    ExtractS,
    Insert,
}

/// Extended-precision add and subtract with the carry flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CarryOp {
    pub(crate) subtract: bool,
    /// Reads the flag (`addc`, `subc`).
    pub(crate) carry_in: bool,
    /// Writes the flag (`.cc`).
    pub(crate) carry_out: bool,
}

/// Floating-point operations with up to three operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum FpOp {
    Add, Sub, Mul, Fma, FmaRelu, Div, Min, Max, MinNan, MaxNan, Neg, Abs,
    Copysign, Rcp, Sqrt, Rsqrt, Ex2, Lg2, Sin, Cos, Tanh,
}

/// Rounding, flushing of subnormals and saturation to [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FpMode {
    pub(crate) round: Round,
    pub(crate) ftz: bool,
    pub(crate) sat: bool,
}

impl FpMode {
    /// Round to nearest even, no flush, no saturation.
    pub(crate) const PLAIN: Self = Self { round: Round::Nearest, ftz: false, sat: false };
}

/// The two 16-bit floating-point formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    F16,
    Bf16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Cmp {
    Eq, Ne, Lt, Le, Gt, Ge,
    /// Unordered forms are true when an operand is NaN.
    Equ, Neu, Ltu, Leu, Gtu, Geu,
    Num, Nan,
}

/// How `setp` reads its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CmpTy {
    U16,
    S16,
    U32,
    S32,
    U64,
    S64,
    F32,
    F64,
    Half(Half),
    /// Both halves compared, one predicate each.
    Packed(Half),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PredOp {
    Mov,
    Not,
    And,
    Or,
    Xor,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setp {
    pub(crate) cmp: Cmp,
    pub(crate) ty: CmpTy,
    pub(crate) ftz: bool,
    pub(crate) d: P,
    /// Second destination: the complement, or the high half of a packed comparison.
    pub(crate) q: Option<P>,
    pub(crate) a: Reg,
    pub(crate) b: Reg,
    pub(crate) combine: Option<(PredOp, Pred)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestKind {
    Finite,
    Infinite,
    Number,
    NotANumber,
    Normal,
    Subnormal,
}

/// Integer resizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extend {
    /// Keep the low `bits`, zero above.
    Zero(u8),
    /// Sign-extend from `from` bits, keep `to` bits.
    Sign { from: u8, to: u8 },
}

/// Number format of one side of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumTy {
    Int { bits: u8, signed: bool },
    F16,
    Bf16,
    Tf32,
    F32,
    F64,
    F16x2,
    Bf16x2,
    E4m3x2,
    E5m2x2,
}

/// Rounding of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CvtRound {
    /// To the precision of the target format.
    Format(Round),
    /// To an integral value (`.rni` and the others).
    Integer(Round),
}

/// A conversion between number formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cvt {
    pub(crate) from: NumTy,
    pub(crate) to: NumTy,
    pub(crate) round: CvtRound,
    pub(crate) ftz: bool,
    pub(crate) sat: bool,
    pub(crate) satfinite: bool,
    pub(crate) relu: bool,
}
