//! The stores' traits, answered from memory and written through the journal.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::Embedded;
use super::aggregates::GivenRow;
use super::journal::Write;
use super::memory::Recorded;
use crate::domain::stores::{
    AggregateStore, EmbeddingStore, EngagementGraph, Given, GraphEngagement, PostStore, RealGraph, Relation,
    RetrievalIndex, SocialGraph, StoreError, TallyKey, TieStrength, UserStore,
};
use crate::domain::{
    DenseEmbedding, Engagement, EngagementKind, IdSet, Millis, Post, PostCounts, PostId, RealGraphScores,
    Rows, SparseEmbedding, User, UserId, ViewerSettings,
};

/// How far ahead of the clock the moment of an engagement may be: a clock that was set back a little. One far ahead would
/// stand above all others of its post and fill the graph until then.
const MAX_AHEAD: Duration = Duration::from_secs(3_600);

impl Embedded {
    fn ids(&self, slots: Option<Vec<u32>>) -> IdSet<UserId> {
        let slots = slots.unwrap_or_default();
        self.memory.index.with_ids(|id_of| slots.into_iter().map(id_of).collect())
    }
}

impl SocialGraph for Embedded {
    fn targets(&self, relation: Relation, user: UserId) -> IdSet<UserId> {
        let slot = self.memory.index.slot(user);
        self.ids(slot.map(|slot| self.memory.edges(relation).targets.list(slot)))
    }

    fn sources(&self, relation: Relation, user: UserId) -> IdSet<UserId> {
        let slot = self.memory.index.slot(user);
        self.ids(slot.map(|slot| self.memory.edges(relation).sources.list(slot)))
    }

    fn has(&self, relation: Relation, from: UserId, to: UserId) -> bool {
        let slots = self.memory.index.slot(from).zip(self.memory.index.slot(to));
        slots.is_some_and(|(from, to)| self.memory.edges(relation).targets.has(from, to))
    }

    fn sources_among(
        &self,
        relation: Relation,
        users: &[UserId],
        among: &IdSet<UserId>,
        limit: usize,
    ) -> Vec<Vec<UserId>> {
        let index = &self.memory.index;
        let mut among: Vec<u32> = among.iter().filter_map(|user| index.slot(user)).collect();
        among.sort_unstable();
        // Accounts that came later have slots in the order of their coming: then the first ones are not known to be the
        // smallest ids.
        let is_in_order = among.last().is_none_or(|slot| index.is_in_order(*slot));
        let enough = if is_in_order { limit } else { usize::MAX };
        let sources = &self.memory.edges(relation).sources;
        index.with_ids(|id_of| {
            let common = |user: &UserId| {
                let Some(slot) = index.slot(*user) else { return Vec::new() };
                let mut ids: Vec<UserId> =
                    sources.common(slot, &among, enough).into_iter().map(id_of).collect();
                if !is_in_order {
                    ids.sort_unstable();
                    ids.truncate(limit);
                }
                ids
            };
            users.iter().map(common).collect()
        })
    }

    fn set(&self, relation: Relation, from: UserId, to: UserId, holds: bool) -> Result<(), StoreError> {
        self.journal.commit(Write::Relation { relation, from, to, holds }).map(drop)
    }
}

impl PostStore for Embedded {
    fn get(&self, id: PostId) -> Option<(Arc<Post>, PostCounts)> {
        self.memory.posts.get(id, self.memory.post_horizon())
    }

    fn visit_by_author(
        &self,
        author: UserId,
        visit: &mut dyn FnMut(&Arc<Post>, PostCounts) -> ControlFlow<()>,
    ) {
        if let Some(slot) = self.memory.index.slot(author) {
            self.memory.posts.visit(slot, self.memory.post_horizon(), visit);
        }
    }

    fn newest_version(&self, id: PostId) -> Option<PostId> {
        let mut newest = self.memory.versions.get(&id.0)?;
        // Ids of versions ascend, so this ends.
        while let Some(newer) = self.memory.versions.get(&newest) {
            newest = newer;
        }
        Some(PostId(newest))
    }

