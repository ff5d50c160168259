//! What a caller hears when a request cannot be answered.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::domain::stores::StoreError;

/// Why a request was not answered: a status, a code for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The code for programs; stays the same over versions.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
    /// When it is worth trying again.
    pub retry_after: Option<Duration>,
}

/// The body of every response that is no success.
#[derive(Debug, Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Debug, Serialize)]
struct Inner<'a> {
    code: &'a str,
    message: &'a str,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// Something in the request's address or body is not as it must be.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// The cursor is not one of ours, or not for this viewer and timeline.
    pub fn cursor(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_cursor", message)
    }

    /// There is no token, or not one of ours.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// The viewer may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// It is not there, or not for this viewer to see.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The path exists, the method does not.
    pub fn method(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// It contradicts what is stored.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// The body is too long.
    pub fn too_large(most: usize) -> Self {
        let message = format!("the body is longer than {most} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    }

    /// The body did not arrive in time.
    pub fn slow_body(limit: Duration) -> Self {
        let message = format!("the body did not arrive within {} ms", limit.as_millis());
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow_body", message)
    }

    /// The body is of another kind than JSON.
    pub fn media_type() -> Self {
        let message = "the body must be JSON, with content-type application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    }

    /// The viewer asks too often.
    pub fn too_many(message: impl Into<String>, retry_after: Duration) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        Self { retry_after: Some(retry_after), ..problem }
    }

    /// There is more to do than can be done in time.
    pub fn overloaded(retry_after: Duration) -> Self {
        let message = "there is more to do than can be done in time";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message);
        Self { retry_after: Some(retry_after), ..problem }
    }

    /// The service is shutting down or not ready.
    pub fn unavailable(message: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        Self { retry_after: Some(Duration::from_secs(1)), ..problem }
    }

    /// The disk refuses what was to be written: nothing of it is stored.
    pub fn storage() -> Self {
        // What exactly is for the log: it may name paths.
        let message = "this could not be stored; nothing of it was";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_failed", message);
        Self { retry_after: Some(Duration::from_secs(5)), ..problem }
    }

    /// It was not done in time. What was to be written may be stored nevertheless.
    pub fn deadline(limit: Duration) -> Self {
        let message = format!("this was not done within {} ms", limit.as_millis());
        Self::new(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", message)
    }

    /// A timeline was not made in time.
    pub fn late() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", "the timeline was not made in time")
    }

    /// A mistake of ours.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this failed on our side; it is in the log")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused { problem, .. } => Self::conflict(problem),
            error => {
                tracing::error!(%error, "a store failed");
                Self::storage()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body { error: Inner { code: self.code, message: &self.message } };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(after) = self.retry_after {
            // Whole seconds, rounded up: the field knows no finer unit.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
