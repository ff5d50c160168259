//! The length of a page.

use crate::component;
use crate::config::SelectionConfig;
use crate::domain::{Candidate, Query};
use crate::engine::{Choice, Selector};

/// Keeps as many of what remains as fit on the page that was asked for.
pub struct PageLimit {
    /// The usual and the longest page.
    pub config: SelectionConfig,
}

component!(PageLimit, "page_limit", "keeps as many as fit on the page");

impl Selector<Query, Candidate> for PageLimit {
    fn select(&self, query: &Query, _pool: &[Candidate], choice: &mut Choice, _quality: f64) {
        let length = query.request.max_results.unwrap_or(self.config.page).min(self.config.max_page);
        let gone = choice.remaining.split_off(length.min(choice.remaining.len()));
        choice.dropped.extend(gone);
    }
}
