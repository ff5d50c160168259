//! What is left of "see fewer" after the weeks in which it removes.

use std::collections::HashMap;

use crate::config::FeedbackConfig;
use crate::domain::{Candidate, Feedback, FeedbackKind, Millis, UserId};

/// Milliseconds of a day.
const DAY_MS: u128 = 86_400_000;

/// Multipliers by account and kind of feedback.
#[derive(Clone, Debug, Default)]
pub struct FeedbackFading {
    by_kind: HashMap<(FeedbackKind, UserId), f64>,
}

impl FeedbackFading {
    /// Prepares a viewer's feedback. Of several entries about one account the latest counts.
    pub fn new(config: &FeedbackConfig, history: &[Feedback], now: Millis) -> Self {
        let mut in_order: Vec<&Feedback> = history.iter().collect();
        in_order.sort_by_key(|entry| entry.at);
        let mut by_kind = HashMap::new();
        for entry in in_order {
            let days = now.since(entry.at).as_millis() / DAY_MS;
            match multiplier(config, days) {
                Some(value) => by_kind.insert((entry.kind, entry.about), value),
                None => by_kind.remove(&(entry.kind, entry.about)),
            };
        }
        Self { by_kind }
    }

    /// The factor of one candidate: 1 when no feedback touches it.
    pub fn factor(&self, candidate: &Candidate) -> f64 {
        if self.by_kind.is_empty() {
            return 1.0;
        }
        let of = |kind, user| self.by_kind.get(&(kind, user)).copied();
        let proof = candidate.social_proof.get();
        let (likers, followers) =
            proof.map_or((&[][..], &[][..]), |proof| (&proof.liked_by, &proof.followed_by));
        let written = of(FeedbackKind::Post, candidate.original_author_id()).unwrap_or(1.0);
        let liked = self.largest(FeedbackKind::Favorite, likers);
        let followed = if likers.is_empty() { self.largest(FeedbackKind::Follow, followers) } else { 1.0 };
        let reposted =
            of(FeedbackKind::Repost, candidate.author_id).filter(|_| candidate.is_repost()).unwrap_or(1.0);
        written * liked * followed * reposted
    }

    /// The largest of the users' multipliers when all of them have one; else 1.
    fn largest(&self, kind: FeedbackKind, users: &[UserId]) -> f64 {
        let all: Option<Vec<f64>> =
            users.iter().map(|&user| self.by_kind.get(&(kind, user)).copied()).collect();
        all.and_then(|all| all.into_iter().reduce(f64::max)).unwrap_or(1.0)
    }
}

/// The multiplier of feedback `days` old; none when it is too old to have one. Before the fading starts it is the
/// floor: by then the filter has removed what it would multiply.
fn multiplier(config: &FeedbackConfig, days: u128) -> Option<f64> {
    let (filter, fade) = (f64::from(config.filter_days), f64::from(config.fade_days));
    let past = days as f64 - filter;
    (past < fade).then(|| (config.floor + (1.0 - config.floor) * past.max(0.0) / fade).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PostId, SourceKind, SuggestKind};

    #[test]
    fn the_multiplier_rises_from_the_floor_to_one() {
        let config = FeedbackConfig::default();
        for (days, expected) in [
            (14, Some(0.2)),
            (49, Some(0.4)),
            (84, Some(0.6)),
            (119, Some(0.8)),
            (153, Some(0.2 + 0.8 * 139.0 / 140.0)),
            (154, None),
            (1000, None),
        ] {
            let got = multiplier(&config, days);
            let close = match (got, expected) {
                (Some(got), Some(expected)) => (got - expected).abs() <= 1e-12,
                (got, expected) => got == expected,
            };
            assert!(close, "{days} days: expected {expected:?}, got {got:?}");
        }
        assert!((multiplier(&config, 153).unwrap_or(0.0) - 0.994).abs() <= 5e-4);
    }

    #[test]
    fn the_latest_entry_about_an_account_counts() {
        let entry = |days: i64| Feedback {
            viewer: UserId(1),
            kind: FeedbackKind::Post,
            about: UserId(2),
            post: None,
            at: Millis(-days * DAY_MS as i64),
        };
        let candidate =
            Candidate::new(PostId(1), UserId(2), SourceKind::InNetwork, SuggestKind::RankedTimeline);
        for (days, expected) in [(&[84, 49][..], 0.4), (&[49, 84], 0.4), (&[200], 1.0), (&[], 1.0)] {
            let history: Vec<_> = days.iter().map(|&days| entry(days)).collect();
            let fading = FeedbackFading::new(&FeedbackConfig::default(), &history, Millis(0));
            let got = fading.factor(&candidate);
            assert!((got - expected).abs() <= 1e-12, "{days:?}: {got}");
        }
    }
}
