//! `GET /v1/viewer`: who one is, and what there is to read.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::app::App;
use super::asking::Asker;
use super::problem::Problem;
use crate::domain::stores::Relation;
use crate::domain::{ListId, UserId};

/// Most lists that are named.
const MAX_LISTS: usize = 100;

/// The viewer, as their own client shows them.
#[derive(Debug, Serialize)]
pub(super) struct Viewer {
    id: UserId,
    screen_name: String,
    name: String,
    /// How many accounts the viewer follows.
    following: usize,
    /// How many accounts the viewer pays.
    subscriptions: usize,
    /// Lists that the viewer keeps or reads, own ones first.
    lists: Vec<ListName>,
    /// The world's present, in milliseconds since the Unix epoch.
    now_ms: i64,
}

#[derive(Debug, Serialize)]
struct ListName {
    id: ListId,
    name: String,
    members: usize,
}

/// `GET /v1/viewer`.
pub(super) async fn viewer(State(app): State<Arc<App>>, asker: Asker) -> Result<Json<Viewer>, Problem> {
    let (generation, id) = (app.generation(), asker.viewer);
    let stores = generation.stores();
    let account = stores.users.get(id).ok_or_else(|| Problem::not_found("the account is gone"))?;
    let name = |id| {
        let list = stores.lists.get(id)?;
        Some(ListName { id, name: list.name, members: list.members.len() })
    };
    let lists = stores.lists.of_user(id, MAX_LISTS).into_iter().filter_map(name).collect();
    let count = |relation| stores.graph.targets(relation, id).iter().count();
    Ok(Json(Viewer {
        id,
        screen_name: account.screen_name.clone(),
        name: account.name.clone(),
        following: count(Relation::Follow),
        subscriptions: count(Relation::Subscribe),
        lists,
        now_ms: app.clock.now().0,
    }))
}
