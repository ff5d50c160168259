//! `GET /v1/timelines/…`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use serde::Deserialize;

use super::app::App;
use super::asking::{Asker, parameters, value};
use super::problem::Problem;
use crate::domain::stores::StoreError;
use crate::domain::{DeviceContext, Language, ListId, Platform, PostId, TimelineKind};
use crate::timeline::{Client, Timeline, TimelineError, TimelineRequest};

/// Longest cursor.
const MAX_CURSOR: usize = 2_048;
/// Most posts of a page.
const MAX_COUNT: usize = 200;
/// Most ids in `seen`.
const MAX_SEEN: usize = 500;

/// Parameters of a timeline request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    cursor: Option<String>,
    count: Option<String>,
    #[serde(default)]
    context: DeviceContext,
    #[serde(default)]
    client: Platform,
    #[serde(default)]
    language: Language,
    #[serde(default)]
    country: String,
    #[serde(default)]
    seen: String,
    push_to_home: Option<String>,
}

impl Parameters {
    fn request(self, product: TimelineKind, asker: &Asker) -> Result<TimelineRequest, Problem> {
        if self.cursor.as_ref().is_some_and(|cursor| cursor.len() > MAX_CURSOR) {
            return Err(Problem::cursor(format!("the cursor has more than {MAX_CURSOR} bytes")));
        }
        let range = format!("1 to {MAX_COUNT}");
        let count = self.count.map(|text| value::<usize>("count", &range, &text)).transpose()?;
        if let Some(count) = count.filter(|count| !(1..=MAX_COUNT).contains(count)) {
            return Err(Problem::invalid(format!("count: expected {range}, got {count}")));
        }
        let push_to_home = self.push_to_home.map(|text| value("push_to_home", "an id", &text)).transpose()?;
        let is_country = self.country.len() == 2 && self.country.bytes().all(|c| c.is_ascii_lowercase());
        if !(self.country.is_empty() || is_country) {
            return Err(Problem::invalid("country: expected two lower-case letters"));
        }
        let ids = self.seen.split(',').filter(|id| !id.is_empty());
        let seen: Vec<PostId> =
            ids.map(|id| value("seen", "ids, parted by commas", id)).collect::<Result<_, _>>()?;
        if seen.len() > MAX_SEEN {
            return Err(Problem::invalid(format!("seen: expected at most {MAX_SEEN} ids")));
        }
        Ok(TimelineRequest {
            product,
            viewer: asker.viewer,
            cursor: self.cursor,
            count,
            context: self.context,
            client: Client { platform: self.client, language: self.language, country: self.country },
            seen,
            push_to_home,
            request_id: asker.id,
        })
    }
}

async fn timeline(
    app: &App,
    asker: &Asker,
    product: TimelineKind,
    uri: &Uri,
) -> Result<Json<Timeline>, Problem> {
    let request = parameters::<Parameters>(uri)?.request(product, asker)?;
    let (lane, crew) = match product.is_chronological() {
        true => (&app.lanes.chronological, &app.crews.chronological),
        false => (&app.lanes.ranked, &app.crews.ranked),
    };
    let _place = app.enter(lane).await?;
    // Taken once the wait is over: whoever waited gets what is configured now.
    let home = Arc::clone(&app.generation().home);
    Ok(Json(crew.work(async move { home.timeline(request).await }).await??))
}

impl From<TimelineError> for Problem {
    fn from(error: TimelineError) -> Self {
        let message = error.to_string();
        match error {
            TimelineError::BadCursor => Self::cursor(message),
            TimelineError::BadAction | TimelineError::Parameter { .. } => Self::invalid(message),
            TimelineError::UnknownViewer(_) => Self::forbidden(message),
            TimelineError::UnknownList(_) => Self::not_found(message),
            TimelineError::Overload => Self::overloaded(std::time::Duration::from_secs(1)),
            TimelineError::Store(error @ StoreError::Refused { .. }) => error.into(),
            error => {
                tracing::error!(%error, "there is no timeline");
                match error {
                    TimelineError::Deadline(_) => Self::late(),
                    TimelineError::Store(error) => error.into(),
                    _ => Self::unavailable("the timeline could not be made"),
                }
            }
        }
    }
}

/// `GET /v1/timelines/for_you`.
pub(super) async fn for_you(
    State(app): State<Arc<App>>,
    asker: Asker,
    uri: Uri,
) -> Result<Json<Timeline>, Problem> {
    timeline(&app, &asker, TimelineKind::ForYou, &uri).await
}

/// `GET /v1/timelines/following`.
pub(super) async fn following(
    State(app): State<Arc<App>>,
    asker: Asker,
    uri: Uri,
) -> Result<Json<Timeline>, Problem> {
    timeline(&app, &asker, TimelineKind::Following, &uri).await
}

/// `GET /v1/timelines/lists/{id}`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    asker: Asker,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Timeline>, Problem> {
    let id: ListId = id.parse().map_err(|_| Problem::invalid("the path needs the id of a list"))?;
    timeline(&app, &asker, TimelineKind::List(id), &uri).await
}

/// `GET /v1/timelines/subscribed`.
pub(super) async fn subscribed(
    State(app): State<Arc<App>>,
    asker: Asker,
    uri: Uri,
) -> Result<Json<Timeline>, Problem> {
    timeline(&app, &asker, TimelineKind::Subscribed, &uri).await
}
