//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};

use super::app::App;
use super::{demo, explain, frame, page, probes, timelines, viewer, writes};

type Route = (&'static str, &'static str, MethodRouter<Arc<App>>);

/// Every route: method, path, what answers it. A test compares this with the OpenAPI document.
fn table() -> Vec<Route> {
    vec![
        ("get", "/v1/timelines/for_you", get(timelines::for_you)),
        ("get", "/v1/timelines/following", get(timelines::following)),
        ("get", "/v1/timelines/lists/{id}", get(timelines::list)),
        ("get", "/v1/timelines/subscribed", get(timelines::subscribed)),
        ("get", "/v1/explain", get(explain::explain)),
        ("get", "/v1/viewer", get(viewer::viewer)),
        ("post", "/v1/posts", post(writes::add_post)),
        ("delete", "/v1/posts/{id}", delete(writes::delete_post)),
        ("post", "/v1/engagements", post(writes::record_engagements)),
        ("post", "/v1/feedback", post(writes::record_feedback)),
        ("post", "/v1/impressions", post(writes::record_impressions)),
        ("post", "/v1/dismissals", post(writes::record_dismissal)),
        ("post", "/v1/relationships", post(writes::set_relationship)),
        ("get", "/demo/viewers", get(demo::offers)),
        ("post", "/demo/tokens/{viewer}", post(demo::grant)),
        ("get", "/healthz", get(probes::health)),
        ("get", "/readyz", get(probes::ready)),
        ("get", "/metrics", get(probes::metrics)),
        ("get", "/", get(page::html)),
        ("get", "/page.css", get(page::css)),
        ("get", "/page.js", get(page::page_js)),
        ("get", "/entries.js", get(page::entries_js)),
        ("get", "/api.js", get(page::api_js)),
        ("get", "/explain.js", get(page::explain_js)),
        ("get", "/feed.js", get(page::feed_js)),
        ("get", "/acts.js", get(page::acts_js)),
        ("get", "/messages.js", get(page::messages_js)),
    ]
}

/// Method and path of every route.
pub fn routes() -> Vec<(&'static str, &'static str)> {
    table().into_iter().map(|(method, path, _)| (method, path)).collect()
}

/// The service as a router.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for (_, path, route) in table() {
        router = router.route(path, route);
    }
    router
        .fallback(frame::no_such_path)
        .method_not_allowed_fallback(frame::no_such_method)
        .layer(from_fn_with_state(Arc::clone(app), frame::frame))
        .with_state(Arc::clone(app))
}
