//! Saying how candidates are shown.

use super::Component;

/// Says of each candidate how it is shown: why it is there, what can be done about it. A plain function that writes its
/// own fields; it moves nothing, so it can neither lose nor double a candidate.
pub trait Decorator<Q, C>: Component {
    /// Whether it runs for this query.
    fn enabled(&self, query: &Q) -> bool {
        let _ = query;
        true
    }

    /// Decorates the candidates.
    fn decorate(&self, query: &Q, candidates: &mut [C]);
}
