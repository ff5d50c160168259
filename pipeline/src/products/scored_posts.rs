//! The ranking that For You shows.

use std::sync::Arc;
use std::time::Duration;

use super::MAX_ANCESTORS;
use crate::config::PipelineConfig;
use crate::domain::stores::Stores;
use crate::domain::{Candidate, Query, ScorerClient, SourceKind};
use crate::engine::{
    AnyQueryHydrator, AsyncQueryHydrator, CandidatePipeline, FailOpen, QualityFactor, RecommendationPipeline,
    ScoringPipeline, Source, Step,
};
use crate::features::{BatchPool, FeaturePlan};
use crate::filters::{
    Age, AuthorVisibility, CompetitorAuthors, CompetitorUrls, ConversationDuplicates, FeedbackFatigue,
    Hydrated, MutedContent, OutOfNetworkSafety, OwnPosts, PreviouslySeen, PreviouslyServed, ProofRule,
    RepostDuplicates, SensitiveMediaFilter, SocialContext, SourcePosts, SubscriptionReplies, Subscriptions,
    SupportReplies,
};
use crate::gates::{Away, FollowsSomebody, NotEnoughCached};
use crate::hydrators::{Authors, Conversations, InNetworkFlag, RelatedPosts, SocialProofs};
use crate::query_hydrators::{
    CachedPosts, FeedbackHistory, Impressions, LastVisit, Lists, Relations, ServedAuthors, ServedHistory,
    StrongestTies, Viewer, ViewerEmbeddings,
};
use crate::scorers::{Heuristics, Model, WeightedSum};
use crate::selectors::{
    AppendRemaining, BestOutOfNetworkPerAuthor, DropDuplicates, NetworkCaps, ScoringCandidates, SortByScore,
};
use crate::side_effects::CacheScoredPosts;
use crate::sources::{
    Backfill, Cached, HasLists, InNetwork, ListPosts, PopularVideos, RecommendedAuthors, SecondDegree,
    Similar,
};

/// The name of the scoring pipeline that asks the model.
pub(super) const MODEL_SCORING: &str = "model_scoring";

const DAY: Duration = Duration::from_secs(86_400);
/// How many engagements of a post are searched for social proof, and how many accounts are named of a kind.
const PROOF_ENGAGEMENTS: usize = 500;
const PROOF_NAMED: usize = 10;
/// How soon a support account's reply counts as automatic.
const AUTOMATIC_REPLY: Duration = Duration::from_secs(60);

