//! What can run here: the listing behind `maskrank devices`.

use super::Backend;
use crate::Error;

/// One backend and its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// The backend.
    pub backend: Backend,
    /// Its devices; empty when it cannot run.
    pub present: Vec<Entry>,
    /// Why it cannot run.
    pub absent: Option<String>,
}

/// One device, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it supports, as names and values, in the order to print them.
    pub details: Vec<(&'static str, String)>,
}

impl Listing {
    /// A backend that cannot run.
    #[allow(dead_code, reason = "which backends need it depends on the features")]
    pub(crate) fn absent(error: &Error, backend: Backend) -> Self {
        let reason = match error {
            Error::BackendUnavailable { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        Self { backend, present: Vec::new(), absent: Some(reason) }
    }
}
