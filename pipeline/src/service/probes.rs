//! For whoever runs the service: is it alive, is it ready, what does it do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::app::App;
use super::problem::Problem;

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct Readiness {
    status: &'static str,
    /// Number of the configuration in use.
    generation: u64,
}

/// `GET /healthz`: the process answers.
pub(super) async fn health() -> Response {
    Json(Health { status: "ok" }).into_response()
}

/// `GET /readyz`: requests may be sent here.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    if app.is_draining() {
        return Err(Problem::unavailable("the service is shutting down"));
    }
    Ok(Json(Readiness { status: "ready", generation: app.generation_number() }).into_response())
}

/// `GET /metrics`.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = app.metrics_text().map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, KIND)], text).into_response())
}
