//! What viewers say about what they were shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::app::App;
use super::super::asking::{Asker, Sent};
use super::super::problem::Problem;
use super::{Recorded, account};
use crate::domain::stores::Stores;
use crate::domain::{Dismissal, Feedback, FeedbackKind, PostId, UserId};
use crate::mixing::PeopleKind;

/// What the viewer says: with the token of an action that came with a timeline, or in its own words, that they ask to see
/// fewer posts that reach them through an account in this way. With `undo`, that they take it back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Said {
    action: Option<String>,
    kind: Option<FeedbackKind>,
    about: Option<UserId>,
    post: Option<PostId>,
    #[serde(default)]
    undo: bool,
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
    let home = Arc::clone(&app.generation().home);
    let work: Box<dyn FnOnce(&Stores) -> Result<bool, Problem> + Send> = match said {
        Said { action: Some(token), kind: None, about: None, post: None, undo } => {
            Box::new(move |_| match undo {
                false => Ok(home.act(viewer, &token).map(|_| true)?),
                true => Ok(home.undo(viewer, &token)?),
            })
        }
        Said { kind: Some(FeedbackKind::NotRelevant), post: None, .. } => {
            return Err(Problem::invalid("kind not_relevant is about a post: expected the field post"));
        }
        Said { action: None, kind: Some(kind), about: Some(about), post, undo } if about != viewer => {
            let feedback = Feedback { viewer, kind, about, post, at };
            Box::new(move |stores| {
                account(stores, about)?;
                match undo {
                    false => Ok(stores.feedback.record_feedback(feedback).map(|()| true)?),
                    true => Ok(stores.feedback.withdraw_feedback(feedback)?),
                }
            })
        }
        _ => {
            return Err(Problem::invalid(
                "expected the field action, or the fields kind, about (another account) and perhaps post; with \
                 either, perhaps undo",
            ));
        }
    };
    let has_changed = app.store(move |stores| {
        let has_changed = work(stores)?;
        // What is cached was scored without this.
        stores.cache.clear(viewer);
        Ok(has_changed)
    });
    Ok(Json(Recorded { recorded: usize::from(has_changed.await?) }))
}

/// `POST /v1/dismissals`.
pub(in super::super) async fn record_dismissal(
    State(app): State<Arc<App>>,
    asker: Asker,
    Sent(Close { module }): Sent<Close>,
) -> Result<Json<Recorded>, Problem> {
    let names = [PeopleKind::Follow.name(), PeopleKind::Subscribe.name()];
    if !names.contains(&module.as_str()) {
        return Err(Problem::invalid(format!("module: expected {}", names.join(" or "))));
    }
    let (viewer, at) = (asker.viewer, app.clock.now());
    app.store(move |stores| Ok(stores.feedback.record_dismissal(Dismissal { viewer, module, at })?)).await?;
    Ok(Json(Recorded { recorded: 1 }))
}
