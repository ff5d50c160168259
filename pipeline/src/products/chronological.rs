//! Following, lists and Subscribed: posts newest first.

use std::sync::Arc;

use super::parts::Parts;
use crate::domain::Query;
use crate::engine::{CandidatePipeline, MixerChoice, MixerPipeline, Product, Selector};
use crate::gates::KnownViewer;
use crate::mixing::ads::{InsertAds, Placement};
use crate::mixing::decorators::FeedbackOffers;
use crate::mixing::selectors::{
    Among, Append, Cap, CapPage, DropSmallModules, InsertAt, ItemOrder, SortItems,
};
use crate::mixing::sources::Whose;
use crate::mixing::{Item, ItemKind, PeopleKind};
use crate::timeline::Timeline;

type Selectors = Vec<Arc<dyn Selector<Query, Item>>>;
type Pipelines = Vec<CandidatePipeline<Query, Item>>;

/// Posts of followed accounts, newest first.
pub(crate) fn following(parts: &Parts<'_>) -> Product<Query, Item, Timeline> {
    let mixing = &parts.config.mixing;
    let to_follow = Among::Kind(ItemKind::People(PeopleKind::Follow));
    let prompt = Among::Kind(ItemKind::Prompt);
    let mut dependent = Vec::new();
    dependent.extend(mixing.ads.following.then(|| parts.ads()));
    dependent.extend(mixing.people.follow.then(|| parts.people(PeopleKind::Follow)));
    dependent.push(parts.prompts());
    dependent.extend(mixing.edits.enabled.then(|| parts.edits()));
    dependent.extend(mixing.pill.enabled.then(|| parts.pill()));
    let mut selectors: Selectors = vec![Arc::new(newest_first())];
    selectors
        .push(Arc::new(Cap { among: Among::Kind(ItemKind::Edited), limit: mixing.edits.max_replacements }));
    selectors.push(Arc::new(page(parts)));
    selectors.push(Arc::new(DropSmallModules { kind: PeopleKind::Follow, min: mixing.people.min_accounts }));
    selectors.push(Arc::new(Append { among: Among::Chronological, needs_posts: false }));
    selectors.push(Arc::new(InsertAt { among: to_follow, position: mixing.people.follow_position }));
    selectors.push(Arc::new(InsertAt { among: prompt, position: mixing.prompts.position }));
    selectors.push(Arc::new(InsertAds { placement: Placement::Chronological, config: mixing.ads.clone() }));
    selectors.extend(news());
    let mut posts = parts.chronological("following_posts", Whose::Followed);
    // Here people are unfollowed rather than seen less of.
    if mixing.offer_relations {
        posts.decorators.push(Arc::new(FeedbackOffers { relations: true }));
    }
    product(parts, "following", "following_mixer", posts, dependent, selectors)
}

/// Posts of a list's members, newest first.
pub(crate) fn list(parts: &Parts<'_>) -> Product<Query, Item, Timeline> {
    let ads = &parts.config.mixing.ads;
    let mut selectors: Selectors = vec![
        Arc::new(newest_first()),
        Arc::new(page(parts)),
        Arc::new(Append { among: Among::Chronological, needs_posts: false }),
    ];
    let mut dependent = Vec::new();
    if ads.lists {
        dependent.push(parts.ads());
        selectors.push(Arc::new(InsertAds { placement: Placement::Chronological, config: ads.clone() }));
    }
    let whose = Whose::Members(Arc::clone(&parts.home.stores.lists));
    let posts = parts.chronological("list_posts", whose);
    product(parts, "list", "list_mixer", posts, dependent, selectors)
}

/// Posts for subscribers of the accounts that the viewer pays, newest first.
pub(crate) fn subscribed(parts: &Parts<'_>) -> Product<Query, Item, Timeline> {
    let mixing = &parts.config.mixing;
    let mut dependent = Vec::new();
    dependent.extend(mixing.edits.enabled.then(|| parts.edits()));
    dependent.extend(mixing.pill.enabled.then(|| parts.pill()));
    let mut selectors: Selectors = vec![
        Arc::new(newest_first()),
        Arc::new(page(parts)),
        Arc::new(Append { among: Among::Chronological, needs_posts: false }),
    ];
    selectors.extend(news());
    let posts = parts.chronological("subscribed_posts", Whose::Subscribed);
    product(parts, "subscribed", "subscribed_mixer", posts, dependent, selectors)
}

fn newest_first() -> SortItems {
    SortItems { among: Among::Chronological, order: ItemOrder::NewestFirst }
}

fn page(parts: &Parts<'_>) -> CapPage {
    let most = parts.config.chronological.max_results;
    CapPage { among: Among::Chronological, usual: most, longest: most }
}

/// Newer versions, and the pill if there is a post to show for it.
pub(super) fn news() -> [Arc<dyn Selector<Query, Item>>; 2] {
    [
        Arc::new(Append { among: Among::Kind(ItemKind::Edited), needs_posts: false }),
        Arc::new(Append { among: Among::Kind(ItemKind::Pill), needs_posts: true }),
    ]
}

fn product(
    parts: &Parts<'_>,
    name: &'static str,
    mixer_name: &'static str,
    posts: CandidatePipeline<Query, Item>,
    dependent_pipelines: Pipelines,
    selectors: Selectors,
) -> Product<Query, Item, Timeline> {
    let mixer = MixerPipeline {
        query_hydrators: parts.query_hydrators(),
        candidate_pipelines: vec![posts],
        dependent_pipelines,
        selectors,
        side_effects: parts.side_effects(),
        ..MixerPipeline::new(mixer_name, parts.marshaller())
    };
    Product {
        name,
        gates: vec![Arc::new(KnownViewer { users: Arc::clone(&parts.home.stores.users) })],
        mixers: vec![MixerChoice { applies: |_| true, mixer }],
    }
}
