//! The pieces that several products are declared from.

use std::sync::Arc;
use std::time::Duration;

use crate::config::PipelineConfig;
use crate::domain::Query;
use crate::engine::{
    AnyHydrator, AnyQueryHydrator, CandidatePipeline, FailOpen, Filter, Marshaller, SideEffect,
};
use crate::filters::{
    AuthorVisibility, Hydrated, MutedContent, PreviouslyServed, RepostDuplicates, SensitiveMediaFilter,
    Subscriptions,
};
use crate::gates::FollowsSomebody;
use crate::hydrators::{Authors, InNetworkFlag, RelatedPosts};
use crate::mixing::filters::{EachPostOnce, SoundConversations};
use crate::mixing::gates::{HasPosts, NotShownLately, NotTired, WantsPill};
use crate::mixing::sources::{
    Ads, Chronological, Edits, NewPostsPill, PeopleToMeet, Prompts, RecommendedPeople, Recommender, Whose,
};
use crate::mixing::{Item, PeopleKind, each_post, of_posts, single_posts};
use crate::query_hydrators::{Dismissals, Relations, ServedHistory, StrongestTies, Viewer};
use crate::side_effects::{
    Announced, ClientEvents, RecordImpressions, RecordServed, RecordVisit, ServedCounters,
};
use crate::timeline::{HomeParts, Marshaller as TimelineMarshaller, Timeline};

/// What products are declared from.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a PipelineConfig,
    pub(crate) home: &'a HomeParts,
    pub(crate) announced: &'a Arc<Announced>,
    pub(crate) counters: &'a ServedCounters,
    pub(crate) names: Names,
}

/// What the pipelines of one product are called in configuration, logs and metrics.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    ads: &'static str,
    who_to_follow: &'static str,
    who_to_subscribe: &'static str,
    edits: &'static str,
    pill: &'static str,
    prompts: &'static str,
}

macro_rules! names {
    ($product:literal) => {
        Names {
            ads: concat!($product, "_ads"),
            who_to_follow: concat!($product, "_who_to_follow"),
            who_to_subscribe: concat!($product, "_who_to_subscribe"),
            edits: concat!($product, "_edited_posts"),
            pill: concat!($product, "_new_posts_pill"),
            prompts: concat!($product, "_prompts"),
        }
    };
}

impl Names {
    pub(crate) const FOR_YOU: Self = names!("for_you");
    pub(crate) const FOLLOWING: Self = names!("following");
    pub(crate) const LIST: Self = names!("list");
    pub(crate) const SUBSCRIBED: Self = names!("subscribed");
}

/// A pipeline of a mixer whose failure costs only its own items.
pub(crate) fn optional(
    name: &'static str,
    source: Arc<dyn crate::engine::Source<Query, Item>>,
) -> CandidatePipeline<Query, Item> {
    CandidatePipeline { fail_open: FailOpen::Always, ..CandidatePipeline::new(name, source) }
}

