//! Everything the stores know, in memory, and how one write changes it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::adjacency::{Adjacency, Csr};
use super::aggregates::{Aggregates, Counted, Slots};
use super::embeddings::Embeddings;
use super::engagements::{DEFAULT_MAX_EDGES, Engagements, GRAPH_WINDOW_MS};
use super::feedback::FeedbackLog;
use super::history::{History, HistoryHorizons};
use super::journal::Write;
use super::lists::Lists;
use super::posts::Posts;
use super::retrieval::{CommunityPosts, PopularVideos};
use super::shards::ShardedMap;
use super::user_index::UserIndex;
use crate::domain::stores::{Relation, TieStrength};
use crate::domain::{
    Carries, Clock, Engagement, EngagementKind, EventTraits, EventWeights, Habit, Millis, PostCounts, PostId,
    PostTraits, User, UserId, ViewerSettings, country_code,
};

/// How much the stores keep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreOptions {
    /// How long posts are kept. By default seven days.
    pub post_retention: Duration,
    /// How long served responses and visits are kept. By default 30 days, after which no rule reads them.
    pub history_retention: Duration,
    /// How long impressions are kept. By default two days.
    pub impression_retention: Duration,
    /// How long feedback and dismissals are kept. By default 154 days, after which no rule reads them.
    pub feedback_retention: Duration,
    /// How long it is kept what a person gave in one way to one author, after the last time. By default 300 days, six
    /// times the longest half-life. Of one person at most 2,304 such rows are kept.
    pub given_retention: Duration,
    /// Most edges of the 24-hour graph; when it is full the oldest hours go. By default 33,554,432, a gibibyte.
    pub graph_edges: usize,
    /// After how many engagements what they add up to is written into the journal in their place. By default 4,194,304.
    pub fold_after: usize,
    /// For how long writes without a waiting caller may be held back before they are committed as a group. By default
    /// 40 ms, which leaves the commit itself 60 ms to stay within 100.
    pub group_delay: Duration,
    /// How often what has outlived its retention is freed. By default every two minutes.
    pub sweep_interval: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        Self {
            post_retention: days(7),
            history_retention: days(30),
            impression_retention: days(2),
            feedback_retention: days(154),
            given_retention: days(300),
            graph_edges: DEFAULT_MAX_EDGES,
            fold_after: 1 << 22,
            group_delay: Duration::from_millis(20),
            sweep_interval: Duration::from_secs(120),
        }
    }
}

/// Engagements that are recorded together: what is computed of them stays in the cache, and in memory that the allocator
/// keeps.
const RECORDED_AT_ONCE: usize = 256;

/// An account and what it has set.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) user: Arc<User>,
    pub(super) settings: Arc<ViewerSettings>,
    /// What engagements are counted by, of both: each engagement asks.
    habit: Habit,
    country: u16,
}

impl Account {
    pub(super) fn new(user: Arc<User>, settings: Arc<ViewerSettings>) -> Self {
        let (habit, country) = (Habit::of(settings.state), country_code(&user.country));
        Self { user, settings, habit, country }
    }

    /// What an engagement of the account is counted by.
    pub(super) fn traits(account: Option<&Self>, post: PostTraits, follows: bool) -> EventTraits {
        let (habit, country) = account.map_or((Habit::Light, 0), |account| (account.habit, account.country));
        EventTraits { post, follows, habit, country }
    }
}

/// One tie of a viewer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tie {
    /// The other's slot.
    pub(super) to: u32,
    pub(super) strength: TieStrength,
}

/// An engagement that was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    pub(super) engagement: Engagement,
    /// What it is counted by.
    pub(super) traits: EventTraits,
    /// Whether it is counted under its post, when the post is there.
    pub(super) is_counted: bool,
}

/// Both directions of one relation.
#[derive(Debug, Default)]
pub(super) struct Edges {
    pub(super) targets: Adjacency,
    pub(super) sources: Adjacency,
}

/// Everything the stores know.
pub(super) struct Memory {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: StoreOptions,
    pub(super) index: UserIndex,
    /// By [`Relation`].
    pub(super) relations: [Edges; Relation::ALL.len()],
    /// By viewer's slot, ascending by the other's slot.
    pub(super) ties: Csr<Tie>,
    pub(super) accounts: ShardedMap<u64, Account>,
    pub(super) posts: Posts,
    /// Old version → the next one.
    pub(super) versions: ShardedMap<u64, u64>,
    pub(super) engagements: Engagements,
    pub(super) aggregates: Aggregates,
    pub(super) embeddings: Embeddings,
    pub(super) community_posts: CommunityPosts,
    pub(super) popular_videos: PopularVideos,
    /// Slots of people by community.
    pub(super) community_people: HashMap<u32, Vec<u32>>,
    pub(super) lists: Lists,
    pub(super) feedback: FeedbackLog,
    pub(super) history: History,
}

impl Memory {
    /// Posts from before this moment do not exist any more.
    pub(super) fn post_horizon(&self) -> Millis {
        self.clock.now() - self.options.post_retention
    }

