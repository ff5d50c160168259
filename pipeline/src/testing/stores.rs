//! All stores over plain maps.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::stores::{
    CountKey, EmbeddingStore, EngagementGraph, FeedbackStore, GraphEngagement, HistoryStore, List, ListStore,
    PostStore, RealGraph, Relation, ScoredPostsCache, SocialGraph, StoreError, Stores, TieStrength,
    UserStore,
};
use crate::domain::{
    CachedPost, DecayedCounts, DenseEmbedding, Dismissal, Engagement, Feedback, IdSet, ListId, Millis,
    Platform, Post, PostCounts, PostId, RealGraphScores, ServedResponse, SparseEmbedding, User, UserId,
    ViewerSettings,
};

/// All stores over plain maps: nothing is fast, nothing is durable.
#[derive(Default)]
pub(crate) struct MemoryStores {
    data: Mutex<Data>,
}

#[derive(Default)]
struct Data {
    relations: BTreeSet<(Relation, UserId, UserId)>,
    posts: BTreeMap<PostId, (Arc<Post>, PostCounts)>,
    users: HashMap<UserId, (Arc<User>, Arc<ViewerSettings>)>,
    engagements: Vec<Engagement>,
    counts: HashMap<CountKey, DecayedCounts>,
    ties: HashMap<(UserId, UserId), TieStrength>,
    lists: BTreeMap<ListId, List>,
    feedback: Vec<Feedback>,
    dismissals: Vec<Dismissal>,
    edits: HashMap<PostId, PostId>,
    served: Vec<(UserId, Platform, ServedResponse)>,
    impressions: Vec<(UserId, PostId, Millis)>,
    visits: Vec<(UserId, Millis)>,
    cache: HashMap<UserId, Arc<[CachedPost]>>,
}

impl MemoryStores {
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An account for each id, following nobody.
    pub(crate) fn with_users(ids: impl IntoIterator<Item = u64>) -> Arc<Self> {
        let stores = Self::default();
        for id in ids {
            let user = User { id: UserId(id), screen_name: format!("user{id}"), ..User::default() };
            stores.data().users.insert(UserId(id), (Arc::new(user), Arc::default()));
        }
        Arc::new(stores)
    }

    /// Adds a relation.
    pub(crate) fn relate(&self, relation: Relation, from: u64, to: u64) {
        self.data().relations.insert((relation, UserId(from), UserId(to)));
    }

    /// All posts, by id.
    pub(crate) fn all_posts(&self) -> Vec<Post> {
        self.data().posts.values().map(|(post, _)| Post::clone(post)).collect()
    }

    /// Changes an account.
    pub(crate) fn change(&self, user: u64, change: impl FnOnce(&mut User)) {
        if let Some((account, _)) = self.data().users.get_mut(&UserId(user)) {
            change(Arc::make_mut(account));
        }
    }

    /// Adds a post with counts.
    pub(crate) fn add(&self, post: &Post, favorites: u32) {
        let counts = PostCounts { favorites, ..PostCounts::default() };
        self.data().posts.insert(post.id, (Arc::new(post.clone()), counts));
    }

    /// The stores as components take them.
    pub(crate) fn stores(self: &Arc<Self>) -> Stores {
        Stores {
            graph: self.clone(),
            posts: self.clone(),
            users: self.clone(),
            engagements: self.clone(),
            real_graph: self.clone(),
            embeddings: self.clone(),
            lists: self.clone(),
            feedback: self.clone(),
            history: self.clone(),
            cache: self.clone(),
        }
    }
}

impl SocialGraph for MemoryStores {
    fn targets(&self, relation: Relation, user: UserId) -> IdSet<UserId> {
        let data = self.data();
        data.relations
            .iter()
            .filter(|(r, from, _)| *r == relation && *from == user)
            .map(|(.., to)| *to)
            .collect()
    }

    fn sources(&self, relation: Relation, user: UserId) -> IdSet<UserId> {
        let data = self.data();
        data.relations
            .iter()
            .filter(|(r, _, to)| *r == relation && *to == user)
            .map(|(_, from, _)| *from)
            .collect()
    }

    fn set(&self, relation: Relation, from: UserId, to: UserId, holds: bool) -> Result<(), StoreError> {
        let mut data = self.data();
        if holds {
            data.relations.insert((relation, from, to));
        } else {
            data.relations.remove(&(relation, from, to));
        }
        Ok(())
    }
}

