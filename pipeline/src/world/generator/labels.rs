//! What a viewer does with a post: the ten tasks of the model.

use super::engagements::probabilities;
use super::plan::Traits;
use super::random::{Purpose, Random};
use crate::domain::{EngagementKind, Post, Task, UserId};

/// Draws the labels of a viewer and a post, given how close the post is to the viewer (0..=1). Equal arguments give
/// equal labels.
pub(in crate::world) fn draw_labels(
    seed: u64,
    viewer: UserId,
    post: &Post,
    affinity: f64,
) -> [bool; Task::COUNT] {
    let quality = 0.5 + Random::of(seed, Purpose::PostTraits, post.id.0).unit() as f32;
    let traits = Traits {
        photos: post.media.photos,
        video_ms: post.media.video_ms,
        has_url: !post.urls.is_empty(),
        is_spam: post.labels.spam,
        quality,
        ..Traits::default()
    };
    let interest = affinity * f64::from(quality);
    let pair = post.id.0 ^ viewer.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = Random::of(seed, Purpose::Labels, pair);
    let mut does = |kind: EngagementKind| {
        let probability = probabilities(affinity, &traits).into_iter().find(|entry| entry.0 == kind);
        random.chance(probability.map_or(0.0, |entry| entry.1))
    };
    let favorite = does(EngagementKind::Favorite);
    let click = does(EngagementKind::Click);
    let profile_click = does(EngagementKind::ProfileClick);
    let dwell = does(EngagementKind::Dwell);
    let negative = does(EngagementKind::NegativeFeedback);
    let report = does(EngagementKind::Report);
    let video_half = does(EngagementKind::VideoHalf);
    let reply = random.chance(0.004 + 0.05 * interest);
    let repost = random.chance(0.004 + 0.05 * interest);
    let mut labels = [false; Task::COUNT];
    for (task, happened) in [
        (Task::Favorite, favorite),
        // Clicks and visits count when something comes of them; a reply engages its author less often than not.
        (Task::GoodClick, click && (favorite || reply)),
        (Task::GoodClickDwell, click && dwell),
        (Task::NegativeFeedback, negative || report),
        (Task::GoodProfileClick, profile_click && random.chance(0.4)),
        (Task::Reply, reply),
        (Task::ReplyEngagedByAuthor, reply && random.chance(0.3)),
        (Task::Report, report),
        (Task::Repost, repost),
        (Task::VideoHalf, video_half),
    ] {
        labels[task.index()] = happened;
    }
    labels
}
