//! Posts that an item further up shows already.

use std::collections::HashSet;

use crate::component;
use crate::domain::{PostId, Query};
use crate::engine::{Filter, Verdict};
use crate::mixing::Item;

/// Removes an item whose post an earlier item shows, such as the post that a reply further up is shown under.
pub struct EachPostOnce;

component!(EachPostOnce, "each_post_once", "removes posts that an earlier item shows already");

impl Filter<Query, Item> for EachPostOnce {
    fn judge(&self, _query: &Query, items: &[Item]) -> Vec<Verdict> {
        let mut met: HashSet<PostId> = HashSet::new();
        let mut judge = |item: &Item| {
            let is_met = item.posts().iter().any(|shown| met.contains(&shown.candidate.post_id));
            if !is_met {
                met.extend(item.posts().iter().map(|shown| shown.candidate.post_id));
            }
            Verdict::remove_if(is_met, "shown_in_conversation")
        };
        items.iter().map(&mut judge).collect()
    }
}
