//! A candidate: one post on its way through one request's funnel.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Feature, Millis, Post, PostCounts, PostId, Task, TopicId, User, UserId};

/// Which candidate source found a post. The order is the funnel's: in de-duplication the earlier one wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SourceKind {
    /// Scored for this viewer within the last three minutes.
    Cached,
    /// Written or reposted by an account that the viewer follows.
    #[default]
    InNetwork,
    /// Engaged with by accounts that the viewer follows.
    SecondDegree,
    /// Close to what the viewer engaged with.
    Similar,
    /// Written by an account that is recommended to the viewer.
    RecommendedAuthor,
    /// Written by a member of one of the viewer's lists.
    List,
    /// A popular video.
    PopularVideo,
    /// From the plain reverse-chronological timeline, when the viewer was away.
    Backfill,
    /// From a timeline whose posts stand newest first.
    Chronological,
    /// Named by the request or chosen by a mixer: previews, ads, a notification's post, what stands above a reply.
    Named,
}

impl SourceKind {
    /// All sources of the ranking, in funnel order.
    pub const ALL: [Self; 8] = [
        Self::Cached,
        Self::InNetwork,
        Self::SecondDegree,
        Self::Similar,
        Self::RecommendedAuthor,
        Self::List,
        Self::PopularVideo,
        Self::Backfill,
    ];

    /// The name in output, configuration and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::InNetwork => "in_network",
            Self::SecondDegree => "second_degree",
            Self::Similar => "similar",
            Self::RecommendedAuthor => "recommended_author",
            Self::List => "list",
            Self::PopularVideo => "popular_video",
            Self::Backfill => "backfill",
            Self::Chronological => "chronological",
            Self::Named => "named",
        }
    }
}

/// As what a post is suggested to the viewer; several rules treat kinds differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SuggestKind {
    /// A ranked post of the viewer's network.
    #[default]
    RankedTimeline,
    /// Liked or reposted by somebody the viewer follows.
    Activity,
    /// Similar to what the viewer engaged with.
    SimilarContent,
    /// By a recommended author.
    RecommendedAuthor,
    /// From a list.
    RankedList,
    /// About a trend.
    RecommendedTrend,
    /// A media post.
    Media,
    /// From the reverse-chronological timeline.
    RankedOrganic,
    /// In a timeline whose posts stand newest first.
    Chronological,
    /// Because somebody pays for it.
    Promoted,
}

/// What a post is, by form: the kinds that a source can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// Neither a reply nor a repost; quotes count as originals.
    Original,
    /// A reply to somebody in the viewer's network.
    Reply,
    /// A reply of a followed account to an account that the viewer does not follow.
    ExtendedReply,
    /// A repost.
    Repost,
}

/// The posts that a reply stands under, nearest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// Ancestors from the direct parent up to the root, as far as they are stored.
    pub ancestors: Vec<(PostId, UserId)>,
}

/// Who of the viewer's network stands behind a post.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocialProof {
    /// Accounts that the viewer follows, neither blocks nor mutes, and that still like the post.
    pub liked_by: Vec<UserId>,
    /// The same for reposts.
    pub reposted_by: Vec<UserId>,
    /// The same for replies.
    pub replied_by: Vec<UserId>,
    /// Accounts that the viewer follows and that follow the author.
    pub followed_by: Vec<UserId>,
    /// The topic that is named as the reason, when the viewer follows it.
    pub topic: Option<TopicId>,
}

/// What rules read of a candidate's author.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthorFacts {
    /// Who posted it.
    pub author: Option<Arc<User>>,
    /// Who wrote what a repost passes on.
    pub original_author: Option<Arc<User>>,
    /// Who wrote what it quotes.
    pub quoted_author: Option<Arc<User>>,
}

/// One multiplication that the score went through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Factor {
    /// The rule's name.
    pub name: &'static str,
    /// What the score was multiplied with.
    pub value: f64,
}

