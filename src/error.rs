//! One error type for the whole crate.
//!
//! A message names the operation, the operand by its own name, what was expected and what was found. No driver
//! type leaks out: a driver's own words are carried as text.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Backend;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by kind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read, mapped or written.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase: `open`, `read`, `map`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// A configuration, schema or score-weights file does not say what this crate can use.
    #[error("{}: {field}: {problem}", file.display())]
    Config {
        /// The file that was read, or a name for text that came from memory.
        file: PathBuf,
        /// The field, as a path from the document's root: `model.backbone.mask_net_config.mask_blocks[2]`.
        field: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A weights file is damaged, or does not fit its configuration.
    #[error("{}: tensor \"{tensor}\": {problem}", file.display())]
    Weights {
        /// The weights file.
        file: PathBuf,
        /// The tensor's name as in the file, or `header` for the file's own header.
        tensor: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A packed model is damaged, of another version, or was packed for something else than was asked.
    #[error("{}: packed model: {problem}", file.display())]
    Packed {
        /// The packed file.
        file: PathBuf,
        /// What was expected, what was found, and what to do.
        problem: String,
    },
    /// A record is broken, or lacks something.
    #[error("{}: record {index} at byte {offset}: {problem}", file.display())]
    Record {
        /// The file of records.
        file: PathBuf,
        /// Position of the record in the file, from 0.
        index: u64,
        /// Byte of the (uncompressed) stream where the record starts.
        offset: u64,
        /// What was expected and what was found.
        problem: String,
    },
    /// A batch does not fit the scorer.
    #[error("batch: request {request}: {operand}: expected {expected}, found {found}")]
    Batch {
        /// Index of the request in the batch.
        request: usize,
        /// The operand's own name: `continuous (candidates, 2117)`.
        operand: String,
        /// What the scorer was built for.
        expected: String,
        /// What the caller gave.
        found: String,
    },
    /// A batch has more candidates than the scorer was built for.
    #[error(
        "batch: {found} candidates, the scorer was built for at most {max}: split the batch or raise `max_candidates`"
    )]
    TooManyCandidates {
        /// The scorer's maximum.
        max: usize,
        /// Candidates in the batch.
        found: usize,
    },
    /// All of the scorer's `max_in_flight` places are taken.
    #[error("scorer busy: all {max_in_flight} places are taken")]
    Busy {
        /// How many callers the scorer serves at once.
        max_in_flight: usize,
    },
    /// A batching scorer's queue is full.
    #[error("queue full: {capacity} jobs are waiting")]
    QueueFull {
        /// How many jobs may wait.
        capacity: usize,
    },
    /// A job's deadline passed before it was scored.
    #[error("deadline passed after {waited:?} in the queue")]
    Expired {
        /// How long it waited.
        waited: Duration,
    },
    /// A batching scorer was shut down.
    #[error("the batching scorer was stopped before the job was scored")]
    Stopped,
    /// A backend cannot be used here.
    #[error("backend {backend} is not available: {reason}")]
    BackendUnavailable {
        /// The backend that was asked for.
        backend: Backend,
        /// What was found, and what is needed.
        reason: String,
    },
    /// A backend does not offer what was asked of it.
    #[error("backend {backend} does not support {what}")]
    Unsupported {
        /// The backend.
        backend: Backend,
        /// What was asked, and what is offered instead.
        what: String,
    },
    /// A device failed while it was in use.
    #[error("backend {backend}: {operation}: {problem}")]
    Device {
        /// The backend.
        backend: Backend,
        /// The operation that failed.
        operation: String,
        /// The driver's own words.
        problem: String,
    },
    /// A backend computed something else than the CPU does, so it is not used.
    #[error("backend {backend} failed its self-test on {device}: {problem}")]
    SelfTest {
        /// The backend.
        backend: Backend,
        /// Device and driver.
        device: String,
        /// The case, the value expected and the value found.
        problem: String,
    },
    /// An argument has no meaning here.
    #[error("{argument}: expected {expected}, found {found}")]
    Argument {
        /// The argument's name.
        argument: &'static str,
        /// What is accepted.
        expected: String,
        /// What was given.
        found: String,
    },
}

impl Error {
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), source }
    }

    pub(crate) fn config(file: &Path, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config { file: file.to_owned(), field: field.into(), problem: problem.into() }
    }

    pub(crate) fn weights(file: &Path, tensor: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Weights { file: file.to_owned(), tensor: tensor.into(), problem: problem.into() }
    }

    /// Whether the caller may try the same call again later.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::QueueFull { .. })
    }

    /// The same error for one more of those whom it concerns.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::Io { operation, path, source } => Self::Io {
                operation,
                path: path.clone(),
                source: io::Error::new(source.kind(), source.to_string()),
            },
            Self::Config { file, field, problem } => {
                Self::Config { file: file.clone(), field: field.clone(), problem: problem.clone() }
            }
            Self::Weights { file, tensor, problem } => {
                Self::Weights { file: file.clone(), tensor: tensor.clone(), problem: problem.clone() }
            }
            Self::Packed { file, problem } => Self::Packed { file: file.clone(), problem: problem.clone() },
            Self::Record { file, index, offset, problem } => {
                Self::Record { file: file.clone(), index: *index, offset: *offset, problem: problem.clone() }
            }
            Self::Batch { request, operand, expected, found } => Self::Batch {
                request: *request,
                operand: operand.clone(),
                expected: expected.clone(),
                found: found.clone(),
            },
            Self::TooManyCandidates { max, found } => Self::TooManyCandidates { max: *max, found: *found },
            Self::Busy { max_in_flight } => Self::Busy { max_in_flight: *max_in_flight },
            Self::QueueFull { capacity } => Self::QueueFull { capacity: *capacity },
            Self::Expired { waited } => Self::Expired { waited: *waited },
            Self::Stopped => Self::Stopped,
            Self::BackendUnavailable { backend, reason } => {
                Self::BackendUnavailable { backend: *backend, reason: reason.clone() }
            }
            Self::Unsupported { backend, what } => {
                Self::Unsupported { backend: *backend, what: what.clone() }
            }
            Self::Device { backend, operation, problem } => {
                Self::Device { backend: *backend, operation: operation.clone(), problem: problem.clone() }
            }
            Self::SelfTest { backend, device, problem } => {
                Self::SelfTest { backend: *backend, device: device.clone(), problem: problem.clone() }
            }
            Self::Argument { argument, expected, found } => {
                Self::Argument { argument, expected: expected.clone(), found: found.clone() }
            }
        }
    }

    /// Whether a backend is missing or failing, rather than the caller's data being wrong.
    #[must_use]
    pub fn is_backend(&self) -> bool {
        matches!(self, Self::BackendUnavailable { .. } | Self::Device { .. } | Self::SelfTest { .. })
    }
}
