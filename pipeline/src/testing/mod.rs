//! A small world in memory, and a model that says what a test wants.

mod stores;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

pub(crate) use stores::MemoryStores;

use crate::config::PipelineConfig;
use crate::domain::{
    Ad, Candidate, Feature, FeatureBatch, IdSet, ManualClock, Millis, ModelInputs, Post, PostCounts, PostId,
    PostRef, Predictions, Query, RequestColumns, RequestFacts, ScorerClient, ScorerError, SourceKind,
    SuggestKind, Task, UserId,
};
use crate::engine::{Engine, EngineConfig, Run};
use crate::features::{Registry, families};
use crate::sealed::Key;
use crate::timeline::{Home, HomeParts};

/// The moment at which tests take place.
pub(crate) const NOW: Millis = Millis(1_700_000_000_000);

/// The viewer of tests.
pub(crate) const VIEWER: UserId = UserId(1);

/// An id made so long before [`NOW`]; `salt` tells ids of one moment apart.
pub(crate) fn id_before(ago: Duration, salt: u64) -> PostId {
    PostId(PostId::at(NOW - ago).0 + salt)
}

/// An hour's multiples.
pub(crate) fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

/// A plain post of `author`, made `minutes` before [`NOW`]; its id is told apart by the author.
pub(crate) fn post(author: u64, minutes: u64) -> Post {
    let ago = Duration::from_secs(minutes * 60);
    let id = id_before(ago, author);
    Post {
        id,
        author: UserId(author),
        created_at: NOW - ago,
        conversation: id,
        text: format!("post of {author}"),
        ..Post::default()
    }
}

/// A repost of `original` by `author`.
pub(crate) fn repost(author: u64, minutes: u64, original: &Post) -> Post {
    Post { repost_of: Some(reference(original)), text: String::new(), ..post(author, minutes) }
}

/// A reply to `parent` by `author`.
pub(crate) fn reply(author: u64, minutes: u64, parent: &Post) -> Post {
    Post { in_reply_to: Some(reference(parent)), conversation: parent.conversation, ..post(author, minutes) }
}

/// A quote of `quoted` by `author`.
pub(crate) fn quote(author: u64, minutes: u64, quoted: &Post) -> Post {
    Post { quotes: Some(reference(quoted)), ..post(author, minutes) }
}

/// What other posts say of a post.
pub(crate) fn reference(post: &Post) -> PostRef {
    PostRef { id: post.id, author: post.author }
}

/// A candidate of a post, in network, with its own hydrated fields.
pub(crate) fn candidate(post: &Post) -> Candidate {
    let source = SourceKind::InNetwork;
    let post = Arc::new(post.clone());
    let mut candidate = Candidate::of(&post, PostCounts::default(), source, SuggestKind::RankedTimeline);
    candidate.in_network = Feature::Value(true);
    candidate.original = Feature::Value(None);
    candidate.quoted = Feature::Value(None);
    candidate
}

/// The same, from outside of the network.
pub(crate) fn stranger(post: &Post) -> Candidate {
    let mut candidate = candidate(post);
    candidate.in_network = Feature::Value(false);
    candidate.source = SourceKind::Similar;
    candidate.suggest = SuggestKind::SimilarContent;
    candidate
}

/// A query whose viewer follows `following` and has no other relations.
pub(crate) fn query(following: &[u64]) -> Query {
    let mut query = Query::new(VIEWER, NOW, RequestFacts::default());
    query.facts.following = Feature::Value(users(following));
    for set in [
        &mut query.facts.blocking,
        &mut query.facts.blocked_by,
        &mut query.facts.muting,
        &mut query.facts.reposts_off,
        &mut query.facts.subscriptions,
    ] {
        *set = Feature::Value(IdSet::default());
    }
    query
}

/// A set of users.
pub(crate) fn users(ids: &[u64]) -> IdSet<UserId> {
    ids.iter().copied().map(UserId).collect()
}

