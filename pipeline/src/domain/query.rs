//! A query: the viewer and the context that a slate is ranked for.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Candidate, Cursor, DenseEmbedding, Dismissal, Feature, Feedback, IdMap, IdSet, Language, ListId, Millis,
    PageKind, PostId, SourceKind, SparseEmbedding, SuggestKind, Task, TimelineKind, User, UserId,
    ViewerSettings,
};

/// What made the client ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceContext {
    /// The client's own schedule.
    Auto,
    /// The app came to the foreground.
    Foreground,
    /// The reader asked for a gap to be filled.
    Gap,
    /// The app was started.
    #[default]
    Launch,
    /// The reader asked for new posts by a button.
    ManualRefresh,
    /// The reader came from another place of the app.
    Navigate,
    /// A regular look for new posts.
    Polling,
    /// The reader pulled the timeline down.
    PullToRefresh,
    /// The account was just opened.
    Signup,
    /// The reader looks at a thread of their own.
    SelfThread,
    /// The app fetches while nobody looks.
    BackgroundFetch,
}

/// On which kind of device the timeline is read. Served history is kept for each apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// A browser.
    #[default]
    Web,
    /// An Android app.
    Android,
    /// An iOS app.
    Ios,
    /// Anything else.
    Other,
}

/// What one response had shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServedResponse {
    /// The request it answered.
    pub request_id: u64,
    /// When.
    pub at: Millis,
    /// Which kind of page.
    pub page: PageKind,
    /// The posts in their order, each with the post it passes on, if any.
    pub posts: Vec<(PostId, Option<PostId>)>,
    /// Of which timeline.
    #[serde(default)]
    pub timeline: TimelineKind,
    /// The request of the first page that it continued.
    #[serde(default)]
    pub session: u64,
    /// What else it showed.
    #[serde(default, skip_serializing_if = "ServedExtras::is_empty")]
    pub extras: ServedExtras,
}

/// What a response had shown beside posts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServedExtras {
    /// Accounts to follow.
    pub to_follow: Vec<UserId>,
    /// Accounts to subscribe to.
    pub to_subscribe: Vec<UserId>,
    /// Beginnings of posts for subscribers.
    pub previews: Vec<PostId>,
    /// Posts that the client was told a newer version of.
    pub replaced: Vec<PostId>,
    /// Ads.
    pub ads: Vec<u64>,
}

impl ServedExtras {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A post that was scored for this viewer lately.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CachedPost {
    /// The post.
    pub post_id: PostId,
    /// Its author.
    pub author_id: UserId,
    /// The source that had found it.
    pub source: SourceKind,
    /// As what it was suggested.
    pub suggest: SuggestKind,
    /// The model's score, before any factor.
    pub model_score: f64,
    /// The model's probabilities.
    pub probabilities: [f32; Task::COUNT],
    /// When it was scored.
    pub scored_at: Millis,
}

/// How much the viewer has to do with each account: the best scores, each in 0..=1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RealGraphScores {
    /// Score by account.
    pub by_user: IdMap<UserId, f32>,
}

/// What the caller says with the request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestFacts {
    /// Names the request in logs, served history and events.
    pub request_id: u64,
    /// Which timeline is asked for.
    pub timeline: TimelineKind,
    /// Where the client stands in the timeline.
    pub cursor: Option<Cursor>,
    /// The sort index from which the page's entries count down; none starts at this moment.
    pub sort_from: Option<i64>,
    /// The request of the first page that this one continues; on a first page, or one of newer posts, the request itself.
    pub session: u64,
    /// What made the client ask.
    pub context: DeviceContext,
    /// What it runs on.
    pub platform: Platform,
    /// The device's language.
    pub language: Language,
    /// ISO 3166 country code, lower case; empty when unknown.
    pub country: String,
    /// Posts that the client says its reader has seen.
    pub seen: Vec<PostId>,
    /// The post of a notification that the reader opened, to stand first.
    pub push_to_home: Option<PostId>,
    /// Most posts that the caller wants.
    pub max_results: Option<usize>,
}