/// One post on its way through one request.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The post; for a repost, the repost itself.
    pub post_id: PostId,
    /// Who posted it: the reposter for a repost.
    pub author_id: UserId,
    /// Which source found it.
    pub source: SourceKind,
    /// Which source had found it when it was scored, for a candidate out of the cache.
    pub cached_source: Option<SourceKind>,
    /// As what it is suggested.
    pub suggest: SuggestKind,
    /// The post itself.
    pub post: Feature<Arc<Post>>,
    /// What it passes on, for a repost.
    pub original: Feature<Option<Arc<Post>>>,
    /// What it quotes.
    pub quoted: Feature<Option<Arc<Post>>>,
    /// Its authors.
    pub authors: Feature<AuthorFacts>,
    /// Likes, replies, reposts and quotes of what a reader sees.
    pub counts: PostCounts,
    /// The same of what it quotes.
    pub quoted_counts: PostCounts,
    /// Whether the poster is the viewer or followed by them.
    pub in_network: Feature<bool>,
    /// Whether it is a reply of a followed account to a stranger.
    pub is_extended_reply: bool,
    /// Whether it was fetched only because another candidate replies to it or passes it on.
    pub is_source_post: bool,
    /// What it replies to.
    pub conversation: Feature<Conversation>,
    /// Who of the viewer's network stands behind it.
    pub social_proof: Feature<SocialProof>,
    /// Light ranker's score, by which a source cuts its results.
    pub light_score: f32,
    /// The model's ten calibrated probabilities, by [`Task::index`].
    pub probabilities: Feature<[f32; Task::COUNT]>,
    /// The weighted sum of the probabilities, before any factor.
    pub model_score: Feature<f64>,
    /// What the post is ranked by: the model score times all factors.
    pub score: f64,
    /// The factors in the order in which they were applied.
    pub factors: Vec<Factor>,
    /// When the model score was computed.
    pub scored_at: Option<Millis>,
}

impl Candidate {
    /// A candidate as a source hands it out: known by id, author and source, hydrated with nothing.
    pub fn new(post_id: PostId, author_id: UserId, source: SourceKind, suggest: SuggestKind) -> Self {
        Self {
            post_id,
            author_id,
            source,
            cached_source: None,
            suggest,
            post: Feature::Missing,
            original: Feature::Missing,
            quoted: Feature::Missing,
            authors: Feature::Missing,
            counts: PostCounts::default(),
            quoted_counts: PostCounts::default(),
            in_network: Feature::Missing,
            is_extended_reply: false,
            is_source_post: false,
            conversation: Feature::Missing,
            social_proof: Feature::Missing,
            light_score: 0.0,
            probabilities: Feature::Missing,
            model_score: Feature::Missing,
            score: 0.0,
            factors: Vec::new(),
            scored_at: None,
        }
    }

    /// A candidate for a stored post.
    pub fn of(post: &Arc<Post>, counts: PostCounts, source: SourceKind, suggest: SuggestKind) -> Self {
        let mut candidate = Self::new(post.id, post.author, source, suggest);
        candidate.post = Feature::Value(Arc::clone(post));
        candidate.counts = counts;
        candidate
    }

    /// Whether it counts as in network; a candidate that nobody looked at does.
    pub fn is_in_network(&self) -> bool {
        self.in_network.get_or(true)
    }

    /// Whether it passes another post on without a comment.
    pub fn is_repost(&self) -> bool {
        self.post.get().is_some_and(|post| post.is_repost())
    }

    /// Whether it answers another post.
    pub fn is_reply(&self) -> bool {
        self.post.get().is_some_and(|post| post.is_reply())
    }

    /// The post that a reader sees: the reposted one for a repost.
    pub fn original_id(&self) -> PostId {
        self.post.get().map_or(self.post_id, |post| post.original_id())
    }

    /// Who wrote what a reader sees.
    pub fn original_author_id(&self) -> UserId {
        self.post.get().map_or(self.author_id, |post| post.original_author())
    }

    /// The content that a reader sees: the reposted post for a repost, else the post.
    pub fn content(&self) -> Option<&Arc<Post>> {
        if self.is_repost() { self.original.get().and_then(Option::as_ref) } else { self.post.get() }
    }

    /// The source that first found it: for a candidate out of the cache, the one before the cache.
    pub fn first_source(&self) -> SourceKind {
        self.cached_source.unwrap_or(self.source)
    }
}
