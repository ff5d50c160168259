//! Engagement counts: for each kind a total and one decayed count for each half-life.

use std::sync::Arc;

use crate::domain::stores::{CountKey, EngagementGraph};
use crate::domain::{Candidate, DecayedCounts, EngagementKind, HALF_LIVES_MS, Query};
use crate::engine::{Component, Failure};
use crate::features::{FeatureFamily, FeatureSpec, Level, Row, Rows};

/// What engagements are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountScope {
    /// What the post received.
    Post,
    /// What the author received.
    Author,
    /// What the viewer gave.
    Viewer,
    /// What the viewer gave to the author.
    ViewerAuthor,
}

/// Counts of one scope.
pub struct CountFeatures {
    /// Counts.
    pub engagements: Arc<dyn EngagementGraph>,
    /// Whose.
    pub scope: CountScope,
}

/// Features of one kind of engagement: the decayed counts, then the total.
pub(super) const PER_KIND: usize = HALF_LIVES_MS.len() + 1;
const SUFFIXES: [&str; PER_KIND] =
    ["half_life_30m", "half_life_24h", "half_life_72h", "half_life_50d", "total"];

impl Component for CountFeatures {
    fn name(&self) -> &'static str {
        match self.scope {
            CountScope::Post => "post_counts",
            CountScope::Author => "author_counts",
            CountScope::Viewer => "viewer_counts",
            CountScope::ViewerAuthor => "viewer_author_counts",
        }
    }

    fn about(&self) -> &'static str {
        match self.scope {
            CountScope::Post => "engagements the post received, by kind and half-life",
            CountScope::Author => "engagements the author received, by kind and half-life",
            CountScope::Viewer => "engagements the viewer gave, by kind and half-life",
            CountScope::ViewerAuthor => "engagements the viewer gave to the author, by kind and half-life",
        }
    }
}

impl FeatureFamily for CountFeatures {
    fn level(&self) -> Level {
        if self.scope == CountScope::Viewer { Level::Request } else { Level::Candidate }
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        let name = self.name();
        let of_kind = |kind: EngagementKind| {
            SUFFIXES.map(|suffix| FeatureSpec::new(format!("{name}.{}_{suffix}", kind.name())))
        };
        EngagementKind::ALL.into_iter().flat_map(of_kind).collect()
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let key = |candidate: &Candidate| match self.scope {
            CountScope::Post => CountKey::Post(candidate.original_id()),
            CountScope::Author => CountKey::Author(candidate.original_author_id()),
            CountScope::Viewer => CountKey::Viewer(query.viewer),
            CountScope::ViewerAuthor => CountKey::ViewerAuthor(query.viewer, candidate.original_author_id()),
        };
        let keys: Vec<CountKey> = match self.scope {
            CountScope::Viewer => vec![CountKey::Viewer(query.viewer)],
            _ => candidates.iter().map(key).collect(),
        };
        self.engagements.visit_counts(&keys, &mut |index, counts| {
            if let Some(counts) = counts.filter(|_| index < rows.len()) {
                write(counts, query, &mut rows.row(index));
            }
        });
        Ok(())
    }
}

fn write(counts: &DecayedCounts, query: &Query, row: &mut Row<'_>) {
    let factors = counts.factors(query.now);
    for (kind, slots) in EngagementKind::ALL.into_iter().zip(row.continuous().chunks_mut(PER_KIND)) {
        let total = counts.total(kind);
        // Most kinds never happened: their features are 0 already.
        if total > 0 {
            let decayed = counts.decayed_by(kind, &factors);
            slots
                .iter_mut()
                .zip(decayed.into_iter().chain([total as f32]))
                .for_each(|(slot, value)| *slot = value);
        }
    }
}
