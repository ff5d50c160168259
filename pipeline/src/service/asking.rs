//! What handlers read out of a request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use serde::de::DeserializeOwned;

use super::app::App;
use super::frame::{Received, RequestId};
use super::problem::Problem;
use super::viewers::{Refusal, Visit};
use crate::domain::UserId;

/// Who asks: the viewer that the token names, and no other.
pub(super) struct Asker {
    /// The viewer.
    pub(super) viewer: UserId,
    /// The request's id.
    pub(super) id: u64,
    /// Counted as under way as long as this lives.
    _visit: Visit,
}

impl FromRequestParts<Arc<App>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let viewer = app.tokens.of_request(&parts.headers, app.token_time())?;
        let account = app.generation().stores().users.get(viewer).filter(|account| !account.is_withdrawn);
        if account.is_none() {
            return Err(Problem::forbidden("the token's account does not exist, or not any more"));
        }
        let visit = app.viewers.enter(viewer, app.limits().viewer, Instant::now()).map_err(refusal)?;
        let id = parts.extensions.get::<RequestId>().map_or(0, |id| id.0);
        Ok(Self { viewer, id, _visit: visit })
    }
}

fn refusal(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::TooManyAtOnce => {
            let message = "too many requests of this viewer are under way";
            Problem::too_many(message, Duration::from_secs(1))
        }
        Refusal::TooOften(wait) => Problem::too_many("this viewer asks too often", wait),
    }
}

/// A request's JSON body.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Sent<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        if !is_json(&parts.headers) {
            return Err(Problem::media_type());
        }
        let body = parts.extensions.get::<Received>().map(|body| body.0.clone()).unwrap_or_default();
        // Nesting is limited by the parser, at 128.
        let value =
            serde_json::from_slice(&body).map_err(|error| Problem::invalid(format!("body: {error}")))?;
        Ok(Self(value))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let field = headers.get(header::CONTENT_TYPE).and_then(|field| field.to_str().ok());
    let kind = field.map(|field| field.split(';').next().unwrap_or_default().trim());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
}

/// The parameters in a request's address.
pub(super) fn parameters<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let Query(parameters) = Query::try_from_uri(uri).map_err(|rejection| {
        let text = rejection.body_text();
        let reason = text.rsplit_once(": ").map_or(text.as_str(), |(_, reason)| reason);
        Problem::invalid(format!("query: {reason}"))
    })?;
    Ok(parameters)
}
