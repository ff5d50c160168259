//! Authors from outside of the network get one post for each kind of suggestion.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::component;
use crate::domain::{Candidate, Query, SuggestKind, UserId, best_first};
use crate::engine::{Choice, Selector};

/// Of an author's posts from outside of the network, keeps the best of each kind of suggestion; of equal ones the first.
pub struct BestOutOfNetworkPerAuthor;

component!(
    BestOutOfNetworkPerAuthor,
    "best_out_of_network_per_author",
    "keeps the best out-of-network post of each author and kind of suggestion"
);

impl Selector<Query, Candidate> for BestOutOfNetworkPerAuthor {
    fn select(&self, _query: &Query, pool: &[Candidate], choice: &mut Choice, _quality: f64) {
        let mut best: HashMap<(UserId, SuggestKind), usize> = HashMap::new();
        let outside = |index: &usize| !pool[*index].is_in_network();
        for index in choice.remaining.iter().copied().filter(outside) {
            match best.entry((pool[index].author_id, pool[index].suggest)) {
                Entry::Vacant(place) => _ = place.insert(index),
                Entry::Occupied(mut place)
                    if best_first(pool[index].score, pool[*place.get()].score).is_lt() =>
                {
                    place.insert(index);
                }
                Entry::Occupied(_) => {}
            }
        }
        choice.retain_remaining(|index| {
            let candidate = &pool[index];
            candidate.is_in_network() || best.get(&(candidate.author_id, candidate.suggest)) == Some(&index)
        });
    }
}
