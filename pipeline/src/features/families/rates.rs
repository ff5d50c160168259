//! How a post does, measured by its author's usual.

use super::counts::PER_KIND;
use crate::component;
use crate::domain::{Candidate, EngagementKind, Query};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Each kind's share of all engagements with the post, and the post's share of its author's engagements of the kind.
pub struct RateFeatures;

component!(RateFeatures, "rates", "shares of a post's engagements by kind, and of its author's engagements");

impl FeatureFamily for RateFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        let of = |what: &'static str| {
            EngagementKind::ALL
                .into_iter()
                .map(move |kind| FeatureSpec::new(format!("rates.{}_{what}", kind.name())))
        };
        of("share").chain(of("of_author")).collect()
    }

    fn after(&self) -> &'static [&'static str] {
        &["post_counts", "author_counts"]
    }

    fn fill(&self, _query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        const KINDS: usize = EngagementKind::ALL.len();
        // The total is the last feature of each kind; where the model does not read it, it counts as 0.
        let totals = |features: &[f32]| {
            std::array::from_fn::<f32, KINDS, _>(|kind| {
                features.get(kind * PER_KIND + PER_KIND - 1).copied().unwrap_or(0.0)
            })
        };
        for index in 0..candidates.len() {
            let mut row = rows.row(index);
            let (post, author) = (totals(row.of(0)), totals(row.of(1)));
            let all: f32 = post.iter().sum();
            if all > 0.0 {
                row.put_from(0, post.map(|count| count / all));
                row.put_from(
                    KINDS,
                    std::array::from_fn::<f32, KINDS, _>(|kind| post[kind] / author[kind].max(1.0)),
                );
            }
        }
        Ok(())
    }
}
