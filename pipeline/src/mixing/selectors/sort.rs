//! The order of items.

use std::cmp::Reverse;

use super::Among;
use crate::domain::{Query, best_first};
use crate::engine::{Choice, Selector};
use crate::mixing::Item;

/// Orders of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemOrder {
    /// Highest score first, where a conversation has its last post's; scores that are not finite sink.
    BestFirst,
    /// Highest id first, where a conversation has its last post's.
    NewestFirst,
}

/// Orders the remaining items of one kind among themselves: they take the places that they have together.
pub struct SortItems {
    /// Which.
    pub among: Among,
    /// How.
    pub order: ItemOrder,
}

named_by_items!(SortItems, "sort", "orders items of one kind by score or newest first");

impl Selector<Query, Item> for SortItems {
    fn select(&self, _query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        let places: Vec<usize> = (0..choice.remaining.len())
            .filter(|&place| self.among.has(&pool[choice.remaining[place]]))
            .collect();
        let mut items: Vec<usize> = places.iter().map(|&place| choice.remaining[place]).collect();
        match self.order {
            ItemOrder::BestFirst => items.sort_by(|&a, &b| best_first(pool[a].score(), pool[b].score())),
            ItemOrder::NewestFirst => {
                items.sort_by_key(|&index| Reverse(pool[index].focal().map(|shown| shown.candidate.post_id)));
            }
        }
        for (place, item) in places.into_iter().zip(items) {
            choice.remaining[place] = item;
        }
    }
}
