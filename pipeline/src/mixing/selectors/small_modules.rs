//! Modules with too few items.

use crate::domain::Query;
use crate::engine::{Choice, Selector};
use crate::mixing::{Item, PeopleKind};

/// Drops modules of accounts with fewer than so many of them, from the result as well.
pub struct DropSmallModules {
    /// Which modules.
    pub kind: PeopleKind,
    /// Fewest accounts.
    pub min: usize,
}

impl crate::engine::Component for DropSmallModules {
    fn name(&self) -> &'static str {
        match self.kind {
            PeopleKind::Follow => "drop_small_who_to_follow",
            PeopleKind::Subscribe => "drop_small_who_to_subscribe",
        }
    }

    fn about(&self) -> &'static str {
        "drops modules with too few accounts"
    }
}

impl Selector<Query, Item> for DropSmallModules {
    fn select(&self, _query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        let is_small = |index: usize| match &pool[index] {
            Item::People(people) => people.kind == self.kind && people.people.len() < self.min,
            _ => false,
        };
        let dropped: Vec<usize> = choice.result.extract_if(.., |index| is_small(*index)).collect();
        choice.dropped.extend(dropped);
        choice.retain_remaining(|index| !is_small(index));
    }
}