impl PostStore for MemoryStores {
    fn get(&self, id: PostId) -> Option<(Arc<Post>, PostCounts)> {
        self.data().posts.get(&id).cloned()
    }

    fn visit_by_author(
        &self,
        author: UserId,
        visit: &mut dyn FnMut(&Arc<Post>, PostCounts) -> ControlFlow<()>,
    ) {
        for (post, counts) in self.data().posts.values().rev().filter(|(post, _)| post.author == author) {
            if visit(post, *counts).is_break() {
                return;
            }
        }
    }

    fn newest_version(&self, id: PostId) -> Option<PostId> {
        let data = self.data();
        let mut newest = *data.edits.get(&id)?;
        while let Some(newer) = data.edits.get(&newest) {
            newest = *newer;
        }
        Some(newest)
    }

    fn edit(&self, old: PostId, new: Post) -> Result<(), StoreError> {
        self.delete(old)?;
        self.data().edits.insert(old, new.id);
        self.insert(new)
    }

    fn insert(&self, post: Post) -> Result<(), StoreError> {
        self.add(&post, 0);
        Ok(())
    }

    fn delete(&self, id: PostId) -> Result<bool, StoreError> {
        Ok(self.data().posts.remove(&id).is_some())
    }
}

impl UserStore for MemoryStores {
    fn get(&self, id: UserId) -> Option<Arc<User>> {
        self.data().users.get(&id).map(|(user, _)| Arc::clone(user))
    }

    fn settings(&self, id: UserId) -> Option<Arc<ViewerSettings>> {
        self.data().users.get(&id).map(|(_, settings)| Arc::clone(settings))
    }

    fn put(&self, user: User) -> Result<(), StoreError> {
        self.data().users.insert(user.id, (Arc::new(user), Arc::default()));
        Ok(())
    }

    fn put_settings(&self, id: UserId, settings: ViewerSettings) -> Result<(), StoreError> {
        if let Some((_, old)) = self.data().users.get_mut(&id) {
            *old = Arc::new(settings);
        }
        Ok(())
    }
}

impl EngagementGraph for MemoryStores {
    fn of_user(&self, user: UserId, limit: usize) -> Vec<GraphEngagement> {
        self.edges(limit, |engagement| engagement.user == user)
    }

    fn of_post(&self, post: PostId, limit: usize) -> Vec<GraphEngagement> {
        self.edges(limit, |engagement| engagement.post == post)
    }

    fn visit_counts(&self, keys: &[CountKey], visit: &mut dyn FnMut(usize, Option<&DecayedCounts>)) {
        let data = self.data();
        keys.iter().enumerate().for_each(|(index, key)| visit(index, data.counts.get(key)));
    }

    fn record(&self, engagements: &[Engagement]) -> Result<(), StoreError> {
        let mut data = self.data();
        for engagement in engagements {
            let Engagement { user, post, author, kind, at } = *engagement;
            for key in [
                CountKey::Post(post),
                CountKey::Author(author),
                CountKey::Viewer(user),
                CountKey::ViewerAuthor(user, author),
            ] {
                data.counts.entry(key).or_default().add(kind, at);
            }
            data.engagements.push(*engagement);
        }
        Ok(())
    }
}

impl MemoryStores {
    fn edges(&self, limit: usize, wanted: impl Fn(&Engagement) -> bool) -> Vec<GraphEngagement> {
        let data = self.data();
        let edge = |e: &Engagement| GraphEngagement { user: e.user, post: e.post, kind: e.kind, at: e.at };
        data.engagements.iter().rev().filter(|engagement| wanted(engagement)).take(limit).map(edge).collect()
    }
}

impl RealGraph for MemoryStores {
    fn strongest(&self, viewer: UserId, _limit: usize) -> RealGraphScores {
        let data = self.data();
        let of_viewer = data.ties.iter().filter(|((from, _), _)| *from == viewer);
        RealGraphScores { by_user: of_viewer.map(|((_, to), tie)| (*to, tie.score)).collect() }
    }

    fn ties(&self, viewer: UserId, authors: &[UserId]) -> Vec<Option<TieStrength>> {
        let data = self.data();
        authors.iter().map(|author| data.ties.get(&(viewer, *author)).copied()).collect()
    }
}

