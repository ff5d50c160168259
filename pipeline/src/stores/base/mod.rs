//! What is loaded before the stores open, checked row by row.
//!
//! Rows come in the order users, everything about users, posts, engagements. Each `add_…` either takes its row or says
//! what is wrong with which field; a base of which a row was refused is thrown away as a whole.

mod build;

use std::sync::Arc;
use std::time::Duration;

use super::aggregates::{Aggregates, Counted, Slots};
use super::embeddings::{UserEmbeddings, strongest};
use super::engagements::{Engagements, GRAPH_WINDOW_MS};
use super::lists::Lists;
use super::memory::{Account, Tie};
use super::posts::Posts;
use super::retrieval::{CommunityPosts, PopularVideos};
use super::row_problem::RowProblem;
use super::shards::ShardedMap;
use super::user_index::UserIndex;
use crate::domain::stores::{List, Relation, TieStrength};
use crate::domain::{
    Carries, DenseEmbedding, Engagement, EngagementKind, EventWeight, Millis, Post, PostCounts, PostId,
    PostRef, User, UserId, ViewerSettings,
};

/// Engagements that are counted together.
const COUNTED_AT_ONCE: usize = 1_024;

/// A reference to a post that had not come yet.
struct OpenReference {
    row: u64,
    field: &'static str,
    to: PostRef,
}

/// A base that is being loaded.
#[derive(Default)]
pub struct Base {
    ids: Vec<u64>,
    accounts: ShardedMap<u64, Account>,
    default_settings: Arc<ViewerSettings>,
    index: Option<UserIndex>,
    /// (from, to) by relation.
    relations: [Vec<(u32, u32)>; Relation::ALL.len()],
    /// Whether the follows were sorted since the last one came.
    follows_are_sorted: bool,
    ties: Vec<(u32, Tie)>,
    width: Option<usize>,
    dense: Vec<UserEmbeddings>,
    communities: Vec<(u32, (u32, f32))>,
    posts: Posts,
    post_rows: u64,
    /// (post, (community, strength)).
    post_communities: Vec<(u64, (u32, f32))>,
    open: Vec<OpenReference>,
    /// The community where each user is at home, by slot.
    homes: Vec<Option<u32>>,
    engagements: Engagements,
    aggregates: Aggregates,
    /// Engagements that are not counted yet.
    counted: Vec<Counted>,
    community_posts: CommunityPosts,
    popular_videos: PopularVideos,
    lists: Lists,
    now: Option<Millis>,
}

impl Base {
    /// An empty base whose 24-hour graph ends at `now`. Without a `now` all engagements are taken into the graph and
    /// only readers leave out the old ones.
    pub fn new(now: Option<Millis>) -> Self {
        Self { now, ..Self::default() }
    }

    /// Adds an account with its settings.
    ///
    /// # Errors
    /// The id is taken, or a number is not finite.
    pub fn add_user(&mut self, user: User, settings: ViewerSettings) -> Result<(), RowProblem> {
        let id = user.id.0;
        if !user.reputation.is_finite() {
            return Err(RowProblem::invalid("reputation", "a finite number", user.reputation));
        }
        let settings = if settings == *self.default_settings {
            Arc::clone(&self.default_settings)
        } else {
            settings.into()
        };
        if self.accounts.insert(id, Account::new(Arc::new(user), settings)).is_some() {
            return Err(RowProblem::duplicate("id", format!("user {id}")));
        }
        self.ids.push(id);
        Ok(())
    }

    /// The slot of an account.
    fn slot(&mut self, field: &'static str, user: UserId) -> Result<u32, RowProblem> {
        let index = self.index.get_or_insert_with(|| UserIndex::new(std::mem::take(&mut self.ids)));
        index.slot(user).ok_or_else(|| RowProblem::missing(field, "user", user.0))
    }

    /// Adds a relation.
    ///
    /// # Errors
    /// An account is not there, or relates to itself. A pair that is there twice is found by the check of the whole base.
    pub fn add_relation(&mut self, relation: Relation, from: UserId, to: UserId) -> Result<(), RowProblem> {
        let edge = (self.slot("from", from)?, self.slot("to", to)?);
        if edge.0 == edge.1 {
            return Err(RowProblem::invalid("to", "another user than \"from\"", to));
        }
        self.follows_are_sorted &= relation != Relation::Follow;
        self.relations[relation as usize].push(edge);
        Ok(())
    }

