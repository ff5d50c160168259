//! What can be wrong with a model or a batch. Wrong lengths *inside* the crate are assertions, not errors.

use std::fmt;

/// Why a forward pass could not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The architecture makes no sense: no tasks, an empty net, an aggregation of width 0, …
    Spec(String),
    /// A tensor that the architecture needs is not there.
    MissingTensor {
        /// Name of the tensor, without the `model.` prefix.
        name: String,
        /// Expected shape with dimension names, such as `[output_size 3, input_dim 2]`.
        expected: String,
    },
    /// A tensor holds another number of values than its shape needs.
    TensorLength {
        /// Name of the tensor, without the `model.` prefix.
        name: String,
        /// Expected shape with dimension names.
        expected: String,
        /// Number of values found.
        found: usize,
    },
    /// An input holds another number of values than rows times width.
    InputLength {
        /// Name of the input, such as `continuous`.
        name: &'static str,
        /// Candidates in the batch.
        rows: usize,
        /// Values of this input for each candidate.
        width: usize,
        /// Number of values found.
        found: usize,
    },
    /// There is not one score weight for every task.
    ScoreWeights {
        /// Number of tasks.
        tasks: usize,
        /// Number of score weights found.
        found: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(message) => write!(out, "spec: {message}"),
            Self::MissingTensor { name, expected } => {
                write!(out, "tensor \"{name}\" is missing, expected {expected}")
            }
            Self::TensorLength { name, expected, found } => {
                write!(out, "tensor \"{name}\" has {found} values, expected {expected}")
            }
            Self::InputLength { name, rows, width, found } => {
                write!(out, "input \"{name}\" has {found} values, expected [rows {rows}, width {width}]")
            }
            Self::ScoreWeights { tasks, found } => write!(out, "{found} score weights for {tasks} tasks"),
        }
    }
}

impl std::error::Error for Error {}
