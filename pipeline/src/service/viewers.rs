//! What one viewer may do: so many requests at once, and so many a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::config::ViewerLimits;
use crate::domain::UserId;

/// From so many viewers on, those whose allowance is full again are forgotten.
const SWEEP_FROM: usize = 10_000;

/// Requests of viewers: those under way, and the allowance that is left.
#[derive(Default)]
pub(super) struct Viewers {
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    accounts: HashMap<UserId, Account>,
    /// Number of accounts at which to look again for those that can be forgotten.
    sweep_at: usize,
}

struct Account {
    under_way: usize,
    /// Requests that may be made at once.
    allowance: f64,
    at: Instant,
}

/// A request of a viewer under way.
pub(super) struct Visit {
    viewers: Arc<Viewers>,
    viewer: UserId,
}

/// Why a viewer has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There are too many requests of theirs under way.
    TooManyAtOnce,
    /// They come too often; after this time one more is allowed.
    TooOften(Duration),
}

impl Viewers {
    /// Notes a request.
    ///
    /// # Errors
    /// The viewer has to wait.
    pub(super) fn enter(
        self: &Arc<Self>,
        viewer: UserId,
        limits: ViewerLimits,
        now: Instant,
    ) -> Result<Visit, Refusal> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.sweep(limits, now);
        let fresh = Account { under_way: 0, allowance: limits.burst, at: now };
        let account = books.accounts.entry(viewer).or_insert(fresh);
        account.earn(limits, now);
        if account.under_way >= limits.concurrent {
            return Err(Refusal::TooManyAtOnce);
        }
        if account.allowance < 1.0 {
            let wait = (1.0 - account.allowance) / limits.rate;
            return Err(Refusal::TooOften(Duration::from_secs_f64(wait)));
        }
        account.allowance -= 1.0;
        account.under_way += 1;
        Ok(Visit { viewers: Arc::clone(self), viewer })
    }
}

impl Account {
    fn earn(&mut self, limits: ViewerLimits, now: Instant) {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * limits.rate;
        self.allowance = (self.allowance + earned).min(limits.burst);
        self.at = now.max(self.at);
    }
}

impl Books {
    /// Forgets viewers of whom nothing needs to be known: a forgotten one starts with a full allowance.
    fn sweep(&mut self, limits: ViewerLimits, now: Instant) {
        if self.accounts.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.accounts.retain(|_, account| {
            account.earn(limits, now);
            account.under_way > 0 || account.allowance < limits.burst
        });
        // Looking costs as much as there are accounts, so it is worth it again after as many new ones.
        self.sweep_at = 2 * self.accounts.len();
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut books = self.viewers.books.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = books.accounts.get_mut(&self.viewer) {
            account.under_way = account.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ViewerLimits = ViewerLimits { concurrent: 2, rate: 10.0, burst: 3.0 };

    #[test]
    fn at_once_and_in_the_long_run() {
        let (viewers, start) = (Arc::new(Viewers::default()), Instant::now());
        let enter = |viewer, ms| viewers.enter(UserId(viewer), LIMITS, start + Duration::from_millis(ms));
        let visits = [enter(1, 0).expect("first"), enter(1, 0).expect("second")];
        assert_eq!(enter(1, 0).err(), Some(Refusal::TooManyAtOnce));
        assert!(enter(2, 0).is_ok(), "others are not concerned");
        drop(visits);
        assert!(enter(1, 0).is_ok(), "the third of the burst");
        assert_eq!(enter(1, 0).err(), Some(Refusal::TooOften(Duration::from_millis(100))));
        assert_eq!(enter(1, 50).err(), Some(Refusal::TooOften(Duration::from_millis(50))));
        assert!(enter(1, 100).is_ok(), "ten a second");
        assert!(enter(1, 100).is_err());
        for _ in 0..3 {
            assert!(enter(1, 60_000).is_ok(), "never more than the burst");
        }
        assert!(enter(1, 60_000).is_err());
    }

    #[test]
    fn viewers_who_left_are_forgotten() {
        let (viewers, start) = (Arc::new(Viewers::default()), Instant::now());
        let held = viewers.enter(UserId(0), LIMITS, start).expect("allowed");
        for viewer in 1..=SWEEP_FROM as u64 {
            let at = start + Duration::from_secs(viewer);
            drop(viewers.enter(UserId(viewer), LIMITS, at).expect("allowed"));
        }
        let books = viewers.books.lock().expect("sound");
        assert!(books.accounts.len() < 10, "{} left", books.accounts.len());
        assert!(books.accounts.contains_key(&UserId(0)), "a request is under way");
        drop(books);
        drop(held);
    }
}
