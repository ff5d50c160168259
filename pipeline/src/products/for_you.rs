//! For You.

use std::sync::Arc;

use super::{TimelineResponse, scored_posts};
use crate::config::PipelineConfig;
use crate::domain::stores::Stores;
use crate::domain::{Candidate, Clock, Query, RequestFacts, ScorerClient, UserId};
use crate::engine::{
    CandidatePipeline, ComponentRow, Engine, FailOpen, Failure, MixerChoice, MixerPipeline, Product,
    RecommendationPipeline, Report,
};
use crate::features::{FamilyTime, FeaturePlan, Registry, RegistryError};
use crate::filters::{OutOfNetworkSafety, ProofRule, SocialContext, Subscriptions};
use crate::gates::KnownViewer;
use crate::query_hydrators::{Relations, Viewer};
use crate::selectors::{AppendRemaining, BreakBunches, PageLimit, SortByScore};
use crate::side_effects::{RecordServed, RecordVisit};
use crate::sources::ScoredPosts;

/// The For You product over its stores.
pub struct ForYou {
    engine: Arc<Engine>,
    product: Product<Query, Candidate, TimelineResponse>,
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
            Arc::new(OutOfNetworkSafety),
            Arc::new(SocialContext { rule }),
            Arc::new(Subscriptions),
        ],
        // Without the ranking there is nothing to show: its failure is the request's.
        fail_open: FailOpen::Never,
        ..CandidatePipeline::new("ranked_posts", Arc::new(ScoredPosts { pipeline: Arc::clone(&ranking) }))
    };
    let mixer = MixerPipeline {
        query_hydrators: vec![vec![
            Arc::new(Viewer { users: Arc::clone(&stores.users) }),
            Arc::new(Relations { graph: Arc::clone(&stores.graph) }),
        ]],
        candidate_pipelines: vec![ranked_posts],
        selectors: vec![
            Arc::new(SortByScore),
            Arc::new(BreakBunches { config: config.selection.clone() }),
            Arc::new(PageLimit { config: config.selection.clone() }),
            Arc::new(AppendRemaining),
        ],
        side_effects: vec![
            Arc::new(RecordServed { history: Arc::clone(history) }),
            Arc::new(RecordVisit { history: Arc::clone(history) }),
        ],
        ..MixerPipeline::new("for_you_mixer", Box::new(move |served| TimelineResponse::of(served, &*users)))
    };
    let product = Product {
        name: "for_you",
        gates: vec![Arc::new(KnownViewer { users: Arc::clone(&stores.users) })],
        mixers: vec![MixerChoice { applies: |_| true, mixer }],
    };
    Ok(ForYou { engine, product, ranking, plan })
}

impl ForYou {
    /// Ranks a timeline for a viewer, now.
    ///
    /// # Errors
    /// There is no such viewer, or the ranking failed in a way that no policy recovers.
    pub async fn serve(
        &self,
        viewer: UserId,
        request: RequestFacts,
    ) -> Result<(TimelineResponse, Report), Failure> {
        let run = self.engine.start();
        let query = Arc::new(Query::new(viewer, self.engine.clock().now(), request));
        let mut response = self.product.run(&run, query).await?;
        let report = run.report();
        response.missing = report.failures();
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
