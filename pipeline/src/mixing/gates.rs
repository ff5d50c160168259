//! When modules, ads and prompts apply.

use std::time::Duration;

use crate::component;
use crate::config::PeopleConfig;
use crate::domain::{Millis, PageKind, Query, ServedExtras};
use crate::engine::Gate;

use super::{Item, PeopleKind};

/// Open when no earlier pipeline gave a post.
pub struct NoPosts;
component!(NoPosts, "no_posts", "open when no earlier pipeline gave a post");

impl Gate<Query, Item> for NoPosts {
    fn is_open(&self, _query: &Query, earlier: &[Item]) -> bool {
        earlier.iter().all(|item| item.posts().is_empty())
    }
}

/// Open when an earlier pipeline gave a post.
pub struct HasPosts;
component!(HasPosts, "has_posts", "open when an earlier pipeline gave a post");

impl Gate<Query, Item> for HasPosts {
    fn is_open(&self, _query: &Query, earlier: &[Item]) -> bool {
        earlier.iter().any(|item| !item.posts().is_empty())
    }
}

/// Open when the request names a notification's post.
pub struct HasPush;
component!(HasPush, "has_push", "open when the request names a notification's post");

impl Gate<Query, Item> for HasPush {
    fn is_open(&self, query: &Query, _earlier: &[Item]) -> bool {
        query.request.push_to_home.is_some()
    }
}

/// Open on a page of newer posts that the reader did not pull for.
pub struct WantsPill;
component!(WantsPill, "wants_pill", "open on a page of newer posts that the reader did not pull for");

impl Gate<Query, Item> for WantsPill {
    fn is_open(&self, query: &Query, _earlier: &[Item]) -> bool {
        query.request.page() == PageKind::Newer
            && query.request.context != crate::domain::DeviceContext::PullToRefresh
    }
}

/// Open when nothing of a kind was shown on this platform for a while.
pub struct NotShownLately {
    /// What is asked of a response.
    pub shows: fn(&ServedExtras) -> bool,
    /// For how long.
    pub interval: Duration,
}
component!(NotShownLately, "not_shown_lately", "open when nothing of the kind was shown for a while");

impl NotShownLately {
    /// For a module of accounts.
    pub fn people(kind: PeopleKind, config: &PeopleConfig) -> Self {
        let shows: fn(&ServedExtras) -> bool = match kind {
            PeopleKind::Follow => |extras| !extras.to_follow.is_empty(),
            PeopleKind::Subscribe => |extras| !extras.to_subscribe.is_empty(),
        };
        Self { shows, interval: Duration::from_millis(config.interval_ms) }
    }
}

impl Gate<Query, Item> for NotShownLately {
    fn is_open(&self, query: &Query, _earlier: &[Item]) -> bool {
        // When nobody knows what was shown, nothing is shown: too seldom is better than every time.
        let Some(history) = query.facts.history.get() else { return false };
        let last = history
            .iter()
            .filter(|response| (self.shows)(&response.extras))
            .map(|response| response.at)
            .max();
        last.is_none_or(|at| query.now.since(at) > self.interval && query.now > at)
    }
}

/// Open when the viewer has not dismissed a module lately: after one dismissal for a while, after more for so many times
/// as long.
pub struct NotTired {
    /// The module.
    pub module: &'static str,
    /// For how long one dismissal keeps it away.
    pub fatigue: Duration,
    /// More dismissals than this prolong it no further.
    pub max_dismissals: u32,
}
component!(NotTired, "not_tired", "open when the viewer has not dismissed the module lately");

impl Gate<Query, Item> for NotTired {
    fn is_open(&self, query: &Query, _earlier: &[Item]) -> bool {
        let dismissals = query.facts.dismissals.get().map_or(&[][..], |dismissals| dismissals);
        let of_module = dismissals.iter().filter(|dismissal| dismissal.module == self.module);
        let times: Vec<Millis> = of_module.map(|dismissal| dismissal.at).collect();
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX).min(self.max_dismissals);
        times.iter().max().is_none_or(|&last| query.now.since(last) >= self.fatigue * count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeviceContext, Dismissal, Feature, ServedResponse, UserId};
    use crate::testing::{NOW, VIEWER, hours, query};

    const DAY: u64 = 24;

    #[test]
    fn dismissals_keep_a_module_away_longer_each_time_up_to_four() {
        let gate = NotTired { module: "who-to-follow", fatigue: hours(7 * DAY), max_dismissals: 4 };
        let dismissal =
            |module: &str, ago| Dismissal { viewer: VIEWER, module: module.to_owned(), at: NOW - ago };
        for (times, last_days, open) in [
            (0, 0, true),
            (1, 6, false),
            (1, 7, true),
            (2, 13, false),
            (2, 14, true),
            (4, 27, false),
            (4, 28, true),
            (9, 28, true),
        ] {
            let mut query = query(&[]);
            let mut all: Vec<_> =
                (0..times).map(|n| dismissal("who-to-follow", hours((last_days + n) * DAY))).collect();
            all.push(dismissal("who-to-subscribe", hours(0)));
            query.facts.dismissals = Feature::Value(all.into());
            assert_eq!(gate.is_open(&query, &[]), open, "{times} times, last {last_days} days ago");
        }
    }

    #[test]
    fn a_module_waits_for_its_interval_and_for_history() {
        let gate = NotShownLately::people(PeopleKind::Follow, &PeopleConfig::default());
        let mut query = query(&[]);
        assert!(!gate.is_open(&query, &[]), "nobody knows what was shown");
        for (ago, open) in [(30, false), (31, true), (0, false)] {
            let mut response = ServedResponse { at: NOW - hours(ago), ..ServedResponse::default() };
            response.extras.to_follow = vec![UserId(5)];
            let plain = ServedResponse { at: NOW, ..ServedResponse::default() };
            query.facts.history = Feature::Value([plain, response].into());
            assert_eq!(gate.is_open(&query, &[]), open, "{ago} hours ago");
        }
        query.facts.history = Feature::Value([].into());
        assert!(gate.is_open(&query, &[]));
    }

    #[test]
    fn the_pill_comes_with_newer_posts_that_nobody_pulled_for() {
        let mut query = query(&[]);
        assert!(!WantsPill.is_open(&query, &[]));
        query.request.cursor = Some(crate::domain::Cursor::Top { newest: crate::domain::PostId(1) });
        assert!(WantsPill.is_open(&query, &[]));
        query.request.context = DeviceContext::PullToRefresh;
        assert!(!WantsPill.is_open(&query, &[]));
    }
}
