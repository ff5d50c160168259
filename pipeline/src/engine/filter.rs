//! Removing candidates.

use super::{Component, StageKind};

/// What a filter says of one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes, by this rule of the filter.
    Remove(&'static str),
}

impl Verdict {
    /// Removes by `rule` when `broken`.
    pub fn remove_if(broken: bool, rule: &'static str) -> Self {
        if broken { Self::Remove(rule) } else { Self::Keep }
    }

    /// The rule by which it goes.
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Keep => None,
            Self::Remove(rule) => Some(rule),
        }
    }
}

/// Judges candidates. A plain function; it moves nothing, so it can neither lose nor double a candidate.
pub trait Filter<Q, C>: Component {
    /// Whether it runs for this query and these candidates.
    fn enabled(&self, query: &Q, candidates: &[C]) -> bool {
        let _ = (query, candidates);
        true
    }

    /// One verdict for each candidate, in order.
    fn judge(&self, query: &Q, candidates: &[C]) -> Vec<Verdict>;
}

/// A candidate that did not go on, and why.
#[derive(Clone, Debug)]
pub struct Removed<C> {
    /// The candidate, as it was then.
    pub candidate: C,
    /// The list in which the component stands.
    pub stage: StageKind,
    /// The filter or selector.
    pub by: &'static str,
    /// Its rule.
    pub rule: &'static str,
}
