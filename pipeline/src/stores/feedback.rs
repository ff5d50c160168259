//! What viewers asked to see fewer of, and what they closed.

use super::Embedded;
use super::journal::Write;
use super::shards::ShardedMap;
use crate::domain::stores::{FeedbackStore, StoreError};
use crate::domain::{Dismissal, Feedback, Millis, UserId};

/// Most feedback, and most dismissals, that are kept for a viewer: the newest.
const MAX_SAID: usize = 1_000;

/// Feedback and dismissals by viewer, oldest first.
#[derive(Debug, Default)]
pub(super) struct FeedbackLog {
    feedback: ShardedMap<u64, Vec<Feedback>>,
    dismissals: ShardedMap<u64, Vec<Dismissal>>,
}

impl FeedbackLog {
    pub(super) fn add_feedback(&self, feedback: Feedback) {
        self.feedback.update(feedback.viewer.0, |log| insert_by_time(log, feedback, |entry| entry.at));
    }

    pub(super) fn add_dismissal(&self, dismissal: Dismissal) {
        self.dismissals.update(dismissal.viewer.0, |log| insert_by_time(log, dismissal, |entry| entry.at));
    }

    /// What a viewer gave and did not take back.
    pub(super) fn feedback_of(&self, viewer: UserId) -> Vec<Feedback> {
        self.feedback.get(&viewer.0).unwrap_or_default()
    }

    /// What a viewer closed and did not open again.
    pub(super) fn dismissals_of(&self, viewer: UserId) -> Vec<Dismissal> {
        self.dismissals.get(&viewer.0).unwrap_or_default()
    }

    /// Takes feedback back; whether there was any.
    pub(super) fn withdraw_feedback(&self, feedback: &Feedback) -> bool {
        self.feedback.update(feedback.viewer.0, |log| {
            let before = log.len();
            log.retain(|said| !feedback.takes_back(said));
            log.len() < before
        })
    }

    /// Takes the newest dismissal of a module back; whether there was one.
    pub(super) fn withdraw_dismissal(&self, dismissal: &Dismissal) -> bool {
        self.dismissals.update(dismissal.viewer.0, |log| {
            let newest = log.iter().rposition(|said| said.module == dismissal.module);
            newest.map(|place| log.remove(place)).is_some()
        })
    }

    /// Frees entries from before `horizon`.
    pub(super) fn sweep(&self, horizon: Millis) {
        self.feedback.for_each_shard(|shard| {
            shard.retain(|_, log| {
                log.retain(|entry| entry.at >= horizon);
                !log.is_empty()
            });
        });
        self.dismissals.for_each_shard(|shard| {
            shard.retain(|_, log| {
                log.retain(|entry| entry.at >= horizon);
                !log.is_empty()
            });
        });
    }
}

/// Behind everything that is not later; the oldest makes room.
fn insert_by_time<T>(log: &mut Vec<T>, entry: T, at: impl Fn(&T) -> Millis) {
    let place = log.partition_point(|other| at(other) <= at(&entry));
    log.insert(place, entry);
    if log.len() > MAX_SAID {
        log.remove(0);
    }
}

impl FeedbackStore for Embedded {
    fn feedback(&self, viewer: UserId, since: Millis) -> Vec<Feedback> {
        self.memory.feedback.feedback.with(&viewer.0, |log| {
            let log = log.map(Vec::as_slice).unwrap_or_default();
            log[log.partition_point(|entry| entry.at < since)..].to_vec()
        })
    }

    fn dismissals(&self, viewer: UserId, since: Millis) -> Vec<Dismissal> {
        self.memory.feedback.dismissals.with(&viewer.0, |log| {
            let log = log.map(Vec::as_slice).unwrap_or_default();
            log[log.partition_point(|entry| entry.at < since)..].to_vec()
        })
    }

    fn record_feedback(&self, feedback: Feedback) -> Result<(), StoreError> {
        self.journal.commit(Write::Feedback(feedback)).map(drop)
    }

    fn record_dismissal(&self, dismissal: Dismissal) -> Result<(), StoreError> {
        self.journal.commit(Write::Dismissal(dismissal)).map(drop)
    }

    fn withdraw_feedback(&self, feedback: Feedback) -> Result<bool, StoreError> {
        self.journal.commit(Write::WithdrawFeedback(feedback))
    }

    fn withdraw_dismissal(&self, dismissal: Dismissal) -> Result<bool, StoreError> {
        self.journal.commit(Write::WithdrawDismissal(dismissal))
    }
}