/// The scored-posts pipeline. `plan` computes what `client`'s model reads.
pub fn scored_posts(
    config: &PipelineConfig,
    stores: &Stores,
    plan: Arc<FeaturePlan>,
    client: Arc<dyn ScorerClient>,
) -> RecommendationPipeline<Query, Candidate> {
    let ms = Duration::from_millis;
    let Stores {
        graph,
        posts,
        users,
        engagements,
        real_graph,
        embeddings,
        lists,
        feedback,
        history,
        cache,
        ..
    } = stores.clone();
    let (fetch, filters) = (&config.fetch, &config.filters);
    let days = |count: u32| DAY * count;
    let fatigue = &config.heuristics.feedback;
    let quality = || Some(Arc::new(QualityFactor::new(fetch.quality_factor)));
    let not_enough = |source| Arc::new(NotEnoughCached { source, enough: fetch.cache.enough_cached });

    let cached = CandidatePipeline {
        fail_open: FailOpen::Always,
        ..CandidatePipeline::new("cached_posts", Arc::new(Cached))
    };
    let in_network = CandidatePipeline {
        gates: vec![not_enough(SourceKind::InNetwork)],
        filters: vec![Arc::new(SourcePosts)],
        fail_open: FailOpen::Always,
        quality_factor: quality(),
        ..CandidatePipeline::new(
            "in_network_posts",
            Arc::new(InNetwork { posts: Arc::clone(&posts), config: fetch.in_network.clone() }),
        )
    };
    let backfill_source = Backfill { posts: Arc::clone(&posts), max_results: fetch.backfill.max_results };
    let backfill = CandidatePipeline {
        gates: vec![
            not_enough(SourceKind::Backfill),
            Arc::new(Away { for_at_least: ms(fetch.backfill.away_ms) }),
            Arc::new(FollowsSomebody),
        ],
        fail_open: FailOpen::Always,
        quality_factor: quality(),
        ..CandidatePipeline::new("backfill_posts", Arc::new(backfill_source))
    };
    let mut candidate_pipelines = vec![cached, in_network];
    candidate_pipelines.extend(discovery(config, stores));
    candidate_pipelines.extend(fetch.backfill.enabled.then_some(backfill));

    let memory = config.heuristics.diversity.memory_half_life_ms.map(|half_life| ServedAuthors {
        history: Arc::clone(&history),
        posts: Arc::clone(&posts),
        half_life: ms(half_life),
    });
    let mut query_hydrators: Vec<Arc<dyn AnyQueryHydrator<Query>>> = vec![
        Arc::new(Viewer { users: Arc::clone(&users) }),
        Arc::new(Relations { graph: Arc::clone(&graph) }),
        Arc::new(StrongestTies { real_graph, limit: config.query.real_graph_limit }),
        Arc::new(CachedPosts { cache: Arc::clone(&cache), time_to_live: ms(fetch.cache.time_to_live_ms) }),
        Arc::new(Impressions {
            history: Arc::clone(&history),
            window: ms(config.query.impressions_window_ms),
            limit: config.query.impressions_limit,
        }),
        // Known already when a mixer asks.
        Arc::new(ServedHistory {
            history: Arc::clone(&history),
            announced: Arc::default(),
            moment: ms(config.query.served_window_ms),
            window: ms(config.query.served_window_ms),
            per_response: config.query.served_per_response,
        }),
        Arc::new(Lists { lists, limit: config.query.list_limit }),
        Arc::new(LastVisit { history: Arc::clone(&history) }),
    ];
    if let Some(memory) = memory {
        query_hydrators.push(Arc::new(memory));
    }

    RecommendationPipeline {
        query_hydrators: vec![query_hydrators],
        async_query_hydrators: vec![
            AsyncQueryHydrator::new(
                Arc::new(FeedbackHistory { feedback, window: days(fatigue.filter_days + fatigue.fade_days) }),
                Step::Filters,
            ),
            AsyncQueryHydrator::new(Arc::new(ViewerEmbeddings { embeddings }), Step::Scoring),
        ],
        candidate_pipelines,
        merge_selectors: vec![Arc::new(DropDuplicates), Arc::new(AppendRemaining)],
        hydrators: vec![
            vec![Arc::new(InNetworkFlag), Arc::new(RelatedPosts { posts: Arc::clone(&posts) })],
            vec![
                Arc::new(Authors { users }),
                Arc::new(Conversations { posts: Arc::clone(&posts), max_ancestors: MAX_ANCESTORS }),
                Arc::new(SocialProofs {
                    engagements,
                    graph,
                    max_engagements: PROOF_ENGAGEMENTS,
                    max_named: PROOF_NAMED,
                }),
            ],
        ],
        filters: vec![
            Arc::new(Age { max_age: ms(filters.max_age_ms) }),
            Arc::new(Hydrated),
            Arc::new(OwnPosts),
            Arc::new(RepostDuplicates),
            Arc::new(PreviouslySeen),
            Arc::new(PreviouslyServed),
            Arc::new(SubscriptionReplies),
            Arc::new(FeedbackFatigue { max_age: days(fatigue.filter_days) }),
            Arc::new(Subscriptions),
            Arc::new(AuthorVisibility),
            Arc::new(SensitiveMediaFilter),
            Arc::new(OutOfNetworkSafety),
            Arc::new(MutedContent),
        ],
        scoring_pipelines: vec![
            ScoringPipeline {
                selectors: vec![Arc::new(ScoringCandidates {
                    max_scored: config.scoring.max_scored.clone(),
                    max_candidates: config.scoring.max_candidates,
                })],
                scorers: vec![Arc::new(Model {
                    plan,
                    client,
                    sum: WeightedSum::new(&config.scoring),
                    batches: BatchPool::default(),
                })],
                fail_open: FailOpen::Always,
                quality_factor: Some(Arc::new(QualityFactor::new(config.scoring.quality_factor))),
                ..ScoringPipeline::new(MODEL_SCORING)
            },
            ScoringPipeline {
                scorers: vec![Arc::new(Heuristics { config: config.heuristics.clone() })],
                fail_open: FailOpen::Always,
                ..ScoringPipeline::new("heuristic_scoring")
            },
        ],
        post_scoring_filters: vec![
            Arc::new(SocialContext {
                rule: ProofRule { replies: true, topics: true, ..ProofRule::default() },
            }),
            Arc::new(CompetitorAuthors { authors: filters.competitor_authors.clone() }),
            Arc::new(CompetitorUrls { urls: filters.competitor_urls.clone() }),
            Arc::new(ConversationDuplicates),
            Arc::new(SupportReplies { posts, within: AUTOMATIC_REPLY }),
        ],
        selectors: vec![
            Arc::new(BestOutOfNetworkPerAuthor),
            Arc::new(SortByScore),
            Arc::new(NetworkCaps { config: config.selection.clone() }),
            Arc::new(AppendRemaining),
        ],
        quality_factor: Some(Arc::new(QualityFactor::new(config.ranking.quality_factor))),
        side_effects: vec![Arc::new(CacheScoredPosts { cache, max_posts: fetch.cache.max_posts })],
        ..RecommendationPipeline::new("scored_posts")
    }
}

