//! What can run here: the listing behind `maskrank devices`.

use super::Backend;

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
