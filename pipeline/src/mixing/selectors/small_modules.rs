//! Modules with too few items.

use crate::component;
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

component!(DropSmallModules, "drop_small_modules", "drops modules with too few accounts");

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