/// The pipelines of the sources beyond the viewer's own network, in the funnel's order.
fn discovery(config: &PipelineConfig, stores: &Stores) -> Vec<CandidatePipeline<Query, Candidate>> {
    let fetch = &config.fetch;
    let light_ranker = || fetch.in_network.light_ranker.clone();
    let pipeline = |name, kind, enabled: bool, source: Arc<dyn Source<Query, Candidate>>| {
        enabled.then(|| CandidatePipeline {
            gates: vec![Arc::new(NotEnoughCached { source: kind, enough: fetch.cache.enough_cached })],
            fail_open: FailOpen::Always,
            quality_factor: Some(Arc::new(QualityFactor::new(fetch.quality_factor))),
            ..CandidatePipeline::new(name, source)
        })
    };
    let posts = || Arc::clone(&stores.posts);
    let engagements = || Arc::clone(&stores.engagements);
    let second_degree = SecondDegree {
        engagements: engagements(),
        posts: posts(),
        config: fetch.second_degree.clone(),
        light_ranker: light_ranker(),
    };
    let similar = Similar {
        index: Arc::clone(&stores.retrieval),
        embeddings: Arc::clone(&stores.embeddings),
        engagements: engagements(),
        posts: posts(),
        config: fetch.similar.clone(),
        light_ranker: light_ranker(),
    };
    let recommended = RecommendedAuthors {
        stores: stores.clone(),
        config: fetch.recommended_authors.clone(),
        light_ranker: light_ranker(),
    };
    let lists = ListPosts {
        lists: Arc::clone(&stores.lists),
        posts: posts(),
        config: fetch.lists.clone(),
        light_ranker: light_ranker(),
    };
    let videos = PopularVideos {
        index: Arc::clone(&stores.retrieval),
        posts: posts(),
        config: fetch.popular_videos.clone(),
        light_ranker: light_ranker(),
    };
    let mut list_posts = pipeline("list_posts", SourceKind::List, fetch.lists.enabled, Arc::new(lists));
    if let Some(pipeline) = &mut list_posts {
        pipeline.gates.push(Arc::new(HasLists));
    }
    [
        pipeline(
            "second_degree_posts",
            SourceKind::SecondDegree,
            fetch.second_degree.enabled,
            Arc::new(second_degree),
        ),
        pipeline("similar_posts", SourceKind::Similar, fetch.similar.enabled, Arc::new(similar)),
        pipeline(
            "recommended_author_posts",
            SourceKind::RecommendedAuthor,
            fetch.recommended_authors.enabled,
            Arc::new(recommended),
        ),
        list_posts,
        pipeline("popular_videos", SourceKind::PopularVideo, fetch.popular_videos.enabled, Arc::new(videos)),
    ]
    .into_iter()
    .flatten()
    .collect()
}