impl EmbeddingStore for MemoryStores {
    fn width(&self) -> usize {
        200
    }

    fn follow(&self, user: UserId) -> Option<DenseEmbedding> {
        self.author(user)
    }

    fn engagement(&self, user: UserId) -> Option<DenseEmbedding> {
        self.author(user)
    }

    fn author(&self, author: UserId) -> Option<DenseEmbedding> {
        Some((0..200).map(|place| ((author.0 + place) % 7) as f32).collect())
    }

    fn user_communities(&self, user: UserId) -> Option<SparseEmbedding> {
        Some(SparseEmbedding::new(vec![((user.0 % 3) as u32, 1.0)]))
    }

    fn post_communities(&self, post: PostId) -> Option<SparseEmbedding> {
        Some(SparseEmbedding::new(vec![((post.0 % 3) as u32, 1.0)]))
    }
}

impl ListStore for MemoryStores {
    fn get(&self, id: ListId) -> Option<List> {
        self.data().lists.get(&id).cloned()
    }

    fn of_user(&self, user: UserId, limit: usize) -> Vec<ListId> {
        let data = self.data();
        data.lists.values().filter(|list| list.owner == user).take(limit).map(|list| list.id).collect()
    }

    fn put(&self, list: List) -> Result<(), StoreError> {
        self.data().lists.insert(list.id, list);
        Ok(())
    }
}

impl FeedbackStore for MemoryStores {
    fn feedback(&self, viewer: UserId, since: Millis) -> Vec<Feedback> {
        let data = self.data();
        data.feedback.iter().filter(|entry| entry.viewer == viewer && entry.at >= since).copied().collect()
    }

    fn dismissals(&self, viewer: UserId, since: Millis) -> Vec<Dismissal> {
        let data = self.data();
        data.dismissals.iter().filter(|entry| entry.viewer == viewer && entry.at >= since).cloned().collect()
    }

    fn record_feedback(&self, feedback: Feedback) -> Result<(), StoreError> {
        self.data().feedback.push(feedback);
        Ok(())
    }

    fn record_dismissal(&self, dismissal: Dismissal) -> Result<(), StoreError> {
        self.data().dismissals.push(dismissal);
        Ok(())
    }
}

impl HistoryStore for MemoryStores {
    fn served(&self, viewer: UserId, platform: Platform, since: Millis) -> Vec<ServedResponse> {
        let data = self.data();
        let wanted = data
            .served
            .iter()
            .rev()
            .filter(|(user, on, response)| *user == viewer && *on == platform && response.at >= since);
        wanted.map(|(.., response)| response.clone()).collect()
    }

    fn impressions(&self, viewer: UserId, since: Millis, limit: usize) -> Vec<PostId> {
        let data = self.data();
        let wanted = data.impressions.iter().rev().filter(|(user, _, at)| *user == viewer && *at >= since);
        wanted.take(limit).map(|(_, post, _)| *post).collect()
    }

    fn visits(&self, viewer: UserId) -> Vec<Millis> {
        let data = self.data();
        data.visits.iter().rev().filter(|(user, _)| *user == viewer).take(10).map(|(_, at)| *at).collect()
    }

    fn record_served(
        &self,
        viewer: UserId,
        platform: Platform,
        response: ServedResponse,
    ) -> Result<(), StoreError> {
        self.data().served.push((viewer, platform, response));
        Ok(())
    }

    fn record_impressions(&self, viewer: UserId, posts: &[PostId], at: Millis) -> Result<(), StoreError> {
        self.data().impressions.extend(posts.iter().map(|post| (viewer, *post, at)));
        Ok(())
    }

    fn record_visit(&self, viewer: UserId, at: Millis) -> Result<(), StoreError> {
        self.data().visits.push((viewer, at));
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl ScoredPostsCache for MemoryStores {
    fn get(&self, viewer: UserId, since: Millis) -> Arc<[CachedPost]> {
        let cached = self.data().cache.get(&viewer).cloned().unwrap_or_else(|| Arc::new([]));
        cached.iter().filter(|post| post.scored_at >= since).cloned().collect()
    }

    fn put(&self, viewer: UserId, posts: Vec<CachedPost>) {
        self.data().cache.insert(viewer, posts.into());
    }

    fn clear(&self, viewer: UserId) {
        self.data().cache.remove(&viewer);
    }
}
