//! Tokens for the local page, without any secret: for trying the service out on one's own machine.
//!
//! Off unless asked for, and only where the service listens on this machine alone. A page of another site cannot use it:
//! the name in the `host` field must be this machine's, so that a foreign name that was pointed here does not serve, and
//! the request must carry a field that browsers send across sites only with a permission that is never given.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use serde::Serialize;

use super::app::App;
use super::problem::Problem;
use crate::domain::UserId;
use crate::domain::stores::{Relation, Stores};

/// The field that the page sends along.
pub const PAGE_FIELD: &str = "x-maskrank-page";
/// How long the page's tokens hold.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How many accounts the page offers.
const OFFERED: usize = 24;

/// Accounts that the page offers to be.
#[derive(Clone, Debug, Default)]
pub struct Demo {
    /// Their ids.
    pub viewers: Vec<UserId>,
}

/// An account that the page offers.
#[derive(Debug, Serialize)]
pub(super) struct Offer {
    id: UserId,
    screen_name: String,
    name: String,
    following: usize,
    lists: usize,
}

/// Accounts that the page offers.
#[derive(Debug, Serialize)]
pub(super) struct Offers {
    viewers: Vec<Offer>,
}

/// A token, and whose it is.
#[derive(Debug, Serialize)]
pub(super) struct Granted {
    viewer: UserId,
    token: String,
}

impl Demo {
    /// Offers the first accounts among `candidates` that have something to read, those with lists first.
    pub fn choose(stores: &Stores, candidates: impl Iterator<Item = UserId>) -> Self {
        let reads = |id: &UserId| {
            let account = stores.users.get(*id);
            account.is_some_and(|account| !account.is_withdrawn)
                && stores.graph.targets(Relation::Follow, *id).iter().count() >= 5
        };
        let mut viewers: Vec<UserId> = candidates.filter(reads).take(20 * OFFERED).collect();
        viewers.sort_by_key(|id| std::cmp::Reverse(stores.lists.of_user(*id, 4).len().min(3)));
        viewers.truncate(OFFERED);
        viewers.sort_unstable();
        Self { viewers }
    }
}

fn demo<'a>(app: &'a App, headers: &HeaderMap) -> Result<&'a Demo, Problem> {
    let off =
        || Problem::not_found("this service hands out no tokens; start it with --demo, on this machine only");
    let demo = app.demo.as_ref().ok_or_else(off)?;
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
    if !host.is_some_and(is_local) || !headers.contains_key(PAGE_FIELD) {
        return Err(Problem::forbidden("tokens are handed out to the local page only"));
    }
    Ok(demo)
}

/// Whether a `host` field names this machine itself.
fn is_local(host: &str) -> bool {
    let Ok(uri) = format!("http://{host}/").parse::<Uri>() else { return false };
    let name = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `GET /demo/viewers`.
pub(super) async fn offers(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Offers>, Problem> {
    let demo = demo(&app, &headers)?;
    let generation = app.generation();
    let stores = generation.stores();
    let offer = |&id: &UserId| {
        let account = stores.users.get(id)?;
        Some(Offer {
            id,
            screen_name: account.screen_name.clone(),
            name: account.name.clone(),
            following: stores.graph.targets(Relation::Follow, id).iter().count(),
            lists: stores.lists.of_user(id, 100).len(),
        })
    };
    Ok(Json(Offers { viewers: demo.viewers.iter().filter_map(offer).collect() }))
}

/// `POST /demo/tokens/{viewer}`: a token for any account, for a day.
pub(super) async fn grant(
    State(app): State<Arc<App>>,
    Path(viewer): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Granted>, Problem> {
    demo(&app, &headers)?;
    let viewer: UserId = viewer.parse().map_err(|_| Problem::invalid("the path needs an account's id"))?;
    let account = app.generation().stores().users.get(viewer).filter(|account| !account.is_withdrawn);
    account.ok_or_else(|| Problem::not_found(format!("there is no account {viewer}")))?;
    let token = app.tokens.mint(viewer, app.token_time(), LIFETIME);
    Ok(Json(Granted { viewer, token }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_s_own_names_are_local() {
        for host in ["localhost", "LOCALHOST:8600", "127.0.0.1:8600", "127.9.9.9", "[::1]:8600"] {
            assert!(is_local(host), "{host}");
        }
        for host in
            ["", "example.org", "127.0.0.1.example.org", "localhost.example.org:8600", "10.0.0.1", "a b"]
        {
            assert!(!is_local(host), "{host}");
        }
    }
}