    /// Adds a tie.
    ///
    /// # Errors
    /// An account is not there, the score is not within 0..=1, or another number is negative or not finite.
    pub fn add_tie(
        &mut self,
        viewer: UserId,
        author: UserId,
        strength: TieStrength,
    ) -> Result<(), RowProblem> {
        let (viewer, to) = (self.slot("viewer", viewer)?, self.slot("author", author)?);
        if !(0.0..=1.0).contains(&strength.score) {
            return Err(RowProblem::invalid("score", "a number from 0 to 1", strength.score));
        }
        let counts = [
            ("favorites", strength.favorites),
            ("replies", strength.replies),
            ("reposts", strength.reposts),
            ("mentions", strength.mentions),
            ("clicks", strength.clicks),
            ("profile_visits", strength.profile_visits),
            ("active_days", strength.active_days),
            ("days_since_last", strength.days_since_last),
        ];
        if let Some((field, value)) = counts.into_iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
            return Err(RowProblem::invalid(field, "a finite number of 0 or more", value));
        }
        self.ties.push((viewer, Tie { to, strength }));
        Ok(())
    }

    /// Adds a user's embeddings. Those of all users have one width; an empty one is none.
    ///
    /// # Errors
    /// The user is not there or has embeddings already, a width differs, or a number is not finite.
    pub fn add_embeddings(
        &mut self,
        user: UserId,
        [follow, engagement, author]: [Vec<f32>; 3],
        communities: &[(u32, f32)],
    ) -> Result<(), RowProblem> {
        let slot = self.slot("user", user)?;
        let mut dense = |field, values: Vec<f32>| -> Result<Option<DenseEmbedding>, RowProblem> {
            if values.is_empty() {
                return Ok(None);
            }
            if *self.width.get_or_insert(values.len()) != values.len() {
                let found = format!("{} numbers", values.len());
                return Err(RowProblem::invalid(field, "as many numbers as in the first embedding", found));
            }
            check_finite(field, &values)?;
            Ok(Some(values.into()))
        };
        let embeddings = UserEmbeddings {
            follow: dense("follow", follow)?,
            engagement: dense("engagement", engagement)?,
            author: dense("author", author)?,
        };
        check_communities(communities)?;
        let places = self.accounts.len();
        if self.dense.len() < places {
            self.dense.resize_with(places, UserEmbeddings::default);
            self.homes.resize(places, None);
        }
        let Some(place) = self.dense.get_mut(slot as usize) else { return Ok(()) };
        let has_any = place.follow.is_some() || place.engagement.is_some() || place.author.is_some();
        if has_any || self.communities.last().is_some_and(|(last, _)| *last == slot) {
            return Err(RowProblem::duplicate("user", format!("an embedding of user {user}")));
        }
        *place = embeddings;
        self.homes[slot as usize] = strongest(communities);
        self.communities.extend(communities.iter().map(|&entry| (slot, entry)));
        Ok(())
    }

    /// Adds a list.
    ///
    /// # Errors
    /// The id is taken, or the owner, a member or a subscriber is not there.
    pub fn add_list(&mut self, list: List) -> Result<(), RowProblem> {
        self.slot("owner", list.owner)?;
        for (field, users) in [("members", &list.members), ("subscribers", &list.subscribers)] {
            for user in users {
                self.slot(field, *user)?;
            }
        }
        if self.lists.contains(list.id) {
            return Err(RowProblem::duplicate("id", format!("list {}", list.id)));
        }
        self.lists.put(list);
        Ok(())
    }

    /// Adds a post with the counts from before the first engagement that will be added, and the communities it
    /// appeals to. Posts that it names may come later.
    ///
    /// # Errors
    /// The id is taken, `created_at` is not the id's time, or a user is not there.
    pub fn add_post(
        &mut self,
        post: &Post,
        counts: PostCounts,
        communities: &[(u32, f32)],
    ) -> Result<(), RowProblem> {
        let row = self.post_rows;
        self.post_rows += 1;
        let slot = self.slot("author", post.author)?;
        if post.created_at != post.id.made_at() {
            return Err(RowProblem::invalid("created_at", "the time in \"id\"", post.created_at.0));
        }
        for (field, user) in [("directed_at", post.directed_at), ("exclusive_author", post.exclusive_author)]
        {
            user.map(|user| self.slot(field, user)).transpose()?;
        }
        for user in &post.mentions {
            self.slot("mentions", *user)?;
        }
        if let Some(list) = post.list.filter(|list| !self.lists.contains(*list)) {
            return Err(RowProblem::missing("list", "list", list.0));
        }
        check_communities(communities)?;
        if !self.posts.insert(slot, post, counts) {
            return Err(RowProblem::duplicate("id", format!("post {}", post.id)));
        }
        self.community_posts.replace(post.id, &[], communities);
        self.post_communities.extend(communities.iter().map(|&entry| (post.id.0, entry)));
        let conversation = PostRef { id: post.conversation, author: UserId(u64::MAX) };
        let references = [
            ("in_reply_to", post.in_reply_to),
            ("repost_of", post.repost_of),
            ("quotes", post.quotes),
            ("conversation", (post.conversation != post.id).then_some(conversation)),
        ];
        for (field, to) in references {
            let Some(to) = to else { continue };
            // What is named was there before; so no chain of replies, quotes or reposts leads back to itself.
            if to.id >= post.id {
                return Err(RowProblem::invalid(field, "the id of an older post", to.id));
            }
            if !self.resolves(field, to)? {
                self.open.push(OpenReference { row, field, to });
            }
        }
        Ok(())
    }

    /// Whether the post that is referred to is there, under the author that is named.
    fn resolves(&mut self, field: &'static str, to: PostRef) -> Result<bool, RowProblem> {
        let Some(author) = self.posts.author_slot(to.id) else { return Ok(false) };
        if to.author != UserId(u64::MAX) && self.slot(field, to.author)? != author {
            return Err(RowProblem::invalid(field, "the author of the post that is named", to.author));
        }
        Ok(true)
    }

    /// Adds an engagement.
    ///
    /// # Errors
    /// User or post is not there.
    pub fn add_engagement(
        &mut self,
        user: UserId,
        post: PostId,
        kind: EngagementKind,
        at: Millis,
    ) -> Result<(), RowProblem> {
        let user_slot = self.slot("user", user)?;
        let Some(author_slot) = self.posts.author_slot(post) else {
            return Err(RowProblem::missing("post", "post", post.0));
        };
        let Some(index) = &self.index else { return Err(RowProblem::missing("user", "user", user.0)) };
        let author = index.with_ids(|id_of| id_of(author_slot));
        let follows = &mut self.relations[Relation::Follow as usize];
        if !std::mem::replace(&mut self.follows_are_sorted, true) {
            follows.sort_unstable();
        }
        let follows = follows.binary_search(&(user_slot, author_slot)).is_ok();
        let post_traits = self.posts.traits(post).map(|(_, traits)| traits).unwrap_or_default();
        if post_traits.cell.carries() == Carries::Video {
            self.popular_videos.record(post, kind, at);
        }
        let traits = self.accounts.with(&user.0, |account| Account::traits(account, post_traits, follows));
        self.posts.count(post, kind);
        self.counted.push(Counted {
            engagement: Engagement { user, post, author, kind, at },
            slots: Slots { user: user_slot, author: author_slot },
            traits,
            community: self.homes.get(author_slot as usize).copied().flatten(),
            weight: EventWeight::at(at),
        });
        if self.counted.len() == COUNTED_AT_ONCE {
            self.count();
        }
        Ok(())
    }

    /// Counts the engagements that wait for it.
    fn count(&mut self) {
        let Some(index) = &self.index else { return };
        let since = self.now.map_or(Millis(0), |now| now - Duration::from_millis(GRAPH_WINDOW_MS as u64));
        self.engagements.record(self.counted.iter().map(|one| (one.engagement, one.slots.user)), since);
        self.aggregates.record(&self.counted, index);
        self.counted.clear();
    }

    /// Whether there is such a post.
    pub fn has_post(&self, id: PostId) -> bool {
        self.posts.contains(id)
    }

    /// Whether there is such an account.
    pub fn has_user(&self, id: UserId) -> bool {
        self.accounts.contains(&id.0)
    }

    /// Checks what only the whole of the posts can show: that every post that is named is there. To be called after
    /// the last post. The number is the position of the post with the problem, from 0, in the order of addition.
    ///
    /// # Errors
    /// A post that is named never came, or is by another author.
    pub fn check_posts(&mut self) -> Result<(), (u64, RowProblem)> {
        for OpenReference { row, field, to } in std::mem::take(&mut self.open) {
            if !self.resolves(field, to).map_err(|problem| (row, problem))? {
                return Err((row, RowProblem::missing(field, "post", to.id.0)));
            }
        }
        Ok(())
    }

    /// Checks that no pair of a relation is there twice. To be called after its last pair.
    ///
    /// # Errors
    /// A pair is there twice.
    pub fn check_relation(&mut self, relation: Relation) -> Result<(), RowProblem> {
        let edges = &mut self.relations[relation as usize];
        if !edges.is_sorted() {
            edges.sort_unstable();
        }
        let Some(twice) = edges.windows(2).find(|pair| pair[0] == pair[1]) else { return Ok(()) };
        let (from, to) = twice[0];
        let Some(index) = &self.index else { return Ok(()) };
        let key = index.with_ids(|id_of| format!("the pair of users {} and {}", id_of(from), id_of(to)));
        Err(RowProblem::duplicate("to", key))
    }
}

fn check_finite(field: &'static str, values: &[f32]) -> Result<(), RowProblem> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(RowProblem::invalid(field, "finite numbers", value)),
        None => Ok(()),
    }
}

/// Each community once, ascending, with a positive strength.
fn check_communities(communities: &[(u32, f32)]) -> Result<(), RowProblem> {
    if let Some((_, strength)) = communities.iter().find(|entry| !(entry.1.is_finite() && entry.1 > 0.0)) {
        return Err(RowProblem::invalid("strengths", "finite positive numbers", strength));
    }
    match communities.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        Some(pair) => Err(RowProblem::invalid("communities", "ascending numbers", pair[1].0)),
        None => Ok(()),
    }
}
