//! PTX text to a syntax tree. Nothing here knows what an instruction means.

mod body;
mod lexer;
mod parser;

pub(crate) use parser::parse;

/// Scalar type of a PTX register, variable or operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[rustfmt::skip]
pub(crate) enum Ty {
    Pred, B8, U8, S8, B16, U16, S16, F16, Bf16, B32, U32, S32, F32, F16x2, Bf16x2, Tf32, B64, U64, S64, F64, B128,
    E4m3x2, E5m2x2,
}

impl Ty {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        #[rustfmt::skip]
        let ty = match name {
            "pred" => Self::Pred, "b8" => Self::B8, "u8" => Self::U8, "s8" => Self::S8, "b16" => Self::B16,
            "u16" => Self::U16, "s16" => Self::S16, "f16" => Self::F16, "bf16" => Self::Bf16, "b32" => Self::B32,
            "u32" => Self::U32, "s32" => Self::S32, "f32" => Self::F32, "f16x2" => Self::F16x2,
            "bf16x2" => Self::Bf16x2, "tf32" => Self::Tf32, "b64" => Self::B64, "u64" => Self::U64, "s64" => Self::S64,
            "f64" => Self::F64, "b128" => Self::B128, "e4m3x2" => Self::E4m3x2, "e5m2x2" => Self::E5m2x2,
            _ => return None,
        };
        Some(ty)
    }

    /// Bits of a value, 1 for a predicate.
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::Pred => 1,
            Self::B8 | Self::U8 | Self::S8 => 8,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::Bf16 | Self::E4m3x2 | Self::E5m2x2 => 16,
            Self::B32 | Self::U32 | Self::S32 | Self::F32 | Self::F16x2 | Self::Bf16x2 | Self::Tf32 => 32,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 64,
            Self::B128 => 128,
        }
    }

    pub(crate) fn signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    /// Bit strings and integers, signed or not.
    pub(crate) fn integer(self) -> bool {
        use Ty::{B8, B16, B32, B64, S8, S16, S32, S64, U8, U16, U32, U64};
        matches!(self, B8 | U8 | S8 | B16 | U16 | S16 | B32 | U32 | S32 | B64 | U64 | S64)
    }
}

/// One PTX module.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) version: String,
    pub(crate) target: String,
    pub(crate) files: Vec<(u32, String)>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) functions: Vec<Function>,
}

/// An `.entry` or `.func` with its body.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) entry: bool,
    pub(crate) returns: Vec<Variable>,
    pub(crate) params: Vec<Variable>,
    /// `.maxntid` or `.reqntid`, where given.
    pub(crate) max_threads: Option<[u32; 3]>,
    pub(crate) body: Option<Vec<Item>>,
}

/// Space in which a variable is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VarSpace {
    Global,
    Shared,
    Local,
    Const,
    Param,
    Reg,
}

#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) space: VarSpace,
    pub(crate) name: String,
    pub(crate) align: u32,
    /// Bytes; 0 with `unsized_array` for `extern .shared x[]`.
    pub(crate) bytes: u32,
    pub(crate) unsized_array: bool,
    pub(crate) init: Option<Vec<u8>>,
    pub(crate) line: u32,
}

/// Position in the CUDA source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loc {
    pub(crate) file: u32,
    pub(crate) line: u32,
}

#[derive(Debug)]
pub(crate) enum Item {
    /// `.reg .b32 %r<20>` has a count, `.reg .pred p` has none.
    Reg {
        ty: Ty,
        name: String,
        count: Option<u32>,
    },
    Var(Variable),
    Label(String),
    Targets {
        label: String,
        targets: Vec<String>,
    },
    Ins(Statement),
    Scope(Vec<Item>),
}

#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) line: u32,
    pub(crate) loc: Option<Loc>,
    /// Predicate name and whether it is negated.
    pub(crate) guard: Option<(String, bool)>,
    pub(crate) op: String,
    pub(crate) args: Vec<Arg>,
    /// The statement as written, for reports.
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arg {
    Name(String),
    /// A name plus a constant, as in the address of an array element.
    Offset(String, i64),
    Int(i64),
    F32(u32),
    F64(u64),
    Vec(Vec<Arg>),
    /// `[base + offset, extra...]`
    Mem {
        base: Box<Arg>,
        offset: i64,
        extra: Vec<Arg>,
    },
    /// `a|b`
    Pair(Box<Arg>, Box<Arg>),
    Not(Box<Arg>),
    /// `(a, b)` of a call.
    List(Vec<Arg>),
}