impl Parts<'_> {
    /// The viewer, the viewer's relations, what was served, what was dismissed.
    pub(crate) fn query_hydrators(&self) -> Vec<Vec<Arc<dyn AnyQueryHydrator<Query>>>> {
        let (stores, config) = (&self.home.stores, self.config);
        let ms = Duration::from_millis;
        let mixing = &config.mixing;
        // As far back as the longest interval between two modules or previews, and a little more.
        let intervals =
            [mixing.people.interval_ms, mixing.previews.served_window_ms, mixing.previews.interval_ms];
        let window = intervals.into_iter().fold(config.query.served_window_ms, u64::max);
        let fatigue = ms(mixing.people.fatigue_ms) * mixing.people.max_dismissals;
        vec![vec![
            Arc::new(Viewer { users: Arc::clone(&stores.users) }),
            Arc::new(Relations { graph: Arc::clone(&stores.graph) }),
            Arc::new(ServedHistory {
                history: Arc::clone(&stores.history),
                announced: Arc::clone(self.announced),
                window: ms(window) + ms(60_000),
                moment: ms(config.query.served_window_ms),
                per_response: config.query.served_per_response,
            }),
            Arc::new(Dismissals { feedback: Arc::clone(&stores.feedback), window: fatigue }),
        ]]
    }

    /// Phases of hydrators of whatever posts items hold.
    pub(crate) fn post_hydrators(&self) -> Vec<Vec<Arc<dyn AnyHydrator<Query, Item>>>> {
        let stores = &self.home.stores;
        vec![
            vec![of_posts(InNetworkFlag), of_posts(RelatedPosts { posts: Arc::clone(&stores.posts) })],
            vec![of_posts(Authors { users: Arc::clone(&stores.users) })],
        ]
    }

    /// What no post may break in any timeline: it is there, and its people, words and media are none that the viewer does
    /// not want or may not see.
    pub(crate) fn safety(&self) -> Vec<Arc<dyn Filter<Query, Item>>> {
        vec![
            each_post(Hydrated),
            each_post(AuthorVisibility),
            each_post(SensitiveMediaFilter),
            each_post(MutedContent),
        ]
    }

    /// Posts of some accounts, newest first.
    pub(crate) fn chronological(&self, name: &'static str, whose: Whose) -> CandidatePipeline<Query, Item> {
        let mut filters: Vec<Arc<dyn Filter<Query, Item>>> =
            vec![Arc::new(EachPostOnce), each_post(RepostDuplicates), single_posts(PreviouslyServed)];
        filters.extend(self.safety());
        filters.push(each_post(Subscriptions));
        filters.push(Arc::new(SoundConversations));
        let source = Chronological {
            posts: Arc::clone(&self.home.stores.posts),
            whose: whose.clone(),
            config: self.config.chronological.clone(),
        };
        let mut pipeline = CandidatePipeline {
            hydrators: self.post_hydrators(),
            filters,
            ..CandidatePipeline::new(name, Arc::new(source))
        };
        if matches!(whose, Whose::Followed) {
            pipeline.gates.push(Arc::new(FollowsSomebody));
        }
        pipeline
    }

    /// A module of accounts.
    pub(crate) fn people(&self, kind: PeopleKind) -> CandidatePipeline<Query, Item> {
        let config = &self.config.mixing.people;
        let stores = &self.home.stores;
        let own = || -> Arc<dyn Recommender> {
            let config = self.config.fetch.recommended_authors.accounts.clone();
            Arc::new(RecommendedPeople { stores: stores.clone(), config })
        };
        let source = PeopleToMeet {
            kind,
            recommender: self.home.recommender.clone().unwrap_or_else(own),
            users: Arc::clone(&stores.users),
            config: config.clone(),
        };
        let ties = StrongestTies {
            real_graph: Arc::clone(&stores.real_graph),
            limit: self.config.query.real_graph_limit,
        };
        let name = match kind {
            PeopleKind::Follow => self.names.who_to_follow,
            PeopleKind::Subscribe => self.names.who_to_subscribe,
        };
        CandidatePipeline {
            gates: vec![
                Arc::new(NotShownLately::people(kind, config)),
                Arc::new(NotTired {
                    module: kind.name(),
                    fatigue: Duration::from_millis(config.fatigue_ms),
                    max_dismissals: config.max_dismissals,
                }),
            ],
            query_hydrators: vec![vec![Arc::new(ties)]],
            ..optional(name, Arc::new(source))
        }
    }

    /// Ads for the posts of the other pipelines.
    pub(crate) fn ads(&self) -> CandidatePipeline<Query, Item> {
        let posts = Arc::clone(&self.home.stores.posts);
        let source = Ads::new(&self.home.ads, posts, self.config.mixing.ads.clone());
        let mut filters = self.safety();
        filters.push(each_post(Subscriptions));
        CandidatePipeline {
            gates: vec![Arc::new(HasPosts)],
            hydrators: self.post_hydrators(),
            filters,
            ..optional(self.names.ads, Arc::new(source))
        }
    }

    /// Newer versions of posts that the client has.
    pub(crate) fn edits(&self) -> CandidatePipeline<Query, Item> {
        let source =
            Edits { posts: Arc::clone(&self.home.stores.posts), config: self.config.mixing.edits.clone() };
        let mut filters = self.safety();
        filters.push(each_post(Subscriptions));
        CandidatePipeline {
            hydrators: self.post_hydrators(),
            filters,
            ..optional(self.names.edits, Arc::new(source))
        }
    }

    /// The pill.
    pub(crate) fn pill(&self) -> CandidatePipeline<Query, Item> {
        let source = NewPostsPill { delay_ms: self.config.mixing.pill.delay_ms };
        CandidatePipeline { gates: vec![Arc::new(WantsPill)], ..optional(self.names.pill, Arc::new(source)) }
    }

    /// Messages to the reader.
    pub(crate) fn prompts(&self) -> CandidatePipeline<Query, Item> {
        optional(self.names.prompts, Arc::new(Prompts::new(&self.config.mixing.prompts.messages)))
    }

    /// What happens because of any timeline.
    pub(crate) fn side_effects(&self) -> Vec<Arc<dyn SideEffect<Query, Item>>> {
        let history = &self.home.stores.history;
        vec![
            Arc::new(RecordServed { history: Arc::clone(history), announced: Arc::clone(self.announced) }),
            Arc::new(RecordVisit { history: Arc::clone(history) }),
            Arc::new(RecordImpressions { history: Arc::clone(history) }),
            Arc::new(ClientEvents { counters: self.counters.clone() }),
        ]
    }

    /// What writes the response.
    pub(crate) fn marshaller(&self) -> Marshaller<Query, Item, Timeline> {
        let marshaller = TimelineMarshaller {
            users: Arc::clone(&self.home.stores.users),
            key: self.home.key.clone(),
            config: self.config.mixing.clone(),
        };
        Box::new(move |served| marshaller.timeline(served))
    }
}
