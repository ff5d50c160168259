//! What surrounds every request: its id, its body, its deadline, and the line in the log when it is done.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::app::App;
use super::connections::Connection;
use super::problem::Problem;

/// The header field that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What names a request in logs, served history and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u64);

/// The body of a request, received whole and within its limits.
#[derive(Clone, Debug)]
pub(super) struct Received(pub(super) Bytes);

/// Frames a request.
pub(super) async fn frame(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId(app.next_request_id());
    let method = method_name(request.method());
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = path.unwrap_or_else(|| "other".to_owned());
    let span = tracing::info_span!("request", id = id.0);
    let answer = AssertUnwindSafe(answer(&app, id, request, next)).catch_unwind();
    let mut response = match tracing::Instrument::instrument(answer, span.clone()).await {
        Ok(response) => response,
        Err(payload) => {
            tracing::error!(parent: &span, panic = words(payload.as_ref()), "a handler panicked");
            Problem::internal().into_response()
        }
    };
    add_headers(response.headers_mut(), id);
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.metrics.answered(&route, method, status, took);
    let took_ms = took.as_secs_f64() * 1e3;
    if response.status().is_server_error() {
        tracing::warn!(parent: &span, method, route, status, took_ms, "answered");
    } else {
        tracing::info!(parent: &span, method, route, status, took_ms, "answered");
    }
    response
}

async fn answer(app: &Arc<App>, id: RequestId, request: Request, next: Next) -> Response {
    let limits = app.limits();
    let (mut parts, body) = request.into_parts();
    if parts.version == Version::HTTP_11 && parts.headers.get_all(header::HOST).iter().count() != 1 {
        return closing(Problem::invalid("expected one header field host"));
    }
    // What says that it is too long is not waited for, nor asked to come.
    if body.size_hint().lower() > limits.max_body_bytes as u64 {
        return closing(Problem::too_large(limits.max_body_bytes));
    }
    let limit = Duration::from_millis(limits.body_timeout_ms);
    let collected = Limited::new(body, limits.max_body_bytes).collect();
    let bytes = match tokio::time::timeout(limit, collected).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            return closing(Problem::too_large(limits.max_body_bytes));
        }
        Ok(Err(_)) => return closing(Problem::invalid("the body ended early")),
        Err(_) => return closing(Problem::slow_body(limit)),
    };
    // From here on the connection is not taken away: the client did its part.
    let _answering = parts.extensions.get::<Arc<Connection>>().map(Connection::answering);
    parts.extensions.insert(id);
    parts.extensions.insert(Received(bytes));
    let limit = Duration::from_millis(limits.deadline_ms);
    let work = next.run(Request::from_parts(parts, Body::empty()));
    match tokio::time::timeout(limit, work).await {
        Ok(response) => response,
        Err(_) => Problem::deadline(limit).into_response(),
    }
}

/// Part of the body was not read: nothing can follow on this connection.
fn closing(problem: Problem) -> Response {
    let mut response = problem.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn add_headers(headers: &mut HeaderMap, id: RequestId) {
    headers.insert(REQUEST_ID, HeaderValue::from(id.0));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// The method's name, one of a few: a label must not be of the caller's choosing.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What a panic said.
fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no words)")
}

/// No such path.
pub(super) async fn no_such_path() -> Response {
    Problem::not_found("there is no such path").into_response()
}

/// The path has no such method.
pub(super) async fn no_such_method() -> Response {
    Problem::method("this path has no such method").into_response()
}
