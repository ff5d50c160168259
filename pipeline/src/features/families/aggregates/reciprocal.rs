//! What the author gave to the viewer.

use std::sync::Arc;

use super::{Columns, Content};
use crate::component;
use crate::domain::stores::AggregateStore;
use crate::domain::{Candidate, DecayTable, EngagementKind, Query, UserId};
use crate::engine::{Component, Failure};
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// What the author gave to the viewer's own posts.
pub struct Reciprocal {
    store: Arc<dyn AggregateStore>,
    columns: Columns,
}

impl Reciprocal {
    /// The family.
    pub fn new(store: Arc<dyn AggregateStore>) -> Self {
        let has: fn(EngagementKind, Content) -> bool = |kind, content| content.has(kind);
        Self { store, columns: Columns::new([("any".to_owned(), has, Content::Any)]) }
    }
}

component!(Reciprocal, "author_viewer", "engagements the author gave to the viewer's own posts");

impl FeatureFamily for Reciprocal {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        self.columns.specs(self.name())
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let decay = DecayTable::new(query.now);
        let authors: Vec<UserId> = candidates.iter().map(Candidate::original_author_id).collect();
        self.store.visit_given_to(query.viewer, &authors, &mut |index, given| {
            if index < rows.len() {
                let mut row = rows.row(index);
                let slots = self.columns.slots(row.continuous(), 0, given.kind);
                slots.iter_mut().zip(given.count.values(&decay)).for_each(|(slot, value)| *slot += value);
            }
        });
        Ok(())
    }
}
