//! What a caller gets.

use serde::Serialize;

use crate::domain::stores::UserStore;
use crate::domain::{Candidate, PostId, Query, SourceKind, UserId};
use crate::engine::Mixed;
use crate::mixing::Item;
use crate::timeline::Timeline;

/// A ranked timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimelineResponse {
    /// Whose timeline it is.
    pub viewer: UserId,
    /// Its posts, best first.
    pub posts: Vec<ServedPost>,
    /// Whether it is not what the model ranked: ranking gave nothing, or the model failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_fallback: bool,
    /// Components that failed: with any, the timeline is less than it could be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<&'static str>,
}

/// One post of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServedPost {
    /// The post; for a repost, the repost.
    pub id: PostId,
    /// Who posted it.
    pub author_id: UserId,
    /// What it was ranked by.
    pub score: f64,
    /// The source that found it.
    pub source: SourceKind,
    /// Why it is there, and what its score was multiplied with.
    pub reasons: Vec<String>,
    /// The author's name, for listings.
    #[serde(skip)]
    pub author_name: String,
    /// What a reader sees, for listings.
    #[serde(skip)]
    pub text: String,
}

impl TimelineResponse {
    /// The ranked posts of a page, without what stands between them.
    pub fn new(page: &Mixed<Query, Item, Timeline>, users: &dyn UserStore) -> Self {
        let served = &page.served;
        let posts = served
            .selected
            .iter()
            .filter_map(|item| post(&served.query, &item.focal()?.candidate, users).into())
            .collect();
        let Timeline { is_fallback, missing, .. } = &page.response;
        Self { viewer: served.query.viewer, posts, is_fallback: *is_fallback, missing: missing.clone() }
    }
}

fn post(query: &Query, candidate: &Candidate, users: &dyn UserStore) -> ServedPost {
    let author = candidate.authors.get().and_then(|facts| facts.author.as_ref());
    ServedPost {
        id: candidate.post_id,
        author_id: candidate.author_id,
        score: candidate.score,
        source: candidate.first_source(),
        reasons: reasons(query, candidate, users),
        author_name: author
            .map_or_else(|| candidate.author_id.to_string(), |author| author.screen_name.clone()),
        text: candidate.content().map(|content| content.text.clone()).unwrap_or_default(),
    }
}

fn reasons(query: &Query, candidate: &Candidate, users: &dyn UserStore) -> Vec<String> {
    let mut reasons = Vec::new();
    if query.follows(candidate.author_id) {
        let how = if candidate.is_repost() {
            "reposted by an account you follow"
        } else {
            "by an account you follow"
        };
        reasons.push(how.to_owned());
    }
    if let Some(proof) = candidate.social_proof.get() {
        for (what, people) in [("liked by", &proof.liked_by), ("followed by", &proof.followed_by)] {
            if let Some((first, others)) = people.split_first() {
                let name =
                    users.get(*first).map_or_else(|| first.to_string(), |user| user.screen_name.clone());
                let others =
                    if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
                reasons.push(format!("{what} @{name}{others}"));
            }
        }
    }
    if candidate.source == SourceKind::Cached {
        reasons.push("scored a moment ago".to_owned());
    }
    if candidate.is_extended_reply {
        reasons.push("reply to somebody you do not follow".to_owned());
    }
    reasons.extend(candidate.factors.iter().map(|factor| format!("{} x{:.3}", factor.name, factor.value)));
    reasons
}
