//! All stores over plain maps.

mod kept;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::stores::{
    AggregateStore, EmbeddingStore, EngagementGraph, Given, GraphEngagement, List, PostStore, RealGraph,
    Relation, RetrievalIndex, SocialGraph, StoreError, Stores, TallyKey, TieStrength, UserStore,
    popularity_weight,
};
use crate::domain::{
    CachedPost, Decayed, DenseEmbedding, Dismissal, Engagement, EventTraits, EventWeight, Feedback, IdSet,
    ListId, Millis, Platform, Post, PostCounts, PostId, PostTraits, RealGraphScores, RowKey, Rows,
    ServedResponse, SparseEmbedding, Tally, TallyKind, User, UserId, ViewerSettings, cuts_of,
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
            aggregates: self.clone(),
            retrieval: self.clone(),
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

    fn record(&self, engagements: &[Engagement]) -> Result<(), StoreError> {
        self.data().engagements.extend_from_slice(engagements);
        Ok(())
    }
}

impl Data {
    fn traits(&self, event: &Engagement) -> EventTraits {
        let post = self.posts.get(&event.post).map(|(post, _)| PostTraits::of(post)).unwrap_or_default();
        let follows = self.relations.contains(&(Relation::Follow, event.user, event.author));
        let account = self.users.get(&event.user).map(|(user, settings)| (&**user, &**settings));
        EventTraits::new(post, follows, account)
    }
}

/// Counts anew from all events, with every call.
impl AggregateStore for MemoryStores {
    fn visit_tallies(&self, keys: &[TallyKey], visit: &mut dyn FnMut(usize, Rows<'_>)) {
        let data = self.data();
        for (position, key) in keys.iter().enumerate() {
            let mut tally = Tally::default();
            for event in &data.engagements {
                let traits = data.traits(event);
                let mut add = |of: TallyKind| {
                    cuts_of(of, &traits, event.at, |cut, code| {
                        tally.add(RowKey::new(cut, code, event.kind), &EventWeight::at(event.at));
                    });
                };
                match *key {
                    TallyKey::Person(user) => {
                        if event.author == user {
                            add(TallyKind::Author);
                        }
                        if event.user == user {
                            add(TallyKind::Engager);
                        }
                    }
                    TallyKey::Post(post) if event.post == post => add(TallyKind::Post),
                    TallyKey::Topic(topic) if traits.post.topic == topic => add(TallyKind::Topic),
                    TallyKey::Community(community) if home(event.author) == community => {
                        add(TallyKind::Community);
                    }
                    TallyKey::Language(language) if traits.post.language == language => {
                        add(TallyKind::Language);
                    }
                    TallyKey::Country(country) if traits.country == country => add(TallyKind::Country),
                    _ => {}
                }
            }
            if !tally.rows().is_empty() {
                visit(position, tally.rows());
            }
        }
    }

    fn visit_given(&self, by: UserId, visit: &mut dyn FnMut(&Given)) {
        let data = self.data();
        for event in data.engagements.iter().filter(|event| event.user == by) {
            let PostTraits { cell, topic, language } = data.traits(event).post;
            let mut count = Decayed::default();
            count.add(&EventWeight::at(event.at));
            let (author, community) = (event.author, Some(home(event.author)));
            visit(&Given { author, community, topic, language, cell, kind: event.kind, count });
        }
    }

    fn visit_given_to(&self, author: UserId, by: &[UserId], visit: &mut dyn FnMut(usize, &Given)) {
        for (position, user) in by.iter().enumerate() {
            self.visit_given(*user, &mut |given| {
                if given.author == author {
                    visit(position, given);
                }
            });
        }
    }

    fn home_community(&self, user: UserId) -> Option<u32> {
        Some(home(user))
    }
}

/// Looks at everything with every call.
impl RetrievalIndex for MemoryStores {
    fn visit_posts(&self, community: u32, since: Millis, visit: &mut dyn FnMut(PostId, f32)) {
        let ids: Vec<PostId> =
            self.data().posts.range(PostId::at(since)..).rev().map(|(id, _)| *id).collect();
        for id in ids {
            let embedding = self.post_communities(id).unwrap_or_default();
            if let Some((_, strength)) = embedding.entries().iter().find(|entry| entry.0 == community) {
                visit(id, strength / embedding.norm());
            }
        }
    }

    fn people(&self, community: u32, limit: usize) -> Vec<UserId> {
        let mut users: Vec<UserId> =
            self.data().users.keys().copied().filter(|user| home(*user) == community).collect();
        users.sort_unstable();
        users.truncate(limit);
        users
    }

    fn visit_popular_videos(&self, visit: &mut dyn FnMut(PostId, f64) -> ControlFlow<()>) {
        let data = self.data();
        let mut videos: Vec<(PostId, f64)> = Vec::new();
        for (id, (post, _)) in data.posts.iter().filter(|(_, (post, _))| post.media.video_ms.is_some()) {
            let of_post = data.engagements.iter().filter(|event| event.post == post.id);
            let sum: f64 = of_post
                .map(|e| {
                    popularity_weight(e.kind) * ((e.at.0 - 1_600_000_000_000) as f64 / 86_400_000.0).exp2()
                })
                .sum();
            if sum > 0.0 {
                videos.push((*id, sum.log2()));
            }
        }
        videos.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (id, score) in videos {
            if visit(id, score).is_break() {
                return;
            }
        }
    }
}

fn home(user: UserId) -> u32 {
    (user.0 % 3) as u32
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
