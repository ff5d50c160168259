//! A pinned post stands in one place.

use std::collections::HashSet;

use crate::component;
use crate::domain::{PostId, Query};
use crate::engine::{Choice, Selector};
use crate::mixing::Item;

/// Drops what shows a pinned post a second time: posts, conversations, ads.
pub struct DropPinnedElsewhere;

component!(DropPinnedElsewhere, "drop_pinned_elsewhere", "drops what shows a pinned post a second time");

impl Selector<Query, Item> for DropPinnedElsewhere {
    fn select(&self, _query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        let is_pinned = |index: usize| pool[index].posts().iter().any(|shown| shown.is_pinned);
        let pinned: HashSet<PostId> = choice
            .remaining
            .iter()
            .filter(|&&index| is_pinned(index))
            .flat_map(|&index| pool[index].posts())
            .flat_map(|shown| [shown.candidate.post_id, shown.candidate.original_id()])
            .collect();
        if pinned.is_empty() {
            return;
        }
        let shows = |index: usize| {
            let posts = pool[index].all_posts().iter();
            posts.clone().any(|shown| pinned.contains(&shown.candidate.original_id()))
        };
        choice.retain_remaining(|index| is_pinned(index) || !shows(index));
    }
}