    /// Engagements from before this moment are not in the graph any more.
    pub(super) fn graph_horizon(&self) -> Millis {
        Millis(self.clock.now().0.saturating_sub(GRAPH_WINDOW_MS))
    }

    /// Before which moments history is forgotten.
    pub(super) fn history_horizons(&self) -> HistoryHorizons {
        let (now, options) = (self.clock.now(), &self.options);
        HistoryHorizons { served: now - options.history_retention, seen: now - options.impression_retention }
    }

    /// Feedback and dismissals from before this moment are forgotten.
    pub(super) fn feedback_horizon(&self) -> Millis {
        self.clock.now() - self.options.feedback_retention
    }

    pub(super) fn edges(&self, relation: Relation) -> &Edges {
        &self.relations[relation as usize]
    }

    /// Sets a relation in both directions; whether that changed anything.
    pub(super) fn set_relation(&self, relation: Relation, from: UserId, to: UserId, holds: bool) -> bool {
        let (from, to) = (self.index.slot_or_add(from), self.index.slot_or_add(to));
        let edges = self.edges(relation);
        edges.sources.set(to, from, holds);
        edges.targets.set(from, to, holds)
    }

    /// What an engagement is counted by, as things are now.
    pub(super) fn traits(&self, engagement: &Engagement) -> EventTraits {
        let post = self.posts.traits(engagement.post).map(|(_, traits)| traits).unwrap_or_default();
        let slots = self.index.slot(engagement.user).zip(self.index.slot(engagement.author));
        let follows =
            slots.is_some_and(|(user, author)| self.edges(Relation::Follow).targets.has(user, author));
        self.accounts.with(&engagement.user.0, |account| Account::traits(account, post, follows))
    }

    /// The same for an engagement that is new, at most at `latest`.
    ///
    /// # Errors
    /// What is wrong with it: nobody can have done that.
    pub(super) fn traits_of_new(
        &self,
        engagement: &Engagement,
        latest: Millis,
    ) -> Result<EventTraits, String> {
        let Engagement { user, post, author, at, .. } = *engagement;
        if at.0 < 0 || at > latest {
            return Err(format!("moment {} is not between 1970 and {}", at.0, latest.0));
        }
        let slot = |user| self.index.slot(user).ok_or_else(|| format!("user {user} does not exist"));
        let (user_slot, author_slot) = (slot(user)?, slot(author)?);
        let traits = match self.posts.traits(post) {
            Some((by, _)) if by != author_slot => {
                return Err(format!("post {post} is not by user {author}"));
            }
            found => found.map(|(_, traits)| traits).unwrap_or_default(),
        };
        let follows = self.edges(Relation::Follow).targets.has(user_slot, author_slot);
        Ok(self.accounts.with(&user.0, |account| Account::traits(account, traits, follows)))
    }

    /// Records engagements in graph, counts and embeddings, and under their posts.
    pub(super) fn record(&self, all: &[Recorded]) {
        all.chunks(RECORDED_AT_ONCE).for_each(|some| self.record_some(some));
    }

    fn record_some(&self, all: &[Recorded]) {
        let mut weights = EventWeights::default();
        let mut counted = Vec::with_capacity(all.len());
        for &Recorded { engagement, traits, .. } in all {
            let slots = Slots {
                user: self.index.slot_or_add(engagement.user),
                author: self.index.slot_or_add(engagement.author),
            };
            let community = self.embeddings.home(slots.author);
            let weight = weights.at(engagement.at);
            counted.push(Counted { engagement, slots, traits, community, weight });
        }
        let edges = counted.iter().map(|one| (one.engagement, one.slots.user));
        self.engagements.record(edges, self.graph_horizon());
        self.aggregates.record(&counted, &self.index);
        for (recorded, Counted { engagement, slots, traits, .. }) in all.iter().zip(&counted) {
            if recorded.is_counted {
                self.posts.count(engagement.post, engagement.kind);
            }
            if traits.post.cell.carries() == Carries::Video {
                self.popular_videos.record(engagement.post, engagement.kind, engagement.at);
            }
            if engagement.kind == EngagementKind::Favorite {
                self.attract(engagement.post, slots.user);
            }
        }
    }

    /// Records engagements in the graph alone: the rest of what they change is there already.
    pub(super) fn record_edges(&self, all: impl Iterator<Item = Engagement>) {
        let placed = all.map(|engagement| (engagement, self.index.slot_or_add(engagement.user)));
        self.engagements.record(placed, self.graph_horizon());
    }

    /// Moves a post towards somebody's communities, in its embedding and in the index.
    fn attract(&self, post: PostId, slot: u32) {
        let before = self.embeddings.post_communities(post).unwrap_or_default();
        self.embeddings.attract(post, slot);
        // A post that is gone must not be found again.
        if self.posts.contains(post) {
            let after = self.embeddings.post_communities(post).unwrap_or_default();
            self.community_posts.replace(post, before.entries(), after.entries());
        }
    }

