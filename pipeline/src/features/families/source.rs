//! How the candidate was found.

use crate::component;
use crate::domain::{Candidate, Query, SourceKind};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Features of the candidate's source and social proof.
pub struct SourceFeatures;

component!(SourceFeatures, "source", "source, light ranker's score and social proof of the candidate");

const CONTINUOUS: [&str; 5] = ["light_score", "liked_by", "reposted_by", "replied_by", "followed_by"];
/// The cache is no source of what the model scores.
const SOURCES: [SourceKind; 7] = [
    SourceKind::InNetwork,
    SourceKind::SecondDegree,
    SourceKind::Similar,
    SourceKind::RecommendedAuthor,
    SourceKind::List,
    SourceKind::PopularVideo,
    SourceKind::Backfill,
];

impl FeatureFamily for SourceFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("source", &CONTINUOUS)
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        super::named("source", &SOURCES.map(SourceKind::name))
    }

    fn fill(&self, _query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        for (index, candidate) in candidates.iter().enumerate() {
            let mut row = rows.row(index);
            row.flag_from(0, SOURCES.map(|source| source == candidate.source));
            let named = candidate.social_proof.get().map_or([0.0; 4], |proof| {
                [&proof.liked_by, &proof.reposted_by, &proof.replied_by, &proof.followed_by]
                    .map(|users| users.len() as f32)
            });
            row.put_from(0, [candidate.light_score]);
            row.put_from(1, named);
        }
        Ok(())
    }
}
