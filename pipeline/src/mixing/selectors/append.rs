//! Items go to the result.

use super::Among;
use crate::domain::Query;
use crate::engine::{Choice, Selector};
use crate::mixing::Item;

/// Appends the remaining items of one kind to the result, in their order.
pub struct Append {
    /// Which.
    pub among: Among,
    /// Only behind at least one post.
    pub needs_posts: bool,
}

named_by_items!(Append, "append", "appends the items of one kind to the result");

impl Selector<Query, Item> for Append {
    fn select(&self, _query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        if self.needs_posts && !choice.result.iter().any(|&index| !pool[index].posts().is_empty()) {
            return;
        }
        let (ours, others): (Vec<usize>, _) =
            choice.remaining.iter().partition(|&&index| self.among.has(&pool[index]));
        choice.result.extend(ours);
        choice.remaining = others;
    }
}
