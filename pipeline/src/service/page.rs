//! The page: plain HTML, CSS and JavaScript, part of the binary.

use axum::http::header;
use axum::response::{IntoResponse, Response};

const HTML: &str = include_str!("../../page/index.html");
const CSS: &str = include_str!("../../page/page.css");
const JS: &str = include_str!("../../page/page.js");
const ENTRIES_JS: &str = include_str!("../../page/entries.js");
const API_JS: &str = include_str!("../../page/api.js");
const EXPLAIN_JS: &str = include_str!("../../page/explain.js");
const FEED_JS: &str = include_str!("../../page/feed.js");
const ACTS_JS: &str = include_str!("../../page/acts.js");
const MESSAGES_JS: &str = include_str!("../../page/messages.js");

/// The page runs its own scripts and talks to its own service, and nothing else; no other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}

/// `GET /`.
pub(super) async fn html() -> Response {
    file("text/html; charset=utf-8", HTML)
}

/// `GET /page.css`.
pub(super) async fn css() -> Response {
    file("text/css; charset=utf-8", CSS)
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// `GET /page.js`.
pub(super) async fn page_js() -> Response {
    file(SCRIPT, JS)
}

/// `GET /entries.js`.
pub(super) async fn entries_js() -> Response {
    file(SCRIPT, ENTRIES_JS)
}

/// `GET /api.js`.
pub(super) async fn api_js() -> Response {
    file(SCRIPT, API_JS)
}

/// `GET /explain.js`.
pub(super) async fn explain_js() -> Response {
    file(SCRIPT, EXPLAIN_JS)
}

/// `GET /feed.js`.
pub(super) async fn feed_js() -> Response {
    file(SCRIPT, FEED_JS)
}

/// `GET /acts.js`.
pub(super) async fn acts_js() -> Response {
    file(SCRIPT, ACTS_JS)
}

/// `GET /messages.js`.
pub(super) async fn messages_js() -> Response {
    file(SCRIPT, MESSAGES_JS)
}
