//! For You.

use std::sync::Arc;

use super::{TimelineResponse, scored_posts};
use crate::config::PipelineConfig;
use crate::domain::stores::{Stores, UserStore};
use crate::domain::{Candidate, Clock, Query, RequestFacts, ScorerClient, UserId};
use crate::engine::{
    CandidatePipeline, ComponentRow, Engine, FailOpen, Failure, Mixed, MixerChoice, MixerPipeline, Product,
    RecommendationPipeline, Report,
};
use crate::features::{FamilyTime, FeaturePlan, Registry, RegistryError};
use crate::filters::{AuthorVisibility, OutOfNetworkSafety, ProofRule, SocialContext, Subscriptions};
use crate::gates::KnownViewer;
use crate::hydrators::{Authors, InNetworkFlag, RelatedPosts};
use crate::mixing::filters::{EachPostOnce, ValidConversations};
use crate::mixing::selectors::{Among, Append, BreakBunches, CapPage, ItemOrder, SortItems};
use crate::mixing::sources::RankedPosts;
use crate::mixing::{Item, each_post, of_posts, single_posts};
use crate::query_hydrators::{Relations, Viewer};
use crate::sealed::Key;
use crate::side_effects::{RecordServed, RecordVisit};
use crate::timeline::{Marshaller, Timeline};

/// The For You product over its stores.
pub struct ForYou {
    engine: Arc<Engine>,
    product: Product<Query, Item, Timeline>,
    users: Arc<dyn UserStore>,
    ranking: Arc<RecommendationPipeline<Query, Candidate>>,
    plan: Arc<FeaturePlan>,
}

/// Declares For You.
///
/// # Errors
/// The model takes columns once a request that differ between candidates.
pub fn for_you(
    config: &PipelineConfig,
    stores: &Stores,
    registry: Arc<Registry>,
    client: Arc<dyn ScorerClient>,
    clock: Arc<dyn Clock>,
    key: &Key,
) -> Result<ForYou, RegistryError> {
    let engine = Engine::new(Arc::clone(&clock), config.engine.clone());
    let once = client.request_columns();
    let plan = FeaturePlan::new(registry, client.inputs(), once, Arc::clone(&stores.embeddings), clock)?;
    let plan = Arc::new(plan);
    let ranking = Arc::new(scored_posts(config, stores, Arc::clone(&plan), client));
    let users = Arc::clone(&stores.users);
    let history = &stores.history;
    let rule = ProofRule {
        replies: false,
        verified_authors: config.filters.verified_authors_need_no_proof,
        topics: config.filters.topic_is_proof,
    };
    let ranked_posts = CandidatePipeline {
        filters: vec![
            Arc::new(EachPostOnce),
            each_post(AuthorVisibility),
            each_post(OutOfNetworkSafety),
            single_posts(SocialContext { rule }),
            each_post(Subscriptions),
            Arc::new(ValidConversations),
        ],
        hydrators: vec![
            vec![of_posts(InNetworkFlag), of_posts(RelatedPosts { posts: Arc::clone(&stores.posts) })],
            vec![of_posts(Authors { users: Arc::clone(&users) })],
        ],
        // Without the ranking there is nothing to show: its failure is the request's.
        fail_open: FailOpen::Never,
        ..CandidatePipeline::new(
            "ranked_posts",
            Arc::new(RankedPosts { pipeline: Arc::clone(&ranking), posts: Arc::clone(&stores.posts) }),
        )
    };
    let marshaller =
        Marshaller { users: Arc::clone(&users), key: key.clone(), config: config.mixing.clone() };
    let mixer = MixerPipeline {
        query_hydrators: vec![vec![
            Arc::new(Viewer { users: Arc::clone(&stores.users) }),
            Arc::new(Relations { graph: Arc::clone(&stores.graph) }),
        ]],
        candidate_pipelines: vec![ranked_posts],
        selectors: vec![
            Arc::new(SortItems { among: Among::Ranked, order: ItemOrder::BestFirst }),
            Arc::new(BreakBunches { max_bunch: config.selection.max_bunch }),
            Arc::new(CapPage {
                among: Among::Ranked,
                usual: config.selection.page,
                longest: config.selection.max_page,
            }),
            Arc::new(Append { among: Among::Ranked, needs_posts: false }),
        ],
        side_effects: vec![
            Arc::new(RecordServed { history: Arc::clone(history) }),
            Arc::new(RecordVisit { history: Arc::clone(history) }),
        ],
        ..MixerPipeline::new("for_you_mixer", Box::new(move |served| marshaller.timeline(served)))
    };
    let product = Product {
        name: "for_you",
        gates: vec![Arc::new(KnownViewer { users: Arc::clone(&stores.users) })],
        mixers: vec![MixerChoice { applies: |_| true, mixer }],
    };
    Ok(ForYou { engine, product, ranking, plan, users })
}

impl ForYou {
    /// Answers a request: the timeline, what it was made of, and what each stage did.
    ///
    /// # Errors
    /// There is no such viewer, or the ranking failed in a way that no policy recovers.
    pub async fn answer(
        &self,
        viewer: UserId,
        request: RequestFacts,
    ) -> Result<(Mixed<Query, Item, Timeline>, Report), Failure> {
        let run = self.engine.start();
        let query = Arc::new(Query::new(viewer, self.engine.clock().now(), request));
        let mut mixed = self.product.run(&run, query).await?;
        let report = run.report();
        mixed.response.missing = report.failures();
        Ok((mixed, report))
    }

    /// Ranks a timeline for a viewer, now, as a plain list of posts.
    ///
    /// # Errors
    /// As [`ForYou::answer`].
    pub async fn serve(
        &self,
        viewer: UserId,
        request: RequestFacts,
    ) -> Result<(TimelineResponse, Report), Failure> {
        let (mixed, report) = self.answer(viewer, request).await?;
        let mut response = TimelineResponse::of(&mixed.served, &*self.users);
        response.missing = mixed.response.missing;
        Ok((response, report))
    }

    /// The engine, for its metrics and for draining side effects.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The ranking that the product shows.
    pub fn ranking(&self) -> &Arc<RecommendationPipeline<Query, Candidate>> {
        &self.ranking
    }

    /// How long each family of features took, all requests together.
    pub fn feature_times(&self) -> Vec<FamilyTime> {
        self.plan.times()
    }

    /// All components in the order of execution, the ranking's behind the mixer's.
    pub fn components(&self) -> Vec<ComponentRow> {
        let mut rows = self.product.components();
        rows.extend(self.ranking.components());
        rows
    }
}
