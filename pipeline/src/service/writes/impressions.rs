//! What viewers have seen.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::app::App;
use super::super::asking::{Asker, Sent};
use super::super::problem::Problem;
use super::Recorded;
use crate::domain::PostId;

/// Most posts of a request.
const MOST: usize = 500;

/// Posts that the viewer has seen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Seen {
    posts: Vec<PostId>,
}

/// `POST /v1/impressions`. Posts that do not exist any more are passed over: they may have been deleted meanwhile.
pub(in super::super) async fn record_impressions(
    State(app): State<Arc<App>>,
    asker: Asker,
    Sent(Seen { mut posts }): Sent<Seen>,
) -> Result<Json<Recorded>, Problem> {
    if posts.is_empty() || posts.len() > MOST {
        let message = format!("posts: expected 1 to {MOST}, got {}", posts.len());
        return Err(Problem::invalid(message));
    }
    let (viewer, at) = (asker.viewer, app.clock.now());
    let recorded = app
        .store(move |stores| {
            posts.sort_unstable();
            posts.dedup();
            posts.retain(|id| stores.posts.get(*id).is_some());
            stores.history.record_impressions(viewer, &posts, at)?;
            // History is written in groups; an acknowledged request is written before it is acknowledged.
            stores.history.flush()?;
            Ok(posts.len())
        })
        .await?;
    Ok(Json(Recorded { recorded }))
}
