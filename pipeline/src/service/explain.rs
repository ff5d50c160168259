//! `GET /v1/explain`: why a post is, or is not, in the viewer's timeline.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;

use super::app::App;
use super::asking::{Asker, parameters, value};
use super::problem::Problem;
use super::writes::is_hidden;
use crate::domain::{PostId, RequestFacts};
use crate::explain::Explanation;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    /// The post.
    post: String,
    /// The request that showed it, when it is on record; without it the request is made as if now.
    request: Option<String>,
}

/// `GET /v1/explain`.
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    asker: Asker,
    uri: Uri,
) -> Result<Json<Explanation>, Problem> {
    let Parameters { post, request } = parameters(&uri)?;
    let post: PostId = value("post", "the id of a post", &post)?;
    let request: Option<u64> =
        request.map(|text| value("request", "the id of a request", &text)).transpose()?;
    let viewer = asker.viewer;
    let _place = app.enter(&app.lanes.ranked).await?;
    let generation = app.generation();
    if is_hidden(generation.stores(), viewer, post) {
        return Err(Problem::not_found(format!("there is no post {post}")));
    }
    let home = Arc::clone(&generation.home);
    let explanation = app.crews.ranked.work(async move {
        let for_you = home.for_you();
        if let Some(request) = request {
            // Only a request of this viewer is found.
            if let Some(explanation) = for_you.explain_served(viewer, request, post).await {
                return explanation;
            }
        }
        for_you.explain(viewer, RequestFacts::default(), post).await
    });
    Ok(Json(explanation.await?))
}
