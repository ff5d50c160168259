//! Fixed positions.

use super::Among;
use crate::domain::Query;
use crate::engine::{Choice, Selector};
use crate::mixing::Item;

/// Inserts the remaining items of one kind into the result as it is now, at a position from 0; behind it all when the
/// result is shorter. What a later one inserts further up pushes earlier ones down.
pub struct InsertAt {
    /// Which.
    pub among: Among,
    /// Where.
    pub position: usize,
}

named_by_items!(InsertAt, "insert", "inserts the items of one kind at a fixed position of the result");

impl Selector<Query, Item> for InsertAt {
    fn select(&self, _query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        let (ours, others): (Vec<usize>, _) =
            choice.remaining.iter().partition(|&&index| self.among.has(&pool[index]));
        let position = self.position.min(choice.result.len());
        choice.result.splice(position..position, ours);
        choice.remaining = others;
    }
}
