//! Who wrote it.

use std::sync::Arc;

use crate::component;
use crate::domain::stores::{Relation, SocialGraph};
use crate::domain::{Candidate, Query, User};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Features of the author of what a reader sees.
pub struct AuthorFeatures {
    /// The social graph, for who follows the viewer.
    pub graph: Arc<dyn SocialGraph>,
}

component!(AuthorFeatures, "author", "size, age, standing and check marks of the author's account");

const CONTINUOUS: [&str; 7] =
    ["followers", "following", "followers_per_following", "posts", "posts_per_day", "age_days", "reputation"];
const BINARY: [&str; 10] = [
    "is_blue_verified",
    "is_gold_verified",
    "is_gray_verified",
    "is_legacy_verified",
    "is_creator",
    "is_protected",
    "is_adult",
    "follows_viewer",
    "country_is_the_viewers",
    "language_is_the_viewers",
];

impl FeatureFamily for AuthorFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("author", &CONTINUOUS)
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        super::named("author", &BINARY)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let followers = self.graph.sources(Relation::Follow, query.viewer);
        let viewer = query.facts.user.get();
        for (index, candidate) in candidates.iter().enumerate() {
            let facts = candidate.authors.get();
            let author = facts.and_then(|facts| facts.original_author.as_ref().or(facts.author.as_ref()));
            let Some(author) = author else { continue };
            let mut row = rows.row(index);
            row.put_from(0, continuous(query, author));
            row.flag_from(0, binary(viewer.map(|viewer| &**viewer), author, followers.contains(author.id)));
        }
        Ok(())
    }
}

/// Values in the order of [`CONTINUOUS`].
fn continuous(query: &Query, author: &User) -> [f32; CONTINUOUS.len()] {
    let days = query.now.since(author.created_at).as_secs_f32() / 86_400.0;
    [
        author.followers as f32,
        author.following as f32,
        author.followers as f32 / author.following.max(1) as f32,
        author.posts as f32,
        author.posts as f32 / days.max(1.0),
        days,
        author.reputation,
    ]
}

/// Values in the order of [`BINARY`].
fn binary(viewer: Option<&User>, author: &User, follows_viewer: bool) -> [bool; BINARY.len()] {
    let marks = author.verification;
    [
        marks.blue,
        marks.gold,
        marks.gray,
        marks.legacy,
        author.is_creator,
        author.is_protected,
        author.is_adult,
        follows_viewer,
        viewer.is_some_and(|viewer| !author.country.is_empty() && viewer.country == author.country),
        viewer.is_some_and(|viewer| viewer.language == author.language),
    ]
}
