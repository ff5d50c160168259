//! How many items.

use super::Among;
use crate::domain::Query;
use crate::engine::{Choice, Selector};
use crate::mixing::Item;

/// Keeps the first so many remaining items of one kind; a conversation counts as one.
pub struct Cap {
    /// Which.
    pub among: Among,
    /// How many.
    pub limit: usize,
}

named_by_items!(Cap, "cap", "keeps the first so many items of one kind");

impl Selector<Query, Item> for Cap {
    fn select(&self, _query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        keep_first(self.among, self.limit, pool, choice);
    }
}

/// Keeps as many posts and conversations as fit on the page that was asked for.
pub struct CapPage {
    /// Which.
    pub among: Among,
    /// The usual page.
    pub usual: usize,
    /// The longest page, whatever the caller says.
    pub longest: usize,
}

named_by_items!(CapPage, "page_of", "keeps as many posts and conversations as fit on the page");

impl Selector<Query, Item> for CapPage {
    fn select(&self, query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        let limit = query.request.max_results.unwrap_or(self.usual).min(self.longest);
        keep_first(self.among, limit, pool, choice);
    }
}

fn keep_first(among: Among, limit: usize, pool: &[Item], choice: &mut Choice) {
    let mut left = limit;
    choice.retain_remaining(|index| {
        if !among.has(&pool[index]) {
            return true;
        }
        let fits = left > 0;
        left = left.saturating_sub(1);
        fits
    });
}
