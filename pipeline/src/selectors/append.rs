//! Everything that remains goes to the result.

use crate::component;
use crate::engine::{Choice, Selector};

/// Appends all remaining candidates to the result, in their order.
pub struct AppendRemaining;

component!(AppendRemaining, "append_remaining", "appends all that remain to the result");

impl<Q, C> Selector<Q, C> for AppendRemaining {
    fn select(&self, _query: &Q, _pool: &[C], choice: &mut Choice, _quality: f64) {
        choice.result.append(&mut choice.remaining);
    }
}
