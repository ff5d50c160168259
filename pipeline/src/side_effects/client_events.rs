//! What was served, as log lines and counters.

use async_trait::async_trait;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::component;
use crate::domain::{PageKind, Query};
use crate::engine::{Failure, Served, SideEffect};
use crate::mixing::{Item, ItemKind, PeopleKind};

/// What of which timeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ItemLabels {
    timeline: &'static str,
    item: &'static str,
}

/// Which response of which timeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    timeline: &'static str,
    page: &'static str,
    size: &'static str,
}

/// Counts of what was served. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ServedCounters {
    items: Family<ItemLabels, Counter>,
    responses: Family<ResponseLabels, Counter>,
}

impl ServedCounters {
    /// Adds the counters to a registry, under the prefix `served`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("served");
        registry.register("items", "Items served, by timeline and kind", self.items.clone());
        registry.register(
            "responses",
            "Responses, by timeline, page and number of posts",
            self.responses.clone(),
        );
    }
}

/// Counts what was served, and writes one line a response under the log's target `client_events`.
pub struct ClientEvents {
    /// The counters.
    pub counters: ServedCounters,
}

component!(ClientEvents, "client_events", "counts what was served and logs one line a response");

#[async_trait]
impl SideEffect<Query, Item> for ClientEvents {
    async fn run(&self, served: &Served<Query, Item>) -> Result<(), Failure> {
        let query = &served.query;
        let (timeline, page) = (query.request.timeline.name(), page_name(query.request.page()));
        let count =
            |wanted: &dyn Fn(&Item) -> bool| served.selected.iter().filter(|item| wanted(item)).count();
        let near = |item: &Item| item.focal().map(|shown| shown.candidate.is_in_network());
        let kinds = [
            ("in_network", count(&|item| near(item) == Some(true))),
            ("out_of_network", count(&|item| near(item) == Some(false))),
            ("conversation", count(&|item| matches!(item, Item::Conversation(_)))),
            ("ad", count(&|item| item.kind() == ItemKind::Ad)),
            ("who_to_follow", count(&|item| item.kind() == ItemKind::People(PeopleKind::Follow))),
            ("who_to_subscribe", count(&|item| item.kind() == ItemKind::People(PeopleKind::Subscribe))),
            ("preview", count(&|item| item.kind() == ItemKind::Preview)),
            ("edited", count(&|item| item.kind() == ItemKind::Edited)),
            ("prompt", count(&|item| item.kind() == ItemKind::Prompt)),
            ("pill", count(&|item| item.kind() == ItemKind::Pill)),
        ];
        for (item, number) in kinds.into_iter().filter(|(_, number)| *number > 0) {
            self.counters.items.get_or_create(&ItemLabels { timeline, item }).inc_by(number as u64);
        }
        let posts: usize = served.selected.iter().map(|item| item.posts().len()).sum();
        let labels = ResponseLabels { timeline, page, size: size_name(posts) };
        self.counters.responses.get_or_create(&labels).inc();
        let of = |name| kinds.iter().find(|(kind, _)| *kind == name).map_or(0, |(_, number)| *number);
        tracing::info!(
            target: "client_events",
            viewer = query.viewer.0,
            request = query.request.request_id,
            timeline,
            page,
            posts,
            in_network = of("in_network"),
            out_of_network = of("out_of_network"),
            ads = of("ad"),
            who_to_follow = of("who_to_follow"),
            who_to_subscribe = of("who_to_subscribe"),
            "served"
        );
        Ok(())
    }
}

fn page_name(page: PageKind) -> &'static str {
    match page {
        PageKind::Initial => "initial",
        PageKind::Newer => "newer",
        PageKind::Middle => "middle",
        PageKind::Older => "older",
    }
}

fn size_name(posts: usize) -> &'static str {
    match posts {
        0 => "empty",
        1..5 => "under_5",
        5..10 => "under_10",
        10..20 => "under_20",
        20..50 => "under_50",
        _ => "50_or_more",
    }
}
