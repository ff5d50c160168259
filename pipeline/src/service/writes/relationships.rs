//! Whom viewers follow, block, mute and pay.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::app::App;
use super::super::asking::{Asker, Sent};
use super::super::problem::Problem;
use super::{Recorded, account};
use crate::domain::UserId;
use crate::domain::stores::Relation;

/// A relation of the viewer to an account begins or ends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Relationship {
    relation: Relation,
    target: UserId,
    holds: bool,
}

/// `POST /v1/relationships`. Asking for what is so already changes nothing.
pub(in super::super) async fn set_relationship(
    State(app): State<Arc<App>>,
    asker: Asker,
    Sent(Relationship { relation, target, holds }): Sent<Relationship>,
) -> Result<Json<Recorded>, Problem> {
    let viewer = asker.viewer;
    if target == viewer {
        return Err(Problem::invalid("target: expected another account than one's own"));
    }
    app.store(move |stores| {
        let other = account(stores, target)?;
        let graph = &stores.graph;
        let joins = holds && matches!(relation, Relation::Follow | Relation::Subscribe);
        if joins && (graph.has(Relation::Block, viewer, target) || graph.has(Relation::Block, target, viewer))
        {
            return Err(Problem::forbidden("there is a block between the two accounts"));
        }
        if joins && other.is_protected && !graph.has(Relation::Follow, viewer, target) {
            return Err(Problem::forbidden("the account approves its followers itself"));
        }
        graph.set(relation, viewer, target, holds)?;
        // What is cached was scored under other relations.
        stores.cache.clear(viewer);
        Ok(())
    })
    .await?;
    Ok(Json(Recorded { recorded: 1 }))
}