    fn edit(&self, old: PostId, new: Post) -> Result<(), StoreError> {
        self.journal.commit(Write::EditPost { old, new: Box::new(new) }).map(drop)
    }

    fn insert(&self, post: Post) -> Result<(), StoreError> {
        self.journal.commit(Write::InsertPost(Box::new(post))).map(drop)
    }

    fn delete(&self, id: PostId) -> Result<bool, StoreError> {
        self.journal.commit(Write::DeletePost(id))
    }
}

impl UserStore for Embedded {
    fn get(&self, id: UserId) -> Option<Arc<User>> {
        self.memory.accounts.with(&id.0, |account| account.map(|account| Arc::clone(&account.user)))
    }

    fn settings(&self, id: UserId) -> Option<Arc<ViewerSettings>> {
        self.memory.accounts.with(&id.0, |account| account.map(|account| Arc::clone(&account.settings)))
    }

    fn put(&self, user: User) -> Result<(), StoreError> {
        self.journal.commit(Write::PutUser(user)).map(drop)
    }

    fn put_settings(&self, id: UserId, settings: ViewerSettings) -> Result<(), StoreError> {
        self.journal.commit(Write::PutSettings(id, settings)).map(drop)
    }
}

impl EngagementGraph for Embedded {
    fn of_user(&self, user: UserId, limit: usize) -> Vec<GraphEngagement> {
        let since = self.memory.graph_horizon();
        let slot = self.memory.index.slot(user);
        slot.map(|slot| self.memory.engagements.of_user(user, slot, since, limit)).unwrap_or_default()
    }

    fn of_post(&self, post: PostId, limit: usize) -> Vec<GraphEngagement> {
        self.memory.engagements.of_post(post, self.memory.graph_horizon(), limit)
    }

    fn visit_posts(
        &self,
        posts: &[PostId],
        limit: usize,
        visit: &mut dyn FnMut(usize, UserId, EngagementKind),
    ) {
        self.memory.engagements.visit_posts(posts, self.memory.graph_horizon(), limit, visit);
    }

    fn record(&self, engagements: &[Engagement]) -> Result<(), StoreError> {
        if engagements.is_empty() {
            return Ok(());
        }
        let latest = self.memory.clock.now() + MAX_AHEAD;
        let with_traits = |engagement: &Engagement| {
            let traits = self.memory.traits_of_new(engagement, latest)?;
            Ok(Recorded { engagement: *engagement, traits, is_counted: true })
        };
        let refused = |problem| StoreError::Refused { store: "engagements", operation: "record", problem };
        let all: Result<Vec<_>, String> = engagements.iter().map(with_traits).collect();
        self.journal.commit(Write::Engagements(all.map_err(refused)?)).map(drop)
    }
}

impl AggregateStore for Embedded {
    fn visit_tallies(&self, keys: &[TallyKey], visit: &mut dyn FnMut(usize, Rows<'_>)) {
        let aggregates = &self.memory.aggregates;
        for (position, key) in keys.iter().enumerate() {
            let look = |rows: Rows<'_>| visit(position, rows);
            match *key {
                TallyKey::Person(user) => {
                    if let Some(slot) = self.memory.index.slot(user) {
                        aggregates.person(slot, look);
                    }
                }
                TallyKey::Post(post) => aggregates.post(post, look),
                TallyKey::Topic(topic) => aggregates.topic(topic, look),
                TallyKey::Community(community) => aggregates.community(community, look),
                TallyKey::Language(language) => aggregates.language(language, look),
                TallyKey::Country(country) => aggregates.country(country, look),
            }
        }
    }

    fn visit_given(&self, by: UserId, visit: &mut dyn FnMut(&Given)) {
        let Some(slot) = self.memory.index.slot(by) else { return };
        self.memory.aggregates.given(slot, |rows| self.show_given(rows, visit));
    }

    fn visit_given_to(&self, author: UserId, by: &[UserId], visit: &mut dyn FnMut(usize, &Given)) {
        let Some(to) = self.memory.index.slot(author) else { return };
        for (position, user) in by.iter().enumerate() {
            let Some(slot) = self.memory.index.slot(*user) else { continue };
            self.memory.aggregates.given_to(slot, to, |rows| {
                self.show_given(rows, &mut |given| visit(position, given));
            });
        }
    }

    fn home_community(&self, user: UserId) -> Option<u32> {
        self.memory.embeddings.home(self.memory.index.slot(user)?)
    }
}

impl RetrievalIndex for Embedded {
    fn visit_posts(&self, community: u32, since: Millis, visit: &mut dyn FnMut(PostId, f32)) {
        self.memory.community_posts.visit(
            community,
            PostId::at(since.max(self.memory.post_horizon())),
            visit,
        );
    }

