//! For You.

use std::sync::Arc;
use std::time::Duration;

use super::chronological::news;
use super::parts::{Names, Parts, optional};
use super::{MODEL_SCORING, TimelineResponse, scored_posts};
use crate::config::PipelineConfig;
use crate::domain::stores::{PostStore, Stores, UserStore};
use crate::domain::{Candidate, Clock, PostId, Query, RequestFacts, ScorerClient, UserId};
use crate::engine::{
    CandidatePipeline, ComponentRow, Engine, FailOpen, Failure, Inspection, Inspector, Mixed, MixerChoice,
    MixerPipeline, Product, RecommendationPipeline, Report, Selector, Sighting, StageKind,
};
use crate::explain::{Asked, Explanation, Logged, RequestLog, inspect};
use crate::features::{FamilyTime, FeaturePlan, Registry, RegistryError};
use crate::filters::{FeedbackFatigue, OutOfNetworkSafety, ProofRule, SocialContext, Subscriptions};
use crate::gates::KnownViewer;
use crate::mixing::ads::{InsertAds, Placement};
use crate::mixing::decorators::{FeedbackOffers, SocialContexts};
use crate::mixing::filters::{EachPostOnce, SoundConversations};
use crate::mixing::gates::{HasPush, NoPosts, NotShownLately};
use crate::mixing::selectors::{
    Among, Append, BreakBunches, Cap, CapPage, DropPinnedElsewhere, DropSmallModules, InsertAt, ItemOrder,
    SortItems,
};
use crate::mixing::sources::{Previews, PushToHome, RankedPosts, Whose};
use crate::mixing::{Item, ItemKind, PeopleKind, each_post, single_posts};
use crate::query_hydrators::FeedbackHistory;
use crate::sealed::Key;
use crate::timeline::{HomeParts, Timeline};

/// The For You product over its stores.
pub struct ForYou {
    engine: Arc<Engine>,
    product: Product<Query, Item, Timeline>,
    ranking: Arc<RecommendationPipeline<Query, Candidate>>,
    plan: Arc<FeaturePlan>,
    users: Arc<dyn UserStore>,
    posts: Arc<dyn PostStore>,
    log: RequestLog,
}

/// For You by itself, for callers that want the ranking and not a client's timeline: without ads, with metrics and
/// cursors of its own. [`crate::timeline::Home`] has it among the other timelines.
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
    let (stores, key) = (stores.clone(), key.clone());
    let home = HomeParts { stores, ads: Arc::new([]), registry, client, recommender: None, clock, key };
    let engine = Engine::new(Arc::clone(&home.clock), config.engine.clone());
    let (announced, counters) = Default::default();
    let parts =
        Parts { config, home: &home, announced: &announced, counters: &counters, names: Names::FOR_YOU };
    declare_for_you(&parts, engine)
}

/// Declares For You.
///
/// # Errors
/// The model takes columns once a request that differ between candidates.
pub(crate) fn declare_for_you(parts: &Parts<'_>, engine: Arc<Engine>) -> Result<ForYou, RegistryError> {
    let (home, mixing) = (parts.home, &parts.config.mixing);
    let (client, stores) = (Arc::clone(&home.client), &home.stores);
    let once = client.request_columns();
    let (registry, embeddings) = (Arc::clone(&home.registry), Arc::clone(&stores.embeddings));
    let clock = Arc::clone(&home.clock);
    let plan = Arc::new(FeaturePlan::new(registry, client.inputs(), once, embeddings, clock)?);
    let ranking = Arc::new(scored_posts(parts.config, stores, Arc::clone(&plan), client));

    let mut candidate_pipelines = vec![ranked_posts(parts, &ranking), push_to_home(parts)];
    candidate_pipelines.extend(mixing.people.follow.then(|| parts.people(PeopleKind::Follow)));
    candidate_pipelines.extend(mixing.people.subscribe.then(|| parts.people(PeopleKind::Subscribe)));
    candidate_pipelines.extend(mixing.previews.enabled.then(|| previews(parts)));
    candidate_pipelines.push(parts.prompts());
    let mut dependent_pipelines = Vec::new();
    dependent_pipelines.extend(mixing.ads.for_you.then(|| parts.ads()));
    dependent_pipelines.push(fallback(parts));
    dependent_pipelines.extend(mixing.edits.enabled.then(|| parts.edits()));
    dependent_pipelines.extend(mixing.pill.enabled.then(|| parts.pill()));

    let mixer = MixerPipeline {
        query_hydrators: parts.query_hydrators(),
        candidate_pipelines,
        dependent_pipelines,
        selectors: selectors(parts),
        side_effects: parts.side_effects(),
        ..MixerPipeline::new("for_you_mixer", parts.marshaller())
    };
    let product = Product {
        name: "for_you",
        gates: vec![Arc::new(KnownViewer { users: Arc::clone(&stores.users) })],
        mixers: vec![MixerChoice { applies: |_| true, mixer }],
    };
    let (users, posts) = (Arc::clone(&stores.users), Arc::clone(&stores.posts));
    let log = RequestLog::new(parts.config.query.explainable_requests);
    Ok(ForYou { engine, product, ranking, plan, users, posts, log })
}

