//! What is wrong with a row that is to be loaded.

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// It names something that is not there.
    #[error("there is no {what} {id}")]
    MissingReference {
        /// What it should name.
        what: &'static str,
        /// The name.
        id: u64,
    },
    /// Another row has the same key.
    #[error("{key} is there already")]
    Duplicate {
        /// The key, in words.
        key: String,
    },
    /// It breaks a rule of its own.
    #[error("expected {expected}, found {found}")]
    Invalid {
        /// The rule.
        expected: &'static str,
        /// The value.
        found: String,
    },
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("field \"{field}\": {flaw}")]
pub struct RowProblem {
    /// In which field.
    pub field: &'static str,
    /// What.
    pub flaw: Flaw,
}

impl RowProblem {
    /// A problem with one field.
    pub fn new(field: &'static str, flaw: Flaw) -> Self {
        Self { field, flaw }
    }

    /// The field names something that is not there.
    pub(crate) fn missing(field: &'static str, what: &'static str, id: u64) -> Self {
        Self::new(field, Flaw::MissingReference { what, id })
    }

    pub(crate) fn duplicate(field: &'static str, key: impl Into<String>) -> Self {
        Self::new(field, Flaw::Duplicate { key: key.into() })
    }

    /// The field breaks a rule.
    pub fn invalid(field: &'static str, expected: &'static str, found: impl ToString) -> Self {
        Self::new(field, Flaw::Invalid { expected, found: found.to_string() })
    }
}
