//! Keeps what was served.

use std::sync::Arc;

use async_trait::async_trait;

use super::Announced;
use crate::component;
use crate::domain::stores::HistoryStore;
use crate::domain::{PostId, Query, ServedExtras, ServedResponse, UserId};
use crate::engine::{Failure, Served, SideEffect};
use crate::mixing::{Item, PeopleKind, Shown};

/// Records the served posts in their order, and what else was shown.
pub struct RecordServed {
    /// History.
    pub history: Arc<dyn HistoryStore>,
    /// What was served and is not recorded yet.
    pub announced: Arc<Announced>,
}

component!(RecordServed, "record_served", "records the served posts in their order, and what else was shown");

#[async_trait]
impl SideEffect<Query, Item> for RecordServed {
    fn announce(&self, served: &Served<Query, Item>) {
        let query = &served.query;
        self.announced.add(query.viewer, query.request.platform, response(served));
    }

    async fn run(&self, served: &Served<Query, Item>) -> Result<(), Failure> {
        let (viewer, platform) = (served.query.viewer, served.query.request.platform);
        let response = response(served);
        self.history
            .record_served(viewer, platform, response.clone())
            .map_err(|error| Failure::failed("record_served", error))?;
        self.announced.settle(viewer, platform, &response);
        Ok(())
    }
}

fn response(served: &Served<Query, Item>) -> ServedResponse {
    let query = &served.query;
    let post = |shown: &Shown| {
        let candidate = &shown.candidate;
        (candidate.post_id, candidate.is_repost().then(|| candidate.original_id()))
    };
    ServedResponse {
        request_id: query.request.request_id,
        at: query.now,
        page: query.request.page(),
        posts: served.selected.iter().flat_map(Item::posts).map(post).collect(),
        timeline: query.request.timeline,
        session: query.request.session,
        extras: extras(&served.selected),
    }
}

fn extras(items: &[Item]) -> ServedExtras {
    let people = |kind: PeopleKind| -> Vec<UserId> {
        let modules = items.iter().filter_map(|item| match item {
            Item::People(people) if people.kind == kind => Some(&people.people),
            _ => None,
        });
        modules.flatten().map(|(user, _)| user.id).collect()
    };
    let previews = items.iter().filter_map(|item| match item {
        Item::Preview(shown) => Some(shown.candidate.post_id),
        _ => None,
    });
    let replaced = items.iter().filter_map(|item| match item {
        Item::Edited { replaces, .. } => Some(*replaces),
        _ => None,
    });
    let ads = items.iter().filter_map(|item| match item {
        Item::Ad(slot) => Some(slot.ad.id),
        _ => None,
    });
    ServedExtras {
        to_follow: people(PeopleKind::Follow),
        to_subscribe: people(PeopleKind::Subscribe),
        previews: previews.collect::<Vec<PostId>>(),
        replaced: replaced.collect(),
        ads: ads.collect(),
    }
}
