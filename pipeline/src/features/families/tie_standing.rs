//! What a tie means among the viewer's ties, and what comes back.

use std::sync::Arc;

use crate::component;
use crate::domain::stores::{RealGraph, TieStrength};
use crate::domain::{Candidate, IdMap, Query, UserId};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// The author's place and shares among the viewer's ties, and the author's tie to the viewer.
pub struct TieStandingFeatures {
    /// Ties.
    pub real_graph: Arc<dyn RealGraph>,
}

component!(
    TieStandingFeatures,
    "tie_standing",
    "the author's place and shares among the viewer's ties, and the way back"
);

const CONTINUOUS: [&str; 11] = [
    "place",
    "score_share",
    "favorites_share",
    "replies_share",
    "reposts_share",
    "clicks_share",
    "back_score",
    "back_favorites",
    "back_replies",
    "back_reposts",
    "back_days_since_last",
];

impl FeatureFamily for TieStandingFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("tie_standing", &CONTINUOUS)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let known = query.facts.real_graph.get();
        let mut users: Vec<(UserId, f32)> =
            known.iter().flat_map(|ties| ties.by_user.iter().map(|(user, score)| (*user, *score))).collect();
        users.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let ids: Vec<UserId> = users.iter().map(|(user, _)| *user).collect();
        let ties: IdMap<UserId, (usize, TieStrength)> = ids
            .iter()
            .zip(self.real_graph.ties(query.viewer, &ids))
            .enumerate()
            .filter_map(|(place, (user, tie))| Some((*user, (place, tie?))))
            .collect();
        // In order of place, so that equal requests add up in one order.
        let mut total = TieStrength::default();
        for user in &ids {
            if let Some((_, tie)) = ties.get(user) {
                total.score += tie.score;
                total.favorites += tie.favorites;
                total.replies += tie.replies;
                total.reposts += tie.reposts;
                total.clicks += tie.clicks;
            }
        }
        let share = |part: f32, whole: f32| if whole > 0.0 { part / whole } else { 0.0 };
        for (index, candidate) in candidates.iter().enumerate() {
            let author = candidate.original_author_id();
            let mut row = rows.row(index);
            if let Some((place, tie)) = ties.get(&author) {
                row.put_from(
                    0,
                    [
                        1.0 - *place as f32 / ids.len() as f32,
                        share(tie.score, total.score),
                        share(tie.favorites, total.favorites),
                        share(tie.replies, total.replies),
                        share(tie.reposts, total.reposts),
                        share(tie.clicks, total.clicks),
                    ],
                );
            }
            if let Some(back) = self.real_graph.ties(author, &[query.viewer]).into_iter().flatten().next() {
                row.put_from(
                    6,
                    [back.score, back.favorites, back.replies, back.reposts, back.days_since_last],
                );
            }
        }
        Ok(())
    }
}
