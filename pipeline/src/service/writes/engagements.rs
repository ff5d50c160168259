//! What viewers do with posts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::app::App;
use super::super::asking::{Asker, Sent};
use super::super::problem::Problem;
use super::{Recorded, visible_post};
use crate::domain::stores::Stores;
use crate::domain::{Engagement, EngagementKind, Millis, PostId, UserId};

/// Most engagements of a request.
const MOST: usize = 100;
/// How many of a viewer's last engagements are looked at for a like that is there already.
const LOOK_BACK: usize = 1_000;

/// Engagements of the viewer, now.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Engagements {
    engagements: Vec<Deed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deed {
    post: PostId,
    kind: EngagementKind,
}

fn record(stores: &Stores, viewer: UserId, deeds: &[Deed], at: Millis) -> Result<usize, Problem> {
    let known = stores.engagements.of_user(viewer, LOOK_BACK);
    let mut news: Vec<Engagement> = Vec::with_capacity(deeds.len());
    for deed in deeds {
        let post = visible_post(stores, viewer, deed.post)?;
        let (id, author) = (post.original_id(), post.original_author());
        // A like is there or is not: asking twice, as after a lost answer, is one like.
        let is_like = deed.kind == EngagementKind::Favorite;
        let is_there = known.iter().any(|old| old.kind == deed.kind && old.post == id)
            || news.iter().any(|new| new.kind == deed.kind && new.post == id);
        if !(is_like && is_there) {
            news.push(Engagement { user: viewer, post: id, author, kind: deed.kind, at });
        }
    }
    stores.engagements.record(&news)?;
    Ok(news.len())
}

/// `POST /v1/engagements`: all or none.
pub(in super::super) async fn record_engagements(
    State(app): State<Arc<App>>,
    asker: Asker,
    Sent(Engagements { engagements }): Sent<Engagements>,
) -> Result<Json<Recorded>, Problem> {
    if engagements.is_empty() || engagements.len() > MOST {
        let message = format!("engagements: expected 1 to {MOST}, got {}", engagements.len());
        return Err(Problem::invalid(message));
    }
    let (viewer, at) = (asker.viewer, app.clock.now());
    let recorded = app.store(move |stores| record(stores, viewer, &engagements, at)).await?;
    Ok(Json(Recorded { recorded }))
}
