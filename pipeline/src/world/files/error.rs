//! Why files do not make a world.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::stores::StoreError;
use crate::stores::RowProblem;

/// Why files do not make a world, with the place that is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The system refused something.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file is not of its format: damaged, cut off, not UTF-8, no JSON.
    #[error("{file}{}: {problem}", row.map(|row| format!(" row {row}")).unwrap_or_default())]
    Format {
        /// The file's name.
        file: String,
        /// The row, counted from 1, when it is known; for JSON lines the line.
        row: Option<u64>,
        /// What is wrong.
        problem: String,
    },
    /// A file's columns are not the table's.
    #[error("{file}: column \"{field}\": {problem}")]
    Column {
        /// The file's name.
        file: String,
        /// The column.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// A row is not acceptable.
    #[error("{file} row {row}: {problem}")]
    Row {
        /// The file's name.
        file: String,
        /// The row, counted from 1; for JSON lines the line.
        row: u64,
        /// Which field, and what is wrong.
        problem: RowProblem,
    },
    /// Files of a table are missing or there are two.
    #[error("{}: {problem}", folder.display())]
    Folder {
        /// Where.
        folder: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The stores did not open over the files.
    #[error(transparent)]
    Stores(#[from] StoreError),
}

impl ImportError {
    /// Names the operation and path of a system's error.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }

    /// A file that is not of its format.
    pub(super) fn format(file: &str, row: Option<u64>, problem: impl ToString) -> Self {
        Self::Format { file: file.to_owned(), row, problem: problem.to_string() }
    }

    /// A column that does not fit.
    pub(super) fn column(file: &str, field: &str, problem: impl ToString) -> Self {
        Self::Column { file: file.to_owned(), field: field.to_owned(), problem: problem.to_string() }
    }
}
