//! How the viewer stands to others, beyond the account itself.

use crate::component;
use crate::domain::{Candidate, Query, SparseEmbedding};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// The viewer's ties, refusals, communities and embeddings, the same for all candidates.
pub struct StandingFeatures;

component!(StandingFeatures, "standing", "the viewer's ties, blocks, mutes, communities and embeddings");

const CONTINUOUS: [&str; 20] = [
    "followers_per_following",
    "posts_per_day",
    "blocking",
    "blocked_by",
    "muting",
    "reposts_off",
    "muted_keywords",
    "muted_conversations",
    "tie_sum",
    "tie_max",
    "tie_mean",
    "strong_ties",
    "minute_of_day",
    "communities",
    "community_norm",
    "community_top_share",
    "embeddings_cosine",
    "served_posts",
    "seen_by_client",
    "wanted_posts",
];

impl FeatureFamily for StandingFeatures {
    fn level(&self) -> Level {
        Level::Request
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("standing", &CONTINUOUS)
    }

    fn fill(&self, query: &Query, _candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let facts = &query.facts;
        let user = facts.user.get();
        let days = user.map_or(1.0, |user| query.now.since(user.created_at).as_secs_f32() / 86_400.0);
        let settings = facts.settings.get();
        let mut ties: Vec<f32> =
            facts.real_graph.get().iter().flat_map(|ties| ties.by_user.values().copied()).collect();
        // A map shows its values in any order; the sum must not depend on it.
        ties.sort_by(f32::total_cmp);
        let sum: f32 = ties.iter().sum();
        let communities = facts.communities.get_or(None).unwrap_or_default();
        let (follow, engagement) =
            (facts.follow_embedding.get_or(None), facts.engagement_embedding.get_or(None));
        let cosine = follow.zip(engagement).map_or(0.0, |(a, b)| cosine(&a, &b));
        rows.row(0).put_from(
            0,
            [
                user.map_or(0.0, |user| user.followers as f32 / user.following.max(1) as f32),
                user.map_or(0.0, |user| user.posts as f32 / days.max(1.0)),
                facts.blocking.get().map_or(0, |set| set.len()) as f32,
                facts.blocked_by.get().map_or(0, |set| set.len()) as f32,
                facts.muting.get().map_or(0, |set| set.len()) as f32,
                facts.reposts_off.get().map_or(0, |set| set.len()) as f32,
                settings.map_or(0, |settings| settings.muted_keywords.len()) as f32,
                settings.map_or(0, |settings| settings.muted_conversations.len()) as f32,
                sum,
                ties.last().copied().unwrap_or(0.0),
                sum / (ties.len() as f32).max(1.0),
                ties.iter().filter(|tie| **tie > 0.5).count() as f32,
                (query.now.0.rem_euclid(86_400_000) / 60_000) as f32,
                communities.entries().len() as f32,
                communities.norm(),
                top_share(&communities),
                cosine,
                facts.served.get().map_or(0, |served| served.len()) as f32,
                query.request.seen.len() as f32,
                query.request.max_results.unwrap_or(0) as f32,
            ],
        );
        Ok(())
    }
}

/// The strongest entry's share of all.
pub(super) fn top_share(embedding: &SparseEmbedding) -> f32 {
    let strengths = || embedding.entries().iter().map(|entry| entry.1);
    let sum: f32 = strengths().sum();
    if sum > 0.0 { strengths().fold(0.0, f32::max) / sum } else { 0.0 }
}

/// Cosine of two dense embeddings; 0 when either is all zeros.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let length = (dot(a, a) * dot(b, b)).sqrt();
    if length > 0.0 { dot(a, b) / length } else { 0.0 }
}

/// Inner product, in eight sums side by side so that they can be added at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let (a_parts, b_parts) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0_f32; LANES];
    for (x, y) in a_parts.zip(b_parts) {
        sums.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum += x * y);
    }
    rest + sums.iter().sum::<f32>()
}
