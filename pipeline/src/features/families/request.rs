//! The viewer and the moment.

use std::f32::consts::TAU;

use crate::component;
use crate::domain::{Candidate, DeviceContext, PageKind, Platform, Query, User, ViewerState};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Features of the viewer's account and of the request, the same for all candidates.
pub struct RequestFeatures;

component!(RequestFeatures, "request", "the viewer's account and activity, time of day, device and page");

const CONTINUOUS: [&str; 17] = [
    "hour_sine",
    "hour_cosine",
    "weekday_sine",
    "weekday_cosine",
    "hours_since_visit",
    "viewer_followers",
    "viewer_following",
    "viewer_posts",
    "viewer_age_days",
    "viewer_reputation",
    "ties",
    "lists",
    "seen_posts",
    "cached_posts",
    "feedback",
    "languages",
    "subscriptions",
];
const CONTEXTS: [(DeviceContext, &str); 9] = [
    (DeviceContext::Foreground, "context_foreground"),
    (DeviceContext::Launch, "context_launch"),
    (DeviceContext::ManualRefresh, "context_manual_refresh"),
    (DeviceContext::Navigate, "context_navigate"),
    (DeviceContext::Polling, "context_polling"),
    (DeviceContext::PullToRefresh, "context_pull_to_refresh"),
    (DeviceContext::Signup, "context_signup"),
    (DeviceContext::SelfThread, "context_self_thread"),
    (DeviceContext::BackgroundFetch, "context_background_fetch"),
];
const PLATFORMS: [(Platform, &str); 3] = [
    (Platform::Web, "platform_web"),
    (Platform::Android, "platform_android"),
    (Platform::Ios, "platform_ios"),
];
const PAGES: [(PageKind, &str); 3] =
    [(PageKind::Initial, "page_initial"), (PageKind::Newer, "page_newer"), (PageKind::Older, "page_older")];
const STATES: [(ViewerState, &str); 8] = [
    (ViewerState::NearZero, "viewer_near_zero"),
    (ViewerState::New, "viewer_new"),
    (ViewerState::VeryLight, "viewer_very_light"),
    (ViewerState::Light, "viewer_light"),
    (ViewerState::MediumNonTweeter, "viewer_medium_reader"),
    (ViewerState::MediumTweeter, "viewer_medium_writer"),
    (ViewerState::HeavyNonTweeter, "viewer_heavy_reader"),
    (ViewerState::HeavyTweeter, "viewer_heavy_writer"),
];

impl FeatureFamily for RequestFeatures {
    fn level(&self) -> Level {
        Level::Request
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("request", &CONTINUOUS)
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        let contexts = CONTEXTS.iter().map(|(_, name)| *name);
        let platforms = PLATFORMS.iter().map(|(_, name)| *name);
        let pages = PAGES.iter().map(|(_, name)| *name);
        let states = STATES.iter().map(|(_, name)| *name);
        let names: Vec<&str> = contexts.chain(platforms).chain(pages).chain(states).collect();
        super::named("request", &names)
    }

    fn fill(&self, query: &Query, _candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let facts = &query.facts;
        let nobody = User::default();
        let viewer = facts.user.get().map_or(&nobody, |viewer| viewer);
        let days_since = |at: crate::domain::Millis| query.now.since(at).as_secs_f32() / 86_400.0;
        let day_ms = 86_400_000;
        let hour_angle = TAU * query.now.0.rem_euclid(day_ms) as f32 / day_ms as f32;
        let weekday_angle = TAU * query.now.0.rem_euclid(7 * day_ms) as f32 / (7 * day_ms) as f32;
        let last_visit = facts.last_visit.get_or(None);
        let mut row = rows.row(0);
        row.put_from(
            0,
            [
                hour_angle.sin(),
                hour_angle.cos(),
                weekday_angle.sin(),
                weekday_angle.cos(),
                last_visit.map_or(0.0, |visit| days_since(visit) * 24.0),
                viewer.followers as f32,
                viewer.following as f32,
                viewer.posts as f32,
                facts.user.get().map_or(0.0, |viewer| days_since(viewer.created_at)),
                viewer.reputation,
                facts.real_graph.get().map_or(0, |ties| ties.by_user.len()) as f32,
                facts.lists.get().map_or(0, |lists| lists.len()) as f32,
                facts.impressions.get().map_or(0, |seen| seen.len()) as f32,
                facts.cached.get().map_or(0, |cached| cached.len()) as f32,
                facts.feedback.get().map_or(0, |feedback| feedback.len()) as f32,
                facts.settings.get().map_or(0, |settings| settings.languages.len()) as f32,
                facts.subscriptions.get().map_or(0, |subscriptions| subscriptions.len()) as f32,
            ],
        );
        let state = facts.settings.get().map_or(ViewerState::Unknown, |settings| settings.state);
        let request = &query.request;
        row.flag_from(0, CONTEXTS.map(|(context, _)| context == request.context));
        row.flag_from(CONTEXTS.len(), PLATFORMS.map(|(platform, _)| platform == request.platform));
        let pages = CONTEXTS.len() + PLATFORMS.len();
        row.flag_from(pages, PAGES.map(|(page, _)| page == request.page()));
        row.flag_from(pages + PAGES.len(), STATES.map(|(known, _)| known == state));
        Ok(())
    }
}
