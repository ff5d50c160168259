//! What clients report with events about a post: named facts about it and its response.

use crate::domain::{Candidate, PageKind, Query, SourceKind, SuggestKind};
use crate::mixing::Shown;
use crate::timeline::{ClientEvent, ContextKind};

/// As what a post was suggested.
fn component(candidate: &Candidate) -> &'static str {
    match candidate.suggest {
        SuggestKind::RankedTimeline => "ranked_timeline",
        SuggestKind::Activity => "activity",
        SuggestKind::SimilarContent => "similar_content",
        SuggestKind::RecommendedAuthor => "recommended_author",
        SuggestKind::RankedList => "ranked_list",
        SuggestKind::RecommendedTrend => "recommended_trend",
        SuggestKind::Media => "media",
        SuggestKind::RankedOrganic => "ranked_organic",
        SuggestKind::Chronological => "chronological",
        SuggestKind::Promoted => "promoted",
    }
}

/// `size` is the number of posts in the response.
pub(super) fn client_event(query: &Query, shown: &Shown, position: usize, size: usize) -> ClientEvent {
    let candidate = &shown.candidate;
    let post = candidate.content();
    let photos = post.map_or(0, |post| post.media.photos);
    let video = post.and_then(|post| post.media.video_ms);
    let likes = candidate.counts.favorites;
    let page = query.request.page();
    let has_ancestors = candidate.conversation.get().is_some_and(|found| !found.ancestors.is_empty());
    let reason = shown.reason.as_ref().map(|reason| reason.kind);
    let following = query.facts.following.get().map_or(0, |following| following.len());
    let context = query.request.context;
    let mut traits: Vec<&'static str> = [
        ("cached", candidate.source == SourceKind::Cached),
        ("context_polling", context == crate::domain::DeviceContext::Polling),
        ("context_pull_to_refresh", context == crate::domain::DeviceContext::PullToRefresh),
        ("favorites_10_or_more", likes >= 10),
        ("favorites_100_or_more", likes >= 100),
        ("favorites_1000_or_more", likes >= 1_000),
        ("favorites_10000_or_more", likes >= 10_000),
        ("following_50_or_more", following >= 50),
        ("followed_by_context", reason == Some(ContextKind::FollowedBy)),
        ("fully_scored", candidate.model_score.value().is_some()),
        ("has_ancestors", has_ancestors),
        ("has_link", post.is_some_and(|post| !post.urls.is_empty())),
        ("has_photo", photos > 0),
        ("has_several_photos", photos > 1),
        ("has_video", video.is_some()),
        ("in_network", candidate.is_in_network()),
        ("liked_by_context", reason == Some(ContextKind::LikedBy)),
        ("page_initial", page == PageKind::Initial),
        ("page_middle", page == PageKind::Middle),
        ("page_newer", page == PageKind::Newer),
        ("page_older", page == PageKind::Older),
        ("pinned", shown.is_pinned),
        ("quote", post.is_some_and(|post| post.quotes.is_some())),
        ("reply", candidate.is_reply()),
        ("repost", candidate.is_repost()),
        ("response_under_10", size < 10),
        ("response_under_20", size < 20),
        ("response_under_5", size < 5),
        ("response_under_50", size < 50),
        ("topic", post.is_some_and(|post| post.topic.is_some())),
        ("video_10_to_60_seconds", video.is_some_and(|ms| (10_000..=60_000).contains(&ms))),
        ("video_over_60_seconds", video.is_some_and(|ms| ms > 60_000)),
        ("video_under_10_seconds", video.is_some_and(|ms| ms < 10_000)),
        ("zero_score", candidate.score == 0.0),
    ]
    .into_iter()
    .filter_map(|(name, holds)| holds.then_some(name))
    .collect();
    traits.sort_unstable();
    ClientEvent { component: component(candidate), element: "post", position, traits }
}