/// The ranking's posts, replies under what they answer.
fn ranked_posts(
    parts: &Parts<'_>,
    ranking: &Arc<RecommendationPipeline<Query, Candidate>>,
) -> CandidatePipeline<Query, Item> {
    let config = &parts.config.filters;
    let rule = ProofRule {
        replies: false,
        verified_authors: config.verified_authors_need_no_proof,
        topics: config.topic_is_proof,
    };
    let mut filters = parts.safety();
    filters.insert(0, Arc::new(EachPostOnce));
    filters.push(each_post(OutOfNetworkSafety));
    // What a conversation shows is its reply's business.
    filters.push(single_posts(SocialContext { rule }));
    filters.push(each_post(Subscriptions));
    filters.push(Arc::new(SoundConversations));
    let mut pipeline = CandidatePipeline {
        hydrators: parts.post_hydrators(),
        filters,
        decorators: vec![Arc::new(FeedbackOffers { relations: parts.config.mixing.offer_relations })],
        // Without the ranking its posts stand newest first.
        fail_open: FailOpen::Always,
        ..CandidatePipeline::new(
            "ranked_posts",
            Arc::new(RankedPosts {
                pipeline: Arc::clone(ranking),
                posts: Arc::clone(&parts.home.stores.posts),
            }),
        )
    };
    if parts.config.mixing.social_context {
        pipeline.decorators.push(Arc::new(SocialContexts));
    }
    pipeline
}

fn push_to_home(parts: &Parts<'_>) -> CandidatePipeline<Query, Item> {
    let mut filters = parts.safety();
    filters.push(each_post(Subscriptions));
    CandidatePipeline {
        gates: vec![Arc::new(HasPush)],
        hydrators: parts.post_hydrators(),
        filters,
        decorators: vec![Arc::new(FeedbackOffers { relations: parts.config.mixing.offer_relations })],
        ..CandidatePipeline::new(
            "push_to_home",
            Arc::new(PushToHome { posts: Arc::clone(&parts.home.stores.posts) }),
        )
    }
}

fn previews(parts: &Parts<'_>) -> CandidatePipeline<Query, Item> {
    let (config, stores) = (&parts.config.mixing.previews, &parts.home.stores);
    let interval = Duration::from_millis(config.interval_ms);
    let source = Previews {
        posts: Arc::clone(&stores.posts),
        users: Arc::clone(&stores.users),
        config: config.clone(),
    };
    CandidatePipeline {
        gates: vec![Arc::new(NotShownLately { shows: |extras| !extras.previews.is_empty(), interval })],
        hydrators: parts.post_hydrators(),
        filters: parts.safety(),
        ..optional("post_previews", Arc::new(source))
    }
}

/// Posts of followed accounts, newest first, when ranking gave none.
fn fallback(parts: &Parts<'_>) -> CandidatePipeline<Query, Item> {
    let mut pipeline = parts.chronological("chronological_fallback", Whose::Followed);
    pipeline.gates.insert(0, Arc::new(NoPosts));
    // What its reader asked to see fewer of stays away from here as well.
    let fatigue = &parts.config.heuristics.feedback;
    let days = |count: u32| Duration::from_secs(86_400) * count;
    let feedback = Arc::clone(&parts.home.stores.feedback);
    let history = FeedbackHistory { feedback, window: days(fatigue.filter_days + fatigue.fade_days) };
    pipeline.query_hydrators = vec![vec![Arc::new(history)]];
    pipeline.filters.push(each_post(FeedbackFatigue { max_age: days(fatigue.filter_days) }));
    pipeline.decorators.push(Arc::new(FeedbackOffers { relations: parts.config.mixing.offer_relations }));
    pipeline
}

