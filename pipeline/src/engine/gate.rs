//! Whether a pipeline applies.

use super::Component;

/// Decides whether a pipeline applies to a query at all. A plain function: what it reads, query hydrators fetched.
pub trait Gate<Q, C>: Component {
    /// Whether the pipeline may run. `earlier` holds the candidates of the pipelines before it: all normal pipelines'
    /// for a dependent one, none for a normal one.
    fn is_open(&self, query: &Q, earlier: &[C]) -> bool;
}
