//! What handlers read out of a request.

use std::str::FromStr;
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

/// Most letters of a wrong value that are given back.
const MAX_QUOTED: usize = 40;

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
        // The parser would take a list of all fields in their order, too.
        if body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|&first| first == b'[') {
            return Err(Problem::invalid("body: expected a JSON object"));
        }
        // Nesting is limited by the parser, at 128.
        let value =
            serde_json::from_slice(&body).map_err(|error| Problem::invalid(format!("body: {error}")))?;
        Ok(Self(value))
    }
}

/// Whether the body is JSON as it lies there: in UTF-8, and not packed.
fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|field| field.to_str().unwrap_or("?"));
    let Some(field) = text(header::CONTENT_TYPE) else { return false };
    let mut parts = field.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let is_utf_8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let is_plain = text(header::CONTENT_ENCODING).is_none_or(|how| how.eq_ignore_ascii_case("identity"));
    is_json && is_utf_8 && is_plain
}

/// A parameter's value, read from its text.
///
/// # Errors
/// It is none; the answer names the parameter, what was expected and the beginning of what came.
pub(super) fn value<T: FromStr>(name: &str, expected: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| {
        let beginning: String = text.chars().take(MAX_QUOTED).collect();
        Problem::invalid(format!("{name}: expected {expected}, got {beginning:?}"))
    })
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