/// A run of an engine whose clock stands at [`NOW`].
pub(crate) fn run() -> Arc<Run> {
    Engine::new(Arc::new(ManualClock::new(NOW)), EngineConfig::patient()).start()
}

/// All timelines over these stores, with a key that every test knows.
pub(crate) fn home(
    config: PipelineConfig,
    stores: &Arc<MemoryStores>,
    ads: &[Ad],
    answer: Answer,
) -> (Home, Arc<HashModel>, Arc<ManualClock>) {
    let registry = Arc::new(Registry::new(families::all(&stores.stores())).expect("the families fit"));
    let model = HashModel::new(registry.request_columns(ModelInputs::PRODUCTION), answer);
    let clock = Arc::new(ManualClock::new(NOW));
    let parts = HomeParts {
        stores: stores.stores(),
        ads: ads.into(),
        registry,
        client: model.clone(),
        recommender: None,
        clock: clock.clone(),
        key: Key::new([7; 32]),
    };
    // The tests' machine may be busy: what a timeline holds must not depend on it. Only a model hangs.
    let mut config = PipelineConfig { engine: EngineConfig::patient(), ..config };
    config.engine.timeouts_ms.insert("model".to_owned(), 1_500);
    (Home::new(config, parts).expect("declared rightly"), model, clock)
}

/// The usual configuration with the network as its only source, so that sources do not overlap.
pub(crate) fn config() -> PipelineConfig {
    let mut config = PipelineConfig::default();
    config.fetch.backfill.enabled = false;
    config.fetch.second_degree.enabled = false;
    config.fetch.similar.enabled = false;
    config.fetch.recommended_authors.enabled = false;
    config.fetch.lists.enabled = false;
    config.fetch.popular_videos.enabled = false;
    config
}

/// A model whose probability of a like is a hash of the candidate's features: deterministic, different for different
/// candidates.
pub(crate) struct HashModel {
    request_columns: RequestColumns,
    /// How often it was asked.
    pub(crate) calls: AtomicUsize,
    answer: Answer,
}

/// What a [`HashModel`] does when it is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Answers.
    Rows,
    /// Answers one row too few.
    TooFew,
    /// Says that it is not available.
    Fails,
    /// Never answers.
    Hangs,
    /// Answers the same of every candidate.
    Same,
    /// Answers, and every third row is not a number.
    SomeNaN,
}

impl HashModel {
    pub(crate) fn new(request_columns: RequestColumns, answer: Answer) -> Arc<Self> {
        Arc::new(Self { request_columns, calls: AtomicUsize::new(0), answer })
    }
}

#[async_trait]
impl ScorerClient for HashModel {
    fn inputs(&self) -> ModelInputs {
        ModelInputs::PRODUCTION
    }

    fn request_columns(&self) -> &RequestColumns {
        &self.request_columns
    }

    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let width = batch.continuous.len() / batch.candidates.max(1);
        let row = |(index, features): (usize, &[f32])| {
            let mut row = [0.0; Task::COUNT];
            let hash = features.iter().fold(17_u64, |hash, value| {
                hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(value.to_bits()))
            });
            row[Task::Favorite.index()] = (hash >> 40) as f32 / (1u64 << 24) as f32;
            if self.answer == Answer::SomeNaN && index % 3 == 0 {
                row[Task::Reply.index()] = f32::NAN;
            }
            row
        };
        let mut rows: Vec<_> = batch.continuous.chunks_exact(width.max(1)).enumerate().map(row).collect();
        match self.answer {
            Answer::Rows | Answer::SomeNaN => {}
            Answer::Same => rows.iter_mut().for_each(|row| row[Task::Favorite.index()] = 0.5),
            Answer::TooFew => _ = rows.pop(),
            Answer::Fails => return (batch, Err(ScorerError::Unavailable("out of order".to_owned()))),
            Answer::Hangs => std::future::pending().await,
        }
        (batch, Ok(Predictions { rows }))
    }
}