impl RequestFacts {
    /// Which page is asked for.
    pub fn page(&self) -> PageKind {
        PageKind::of(self.cursor)
    }

    /// Whether nobody looks at the answer right away: such requests do not count as visits.
    pub fn is_polling(&self) -> bool {
        matches!(self.context, DeviceContext::Polling | DeviceContext::BackgroundFetch)
    }
}

/// What query hydrators find out about the viewer. Every set is shared, so cloning a query copies pointers.
#[derive(Clone, Debug, Default)]
pub struct ViewerFacts {
    /// The viewer's own account.
    pub user: Feature<Arc<User>>,
    /// The viewer's settings.
    pub settings: Feature<Arc<ViewerSettings>>,
    /// Whom the viewer follows.
    pub following: Feature<IdSet<UserId>>,
    /// Whom the viewer blocks.
    pub blocking: Feature<IdSet<UserId>>,
    /// Who blocks the viewer.
    pub blocked_by: Feature<IdSet<UserId>>,
    /// Whom the viewer mutes.
    pub muting: Feature<IdSet<UserId>>,
    /// Whose reposts the viewer has turned off.
    pub reposts_off: Feature<IdSet<UserId>>,
    /// To whom the viewer subscribes.
    pub subscriptions: Feature<IdSet<UserId>>,
    /// The strongest ties.
    pub real_graph: Feature<Arc<RealGraphScores>>,
    /// Posts scored within the cache's time to live.
    pub cached: Feature<Arc<[CachedPost]>>,
    /// Posts that the viewer has seen.
    pub impressions: Feature<IdSet<PostId>>,
    /// What was served of this timeline on this platform, newest first, as far back as any rule looks.
    pub history: Feature<Arc<[ServedResponse]>>,
    /// Posts that were lately served, or earlier in this session, with what they pass on.
    pub served: Feature<IdSet<PostId>>,
    /// Modules and prompts that the viewer closed.
    pub dismissals: Feature<Arc<[Dismissal]>>,
    /// Posts served to the viewer lately by author, each counted less the longer ago it was.
    pub served_authors: Feature<Arc<HashMap<UserId, f64>>>,
    /// What the viewer asked to see fewer of.
    pub feedback: Feature<Arc<[Feedback]>>,
    /// The viewer's lists, owned and subscribed.
    pub lists: Feature<Arc<[ListId]>>,
    /// The last visit that was not a poll.
    pub last_visit: Feature<Option<Millis>>,
    /// Whom the viewer follows, as an embedding.
    pub follow_embedding: Feature<Option<DenseEmbedding>>,
    /// What the viewer engages with, as an embedding.
    pub engagement_embedding: Feature<Option<DenseEmbedding>>,
    /// Which communities the viewer belongs to.
    pub communities: Feature<Option<SparseEmbedding>>,
}

/// The viewer and the context that a slate is ranked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Who asks.
    pub viewer: UserId,
    /// The moment for which everything is computed.
    pub now: Millis,
    /// What the caller says.
    pub request: RequestFacts,
    /// What was found out since.
    pub facts: ViewerFacts,
}

impl Query {
    /// A query that nobody has hydrated yet.
    pub fn new(viewer: UserId, now: Millis, request: RequestFacts) -> Self {
        Self { viewer, now, request, facts: ViewerFacts::default() }
    }

    /// Whether the viewer follows `user`; nobody is followed while that is not known.
    pub fn follows(&self, user: UserId) -> bool {
        self.facts.following.get().is_some_and(|following| following.contains(user))
    }

    /// Whether viewer and `user` must not meet: either blocks the other, or the viewer mutes them.
    pub fn avoids(&self, user: UserId) -> bool {
        [&self.facts.blocking, &self.facts.blocked_by, &self.facts.muting]
            .into_iter()
            .any(|set| set.get().is_some_and(|users| users.contains(user)))
    }

    /// Whether the viewer has seen the candidate or what it passes on.
    pub fn has_seen(&self, candidate: &Candidate) -> bool {
        self.facts
            .impressions
            .get()
            .is_some_and(|seen| seen.contains(candidate.post_id) || seen.contains(candidate.original_id()))
    }
}
