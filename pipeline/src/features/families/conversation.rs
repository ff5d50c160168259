//! The conversation that a reply stands in.

use std::collections::HashSet;
use std::sync::Arc;

use crate::component;
use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Post, PostCounts, PostId, Query, UserId};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Features of a reply's conversation, as far as it was hydrated.
pub struct ConversationFeatures {
    /// Posts, for the parent and the root.
    pub posts: Arc<dyn PostStore>,
}

component!(ConversationFeatures, "conversation", "people, ages and counts of the conversation of a reply");

const CONTINUOUS: [&str; 14] = [
    "participants",
    "followed_participants",
    "followed_share",
    "authors_part",
    "viewers_part",
    "root_age_hours",
    "parent_age_hours",
    "reply_delay_minutes",
    "parent_favorites",
    "parent_replies",
    "parent_reposts",
    "root_favorites",
    "root_replies",
    "root_reposts",
];
const BINARY: [&str; 10] = [
    "answers_viewer",
    "answers_followed",
    "answers_itself",
    "root_by_viewer",
    "root_by_followed",
    "viewer_takes_part",
    "is_long",
    "names_viewer",
    "names_followed",
    "quotes_followed",
];

impl FeatureFamily for ConversationFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("conversation", &CONTINUOUS)
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        super::named("conversation", &BINARY)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        for (index, candidate) in candidates.iter().enumerate() {
            let Some(content) = candidate.content() else { continue };
            let mut row = rows.row(index);
            let chain = candidate.conversation.get().map_or(&[][..], |conversation| &conversation.ancestors);
            if content.is_reply() {
                row.put_from(0, self.values(query, content, chain));
            }
            row.flag_from(0, flags(query, content, chain));
        }
        Ok(())
    }
}

impl ConversationFeatures {
    /// Values in the order of [`CONTINUOUS`].
    fn values(&self, query: &Query, content: &Post, chain: &[(PostId, UserId)]) -> [f32; CONTINUOUS.len()] {
        let hours = |post: PostId| query.now.since(post.made_at()).as_secs_f32() / 3600.0;
        let people: HashSet<UserId> = chain.iter().map(|(_, author)| *author).collect();
        let followed = people.iter().filter(|user| query.follows(**user)).count() as f32;
        let by = |user: UserId| chain.iter().filter(|(_, author)| *author == user).count() as f32;
        let counts = |id: PostId| self.posts.get(id).map_or(PostCounts::default(), |(_, counts)| counts);
        let parent = content.in_reply_to.map(|parent| parent.id);
        let (of_parent, of_root) = (parent.map(counts).unwrap_or_default(), counts(content.conversation));
        [
            people.len() as f32,
            followed,
            followed / (people.len() as f32).max(1.0),
            by(content.author),
            by(query.viewer),
            hours(content.conversation),
            parent.map_or(0.0, hours),
            parent.map_or(0.0, |parent| content.id.made_at().since(parent.made_at()).as_secs_f32() / 60.0),
            of_parent.favorites as f32,
            of_parent.replies as f32,
            of_parent.reposts as f32,
            of_root.favorites as f32,
            of_root.replies as f32,
            of_root.reposts as f32,
        ]
    }
}

/// Values in the order of [`BINARY`].
fn flags(query: &Query, content: &Post, chain: &[(PostId, UserId)]) -> [bool; BINARY.len()] {
    let parent = content.in_reply_to.map(|parent| parent.author);
    let root = chain.last().filter(|(id, _)| *id == content.conversation).map(|(_, author)| *author);
    [
        parent == Some(query.viewer),
        parent.is_some_and(|author| query.follows(author)),
        parent == Some(content.author),
        root == Some(query.viewer),
        root.is_some_and(|author| query.follows(author)),
        chain.iter().any(|(_, author)| *author == query.viewer),
        chain.len() > 2,
        content.mentions.contains(&query.viewer),
        content.mentions.iter().any(|user| query.follows(*user)),
        content.quotes.is_some_and(|quoted| query.follows(quoted.author)),
    ]
}