    fn people(&self, community: u32, limit: usize) -> Vec<UserId> {
        let slots = self.memory.community_people.get(&community).map(Vec::as_slice).unwrap_or_default();
        self.memory.index.with_ids(|id_of| slots.iter().take(limit).map(|slot| id_of(*slot)).collect())
    }

    fn visit_popular_videos(&self, visit: &mut dyn FnMut(PostId, f64) -> ControlFlow<()>) {
        self.memory.popular_videos.visit(visit);
    }
}

impl Embedded {
    fn show_given(&self, rows: &[GivenRow], visit: &mut dyn FnMut(&Given)) {
        self.memory.index.with_ids(|id_of| {
            for row in rows {
                let GivenRow { author, topic, language, cell, kind, count } = *row;
                let community = self.memory.embeddings.home(author);
                visit(&Given { author: id_of(author), community, topic, language, cell, kind, count });
            }
        });
    }
}

impl RealGraph for Embedded {
    fn strongest(&self, viewer: UserId, limit: usize) -> RealGraphScores {
        let Some(slot) = self.memory.index.slot(viewer) else { return RealGraphScores::default() };
        let mut ties: Vec<_> =
            self.memory.ties.list(slot).iter().map(|tie| (tie.to, tie.strength.score)).collect();
        if ties.len() > limit {
            // Equal scores are cut by slot, so that the same ones stay every time.
            ties.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            ties.truncate(limit);
        }
        self.memory.index.with_ids(|id_of| RealGraphScores {
            by_user: ties.into_iter().map(|(to, score)| (id_of(to), score)).collect(),
        })
    }

    fn ties(&self, viewer: UserId, authors: &[UserId]) -> Vec<Option<TieStrength>> {
        let slot = self.memory.index.slot(viewer);
        let ties = slot.map(|slot| self.memory.ties.list(slot)).unwrap_or_default();
        let tie = |author: &UserId| {
            let to = self.memory.index.slot(*author)?;
            let place = ties.binary_search_by_key(&to, |tie| tie.to).ok()?;
            Some(ties[place].strength)
        };
        authors.iter().map(tie).collect()
    }
}

impl EmbeddingStore for Embedded {
    fn width(&self) -> usize {
        self.memory.embeddings.width
    }

    fn follow(&self, user: UserId) -> Option<DenseEmbedding> {
        self.memory.embeddings.dense(self.memory.index.slot(user)?)?.follow.clone()
    }

    fn engagement(&self, user: UserId) -> Option<DenseEmbedding> {
        self.memory.embeddings.dense(self.memory.index.slot(user)?)?.engagement.clone()
    }

    fn author(&self, author: UserId) -> Option<DenseEmbedding> {
        self.memory.embeddings.dense(self.memory.index.slot(author)?)?.author.clone()
    }

    fn user_communities(&self, user: UserId) -> Option<SparseEmbedding> {
        self.memory.embeddings.user_communities(self.memory.index.slot(user)?)
    }

    fn post_communities(&self, post: PostId) -> Option<SparseEmbedding> {
        self.memory.embeddings.post_communities(post)
    }
}
