//! Faults: what a kernel did wrong, and exactly where.
//!
//! A fault names the kernel, the block and thread, the instruction with its PTX line, and the source line where
//! the module carries line information. Hazards between two threads name both sides.

use std::fmt;

/// Place of one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The instruction as the PTX text spells it.
    pub instruction: String,
    /// Line of the PTX text, from 1.
    pub ptx_line: u32,
    /// Source file and line, where the module was compiled with line information.
    pub source: Option<(String, u32)>,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.source {
            write!(f, "{file}:{line}, ")?;
        }
        write!(f, "ptx line {}: `{}`", self.ptx_line, self.instruction)
    }
}

/// State space of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Space {
    /// Device memory.
    Global,
    /// Memory of one block.
    Shared,
    /// Memory of one thread.
    Local,
    /// Constant variables of the module.
    Const,
    /// Kernel parameters.
    Param,
    /// Resolved at run time.
    Generic,
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "global",
            Self::Shared => "shared",
            Self::Local => "local",
            Self::Const => "constant",
            Self::Param => "parameter",
            Self::Generic => "generic",
        })
    }
}

/// Which way two accesses to one word collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hazard {
    /// Read of what another thread wrote without synchronisation.
    ReadAfterWrite,
    /// Write over what another thread read without synchronisation.
    WriteAfterRead,
    /// Two writes without synchronisation.
    WriteAfterWrite,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Two threads used one word, one of them wrote, and nothing orders the two.
    Race {
        /// Space of the word.
        space: Space,
        /// Byte address in its space (for global memory: byte offset in the buffer).
        address: u64,
        /// Direction of the collision.
        hazard: Hazard,
        /// Linear block index and linear thread index of the earlier access.
        other: (u32, u32),
        /// Instruction of the earlier access.
        other_site: Box<Site>,
    },
    /// Read of memory that nobody wrote.
    PoisonRead {
        /// Space of the word.
        space: Space,
        /// Byte address in its space.
        address: u64,
    },
    /// Use of the target of an asynchronous copy before its wait.
    AsyncPending {
        /// Shared byte address.
        address: u64,
        /// The instruction that started the copy.
        issued: Box<Site>,
    },
    /// Access outside every buffer or past the end of one.
    OutOfBounds {
        /// Space of the access.
        space: Space,
        /// Address as the thread computed it.
        address: u64,
        /// Bytes of the access.
        bytes: u32,
        /// Name and length in bytes of the buffer that it points into, if any.
        buffer: Option<(String, usize)>,
    },
    /// Address not a multiple of what the access needs.
    Misaligned {
        /// Space of the access.
        space: Space,
        /// Address as the thread computed it.
        address: u64,
        /// Required alignment in bytes.
        required: u32,
    },
    /// Write to a buffer that was given as an input.
    ReadOnlyWrite {
        /// Name of the buffer.
        buffer: String,
        /// Byte offset.
        offset: u64,
    },
    /// An address, guard, stored value or matrix fragment depends on a register that was never written.
    UninitializedRegister {
        /// What needed the value.
        role: &'static str,
    },
    /// A block barrier that not every thread reached.
    Barrier {
        /// Who is missing.
        detail: String,
    },
    /// A warp-wide instruction without all the lanes that it names.
    WarpDivergence {
        /// Lanes required and lanes present.
        detail: String,
    },
    /// Nothing can run any more, or the step limit was reached.
    Stuck {
        /// What the threads wait for.
        detail: String,
    },
    /// The kernel executed `trap`.
    Trap,
    /// An operation whose result PTX leaves undefined.
    Undefined {
        /// Which one.
        detail: String,
    },
}

/// One fault of one kernel run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Entry name.
    pub kernel: String,
    /// `%ctaid`.
    pub block: [u32; 3],
    /// `%tid`.
    pub thread: [u32; 3],
    /// Where it happened.
    pub site: Site,
    /// What happened.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([bx, by, bz], [tx, ty, tz]) = (self.block, self.thread);
        write!(
            f,
            "kernel `{}`, block ({bx}, {by}, {bz}), thread ({tx}, {ty}, {tz}), {}: ",
            self.kernel, self.site
        )?;
        write!(f, "{}", self.kind)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Race { space, address, hazard, other: (b, t), other_site } => {
                let how = match hazard {
                    Hazard::ReadAfterWrite => "reads what",
                    Hazard::WriteAfterRead => "overwrites what",
                    Hazard::WriteAfterWrite => "overwrites what",
                };
                let did = if *hazard == Hazard::WriteAfterRead { "read" } else { "wrote" };
                write!(
                    f,
                    "race: {how} block {b} thread {t} {did} at {space} byte {address:#x}, nothing orders them; "
                )?;
                write!(f, "the other access: {other_site}")
            }
            Self::PoisonRead { space, address } => {
                write!(f, "read of unwritten {space} memory at byte {address:#x}")
            }
            Self::AsyncPending { address, issued } => {
                write!(
                    f,
                    "shared byte {address:#x} is the target of a copy that was not waited for; issued at {issued}"
                )
            }
            Self::OutOfBounds { space, address, bytes, buffer } => {
                write!(f, "{space} access of {bytes} bytes at {address:#x} is out of bounds")?;
                match buffer {
                    Some((name, len)) => write!(f, " of `{name}` with {len} bytes"),
                    None => Ok(()),
                }
            }
            Self::Misaligned { space, address, required } => {
                write!(f, "{space} address {address:#x} is not a multiple of {required}")
            }
            Self::ReadOnlyWrite { buffer, offset } => write!(f, "write to input `{buffer}` at byte {offset}"),
            Self::UninitializedRegister { role } => {
                write!(f, "{role} depends on a register that was never written")
            }
            Self::Barrier { detail } => write!(f, "barrier: {detail}"),
            Self::WarpDivergence { detail } => write!(f, "warp-wide instruction in divergent code: {detail}"),
            Self::Stuck { detail } => write!(f, "no progress: {detail}"),
            Self::Trap => write!(f, "trap"),
            Self::Undefined { detail } => write!(f, "undefined result: {detail}"),
        }
    }
}

impl std::error::Error for Fault {}
