//! What viewers say about what they were shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::app::App;
use super::super::asking::{Asker, Sent};
use super::super::problem::Problem;
use super::{Recorded, account};
use crate::domain::{Dismissal, Feedback, FeedbackKind, PostId, UserId};

/// Longest name of a module.
const MAX_MODULE: usize = 60;

/// What the viewer says: with the token of an action that came with a timeline, or in its own words, that they ask to see
/// fewer posts that reach them through an account in this way.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Said {
    action: Option<String>,
    kind: Option<FeedbackKind>,
    about: Option<UserId>,
    post: Option<PostId>,
}

/// The viewer closes a module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Close {
    module: String,
}

/// `POST /v1/feedback`.
pub(in super::super) async fn record_feedback(
    State(app): State<Arc<App>>,
    asker: Asker,
    Sent(said): Sent<Said>,
) -> Result<Json<Recorded>, Problem> {
    let (viewer, at) = (asker.viewer, app.clock.now());
    let done = match said {
        Said { action: Some(token), kind: None, about: None, post: None } => {
            let home = Arc::clone(&app.generation().home);
            app.store(move |stores| {
                home.act(viewer, &token)?;
                // What is cached was scored without this.
                stores.cache.clear(viewer);
                Ok(())
            })
            .await
        }
        Said { action: None, kind: Some(kind), about: Some(about), post } if about != viewer => {
            app.store(move |stores| {
                account(stores, about)?;
                stores.feedback.record_feedback(Feedback { viewer, kind, about, post, at })?;
                stores.cache.clear(viewer);
                Ok(())
            })
            .await
        }
        _ => Err(Problem::invalid(
            "expected the field action alone, or the fields kind, about (another account) and perhaps post",
        )),
    };
    done.map(|()| Json(Recorded { recorded: 1 }))
}

/// `POST /v1/dismissals`.
pub(in super::super) async fn record_dismissal(
    State(app): State<Arc<App>>,
    asker: Asker,
    Sent(Close { module }): Sent<Close>,
) -> Result<Json<Recorded>, Problem> {
    let is_name = (1..=MAX_MODULE).contains(&module.len())
        && module.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'-' || letter == b'_');
    if !is_name {
        return Err(Problem::invalid("module: expected a module's name, such as who-to-follow"));
    }
    let (viewer, at) = (asker.viewer, app.clock.now());
    app.store(move |stores| Ok(stores.feedback.record_dismissal(Dismissal { viewer, module, at })?)).await?;
    Ok(Json(Recorded { recorded: 1 }))
}