/// What orders, cuts and mixes, in July 2023's order. Steps that only concern one item (the order within conversations,
/// their ids, how many accounts a module has) are done where the item is made; pill and client events, which need the
/// finished page, by the marshaller.
fn selectors(parts: &Parts<'_>) -> Vec<Arc<dyn Selector<Query, Item>>> {
    let (selection, mixing) = (&parts.config.selection, &parts.config.mixing);
    let page = |among| CapPage { among, usual: selection.page, longest: selection.max_page };
    let append = |among| Append { among, needs_posts: false };
    let [to_follow, to_subscribe] =
        [PeopleKind::Follow, PeopleKind::Subscribe].map(|kind| Among::Kind(ItemKind::People(kind)));
    let min = mixing.people.min_accounts;
    let mut chain: Vec<Arc<dyn Selector<Query, Item>>> = vec![
        Arc::new(DropPinnedElsewhere),
        Arc::new(SortItems { among: Among::Chronological, order: ItemOrder::NewestFirst }),
        Arc::new(SortItems { among: Among::Ranked, order: ItemOrder::BestFirst }),
        Arc::new(BreakBunches { max_bunch: selection.max_bunch }),
        Arc::new(page(Among::Chronological)),
        Arc::new(page(Among::Ranked)),
        Arc::new(Cap { among: Among::Kind(ItemKind::Edited), limit: mixing.edits.max_replacements }),
        Arc::new(append(Among::Chronological)),
        Arc::new(append(Among::Ranked)),
        Arc::new(InsertAt { among: Among::Kind(ItemKind::Preview), position: mixing.previews.position }),
        Arc::new(InsertAt { among: to_follow, position: mixing.people.follow_position }),
        Arc::new(InsertAt { among: to_subscribe, position: mixing.people.subscribe_position }),
        Arc::new(InsertAt { among: Among::Kind(ItemKind::Prompt), position: mixing.prompts.position }),
        Arc::new(InsertAt { among: Among::Pinned, position: 0 }),
        Arc::new(InsertAds {
            placement: Placement::Ranked { page: selection.page },
            config: mixing.ads.clone(),
        }),
        Arc::new(DropSmallModules { kind: PeopleKind::Follow, min }),
        Arc::new(DropSmallModules { kind: PeopleKind::Subscribe, min }),
    ];
    chain.extend(news());
    chain
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
        let now = self.engine.clock().now();
        let query = Arc::new(Query::new(viewer, now, request.clone()));
        let mut mixed = self.product.run(&run, query).await?;
        let report = run.report();
        self.log.push(Logged { viewer, now, request, recording: run.recording() });
        mixed.response.missing = report.failures();
        // Without the model the order is the light ranker's: as much a fallback as no ranking at all.
        mixed.response.is_fallback |= mixed.response.missing.contains(&"model");
        Ok((mixed, report))
    }

    /// Why a post is, or is not, in the timeline that a request would be answered with now. Changes nothing.
    pub async fn explain(&self, viewer: UserId, request: RequestFacts, post: PostId) -> Explanation {
        self.explain_as(viewer, request, post, None).await
    }

    /// Why a post was, or was not, in the viewer's answer to a request of this id: the request is run again with its own
    /// moment, query and quality factors, over posts and counts as they are. None when the request is no longer known.
    pub async fn explain_served(&self, viewer: UserId, request_id: u64, post: PostId) -> Option<Explanation> {
        let logged = self.log.find(viewer, request_id)?;
        Some(self.explain_as(viewer, logged.request.clone(), post, Some(logged)).await)
    }

    async fn explain_as(
        &self,
        viewer: UserId,
        request: RequestFacts,
        post: PostId,
        logged: Option<Logged>,
    ) -> Explanation {
        let (of_ranking, of_mixer) = inspect(post);
        let mut inspection = Inspection::dry().watched_by(&of_ranking).watched_by(&of_mixer);
        let now = logged.as_ref().map_or_else(|| self.engine.clock().now(), |logged| logged.now);
        let is_replay = logged.is_some();
        if let Some(logged) = logged {
            inspection = inspection.replaying(logged.recording);
        }
        let run = self.engine.start_inspected(inspection);
        let mixed = self.product.run(&run, Arc::new(Query::new(viewer, now, request))).await;
        let shown = mixed.map_err(|failure| failure.to_string()).map(|mixed| {
            let posts = mixed.served.selected.iter().flat_map(Item::all_posts);
            posts.map(|shown| (shown.candidate.post_id, shown.candidate.original_id())).collect::<Vec<_>>()
        });
        let query = run.recording().query::<Query>(self.ranking.name);
        let asked = Asked {
            viewer,
            post,
            now,
            is_replay,
            stored: self.posts.get(post),
            ranking: &self.ranking,
            plan: &self.plan,
        };
        let (seen, mixed) = (of_ranking.sightings(), of_mixer.sightings());
        asked.explain(&seen, &mixed, &run.report(), query.as_deref(), shown.as_deref().map_err(Clone::clone))
    }

    /// The candidates that the model would be asked about for a request now, with the query and what it would say: for
    /// training records. Changes nothing.
    ///
    /// # Errors
    /// As [`ForYou::answer`].
    pub async fn scored(
        &self,
        viewer: UserId,
        request: RequestFacts,
    ) -> Result<(Arc<Query>, Vec<Candidate>), Failure> {
        let everything = Inspector::new(|_: &Candidate| true, |candidate| candidate.score);
        let run = self.engine.start_inspected(Inspection::dry().watched_by(&everything));
        let query = Arc::new(Query::new(viewer, self.engine.clock().now(), request));
        let outcome = self.ranking.run(&run, query).await?;
        let by_model = |sighting: &Sighting<Candidate>| {
            sighting.stage == StageKind::ScoringPipeline
                && sighting.pipeline == MODEL_SCORING
                && sighting.candidate.scored_at == Some(outcome.served.query.now)
        };
        let seen = everything.sightings().into_iter();
        let scored = seen.filter(by_model).map(|sighting| sighting.candidate).collect();
        Ok((Arc::clone(&outcome.served.query), scored))
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
        Ok((TimelineResponse::new(&mixed, &*self.users), report))
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
