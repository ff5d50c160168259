//! What can go wrong before a kernel runs, and the wrapper for what goes wrong while it runs.

use crate::fault::Fault;

/// Result of every fallible operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not PTX as this crate reads it.
    #[error("ptx line {line}: {what}")]
    Syntax {
        /// Line of the PTX text, from 1.
        line: u32,
        /// What was found and what was expected.
        what: String,
    },
    /// An opcode, modifier or operand form that the machine does not implement.
    #[error("ptx line {line}: `{instruction}`: {why}")]
    Unsupported {
        /// Line of the PTX text, from 1.
        line: u32,
        /// The opcode with all its modifiers.
        instruction: String,
        /// Which part is not understood.
        why: String,
    },
    /// A launch whose arguments or sizes do not fit the entry.
    #[error("launch of `{entry}`: {what}")]
    Launch {
        /// Name of the entry.
        entry: String,
        /// Expected and found.
        what: String,
    },
    /// The manifest or an artifact that it names cannot be used.
    #[error("manifest: {0}")]
    Manifest(String),
    /// The kernel did something that a correct kernel never does.
    #[error("{0}")]
    Fault(Box<Fault>),
    /// A canary beside an output was overwritten.
    #[error("buffer `{buffer}`: canary at byte {offset} was overwritten")]
    Canary {
        /// Name given to the buffer.
        buffer: String,
        /// First byte that changed.
        offset: usize,
    },
}

impl Error {
    /// The fault, where the error is one.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(f) => Some(f),
            _ => None,
        }
    }

    pub(crate) fn syntax(line: u32, what: impl Into<String>) -> Self {
        Self::Syntax { line, what: what.into() }
    }
}

impl From<Fault> for Error {
    fn from(f: Fault) -> Self {
        Self::Fault(Box::new(f))
    }
}
