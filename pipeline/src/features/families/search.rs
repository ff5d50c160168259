//! What a search index knows of a post, on the scales that it ranks by, and how fresh the post is.

use crate::component;
use crate::domain::{Candidate, Query, hour_and_weekday};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Logarithms of counts, rates by audience, ages and decays.
pub struct SearchFeatures;

component!(SearchFeatures, "search", "counts and ages on the scales that search ranks by");

const CONTINUOUS: [&str; 16] = [
    "log_favorites",
    "log_replies",
    "log_reposts",
    "log_quotes",
    "author_tie_scaled",
    "engagements_per_follower",
    "reply_share",
    "repost_share",
    "log_age",
    "decay_30m",
    "decay_6h",
    "decay_24h",
    "hours_after_visit",
    "author_age_at_post_days",
    "repost_delay_hours",
    "hours_from_time_of_day",
];

impl FeatureFamily for SearchFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("search", &CONTINUOUS)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let visit = query.facts.last_visit.get_or(None);
        for (index, candidate) in candidates.iter().enumerate() {
            let (Some(post), Some(content)) = (candidate.post.get(), candidate.content()) else { continue };
            let counts = candidate.counts;
            let log = |count: u32| (count as f32 + 1.0).log2();
            let all = [counts.favorites, counts.replies, counts.reposts, counts.quotes];
            let sum: f32 = all.iter().map(|count| *count as f32).sum();
            let ties = query.facts.real_graph.get();
            let tie = ties.and_then(|ties| ties.by_user.get(&content.author));
            let facts = candidate.authors.get();
            let author = facts.and_then(|facts| facts.original_author.as_ref().or(facts.author.as_ref()));
            let hours = query.now.since(content.created_at).as_secs_f32() / 3600.0;
            let (then, now) = (hour_and_weekday(content.created_at).0, hour_and_weekday(query.now).0);
            let apart = f32::from(then.abs_diff(now));
            rows.row(index).put_from(
                0,
                [
                    log(counts.favorites),
                    log(counts.replies),
                    log(counts.reposts),
                    log(counts.quotes),
                    tie.map_or(0.0, |score| score * 1.97 + 1.0),
                    sum / author.map_or(1.0, |author| author.followers.max(1) as f32),
                    counts.replies as f32 / sum.max(1.0),
                    counts.reposts as f32 / sum.max(1.0),
                    (hours + 1.0).log2(),
                    (-hours * 2.0).exp2(),
                    (-hours / 6.0).exp2(),
                    (-hours / 24.0).exp2(),
                    visit.map_or(0.0, |visit| (content.created_at.0 - visit.0) as f32 / 3_600_000.0),
                    author.map_or(0.0, |author| {
                        content.created_at.since(author.created_at).as_secs_f32() / 86_400.0
                    }),
                    post.created_at.since(content.created_at).as_secs_f32() / 3600.0,
                    apart.min(24.0 - apart),
                ],
            );
        }
        Ok(())
    }
}