    /// Replaces the communities that a post has by now, in its embedding and in the index.
    pub(super) fn put_communities(&self, post: PostId, entries: Vec<(u32, f32)>) {
        let before = self.embeddings.post_communities(post).unwrap_or_default();
        self.embeddings.live.insert(post.0, entries);
        let after = self.embeddings.post_communities(post).unwrap_or_default();
        self.community_posts.replace(post, before.entries(), after.entries());
    }

    /// Adds or replaces an account and keeps its settings.
    pub(super) fn put_user(&self, user: User) {
        self.index.slot_or_add(user.id);
        let id = user.id.0;
        let settings =
            self.accounts.with(&id, |account| account.map(|account| Arc::clone(&account.settings)));
        let account = Account::new(Arc::new(user), settings.unwrap_or_default());
        self.accounts.insert(id, account);
    }

    /// Does what a committed write says; whether that changed anything.
    ///
    /// Only the journal's thread calls this, so writes are applied one at a time, in the order of their commits.
    pub(super) fn apply(&self, write: Write) -> bool {
        match write {
            Write::Relation { relation, from, to, holds } => {
                if relation == Relation::Block && holds {
                    self.set_relation(Relation::Follow, from, to, false);
                    self.set_relation(Relation::Follow, to, from, false);
                }
                self.set_relation(relation, from, to, holds)
            }
            Write::InsertPost(post) => {
                let slot = self.index.slot_or_add(post.author);
                let is_new = self.posts.insert(slot, &post, PostCounts::default());
                if is_new && !post.is_repost() {
                    self.attract(post.id, slot);
                }
                is_new
            }
            Write::DeletePost(id) => self.forget_post(id),
            Write::EditPost { old, new } => {
                // The new version first: a reader that follows the old one's trace finds it.
                let id = new.id.0;
                let is_new = self.apply(Write::InsertPost(new));
                self.versions.insert(old.0, id);
                self.forget_post(old);
                is_new
            }
            Write::PutUser(user) => {
                self.put_user(user);
                true
            }
            Write::PutSettings(id, settings) => {
                let Some(account) = self.accounts.get(&id.0) else { return false };
                self.accounts.insert(id.0, Account::new(account.user, Arc::new(settings)));
                true
            }
            Write::Engagements(engagements) => {
                self.record(&engagements);
                true
            }
            Write::PutList(list) => {
                self.lists.put(list);
                true
            }
            Write::Feedback(feedback) => {
                self.feedback.add_feedback(feedback);
                true
            }
            Write::Dismissal(dismissal) => {
                self.feedback.add_dismissal(dismissal);
                true
            }
            Write::WithdrawFeedback(feedback) => self.feedback.withdraw_feedback(&feedback),
            Write::WithdrawDismissal(dismissal) => self.feedback.withdraw_dismissal(&dismissal),
            // History is in memory before it is written.
            Write::History { .. } | Write::Sweep | Write::Flush => true,
        }
    }

    /// Takes a post out with what was computed for it; whether it was there.
    pub(super) fn forget_post(&self, id: PostId) -> bool {
        let communities = self.embeddings.post_communities(id).unwrap_or_default();
        self.community_posts.replace(id, communities.entries(), &[]);
        self.popular_videos.forget(&[id]);
        self.embeddings.sweep(&[id]);
        self.posts.remove(id)
    }

    /// Frees what has outlived its retention. Returns what is to be deleted on disk as well.
    pub(super) fn sweep(&self) -> Swept {
        let horizon = self.post_horizon();
        let posts = self.posts.sweep(horizon);
        self.engagements.sweep(self.graph_horizon());
        self.aggregates.forget(&posts);
        self.community_posts.sweep(horizon);
        self.popular_videos.forget(&posts);
        self.embeddings.sweep(&posts);
        // Engagements may also name posts that were deleted or never were: their ids tell their age, and whether
        // anybody can have made them yet.
        let latest = self.clock.now() + Duration::from_secs(24 * 3_600);
        let is_over = |post: u64| {
            let made_at = PostId(post).made_at();
            !(horizon..=latest).contains(&made_at) && !self.posts.contains(PostId(post))
        };
        self.aggregates.forget_posts(is_over);
        self.embeddings.live.for_each_shard(|shard| shard.retain(|post, _| !is_over(*post)));
        self.popular_videos.forget_posts(is_over);
        self.versions.for_each_shard(|shard| shard.retain(|old, _| PostId(*old).made_at() >= horizon));
        self.feedback.sweep(self.feedback_horizon());
        let givers = self.aggregates.forget_given(self.clock.now() - self.options.given_retention);
        let givers = self.index.with_ids(|id_of| givers.into_iter().map(id_of).collect());
        Swept { posts, history: self.history.sweep(self.history_horizons()), givers }
    }
}

/// What a sweep freed.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Posts that are over.
    pub(super) posts: Vec<PostId>,
    /// Viewers and numbers of their history's entries that are over.
    pub(super) history: Vec<(UserId, u64)>,
    /// People of whose rows of what they gave some are over.
    pub(super) givers: Vec<UserId>,
}
