//! A fixed set of things, lent in the order of arrival.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Things to lend. Whoever comes first is served first; no one who waits is overtaken.
pub(super) struct Places<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    total: usize,
}

struct State<T> {
    /// Given back the longest ago first.
    free: VecDeque<T>,
    /// Ticket that the next caller draws.
    next: u64,
    /// Ticket whose turn it is.
    serving: u64,
}

/// A thing on loan; goes back when dropped, also by a panic.
pub(super) struct Loan<'a, T> {
    places: &'a Places<T>,
    thing: Option<T>,
}

impl<T> Places<T> {
    pub(super) fn new(things: Vec<T>) -> Self {
        let total = things.len();
        Self {
            state: Mutex::new(State { free: things.into(), next: 0, serving: 0 }),
            changed: Condvar::new(),
            total,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.total
    }

    /// Waits for a thing: the one that was given back last, whose memory is the most likely to be in a cache.
    pub(super) fn take(&self) -> Loan<'_, T> {
        self.take_by(VecDeque::pop_back)
    }

    /// Waits for a thing: the one that was given back the longest ago.
    pub(super) fn take_oldest(&self) -> Loan<'_, T> {
        self.take_by(VecDeque::pop_front)
    }

    fn take_by(&self, pop: impl Fn(&mut VecDeque<T>) -> Option<T>) -> Loan<'_, T> {
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        loop {
            if state.serving == ticket
                && let Some(thing) = pop(&mut state.free)
            {
                state.serving += 1;
                drop(state);
                // The next in line may find another thing free.
                self.changed.notify_all();
                return Loan { places: self, thing: Some(thing) };
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A thing that is free now, unless someone waits for it.
    pub(super) fn try_take(&self) -> Option<Loan<'_, T>> {
        let mut state = self.lock();
        if state.serving != state.next {
            return None;
        }
        let thing = state.free.pop_back()?;
        state.next += 1;
        state.serving += 1;
        Some(Loan { places: self, thing: Some(thing) })
    }

    /// The state is a queue and two counters, consistent at every point where a thread could panic.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        if let Some(thing) = self.thing.take() {
            self.places.lock().free.push_back(thing);
            self.places.changed.notify_all();
        }
    }
}

impl<T> Deref for Loan<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.thing.as_ref().expect("a loan holds its thing until it is dropped")
    }
}

impl<T> DerefMut for Loan<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.thing.as_mut().expect("a loan holds its thing until it is dropped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn a_taken_place_is_busy_until_it_is_given_back() {
        let places = Places::new(vec![1]);
        let loan = places.take();
        assert!(places.try_take().is_none(), "the only place is taken");
        drop(loan);
        assert_eq!(places.try_take().map(|l| *l), Some(1));
    }

    #[test]
    fn waiting_callers_are_served_in_the_order_of_arrival() {
        let places = Places::new(vec![()]);
        let served = Mutex::new(Vec::new());
        let arrived = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let first = places.take();
            for caller in 0..8 {
                let (places, served, arrived) = (&places, &served, &arrived);
                scope.spawn(move || {
                    while arrived.load(Ordering::SeqCst) != caller {
                        std::thread::yield_now();
                    }
                    // The ticket is drawn under the lock inside `take`; let the next caller go a little later.
                    std::thread::sleep(Duration::from_millis(5));
                    arrived.fetch_add(1, Ordering::SeqCst);
                    let _place = places.take();
                    served.lock().unwrap().push(caller);
                    std::thread::sleep(Duration::from_millis(1));
                });
            }
            while arrived.load(Ordering::SeqCst) < 8 {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(20));
            drop(first);
        });
        assert_eq!(*served.lock().unwrap(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn a_panicking_caller_gives_its_place_back() {
        let places = Places::new(vec![7]);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _loan = places.take();
            panic!("planned");
        }));
        assert!(result.is_err());
        assert_eq!(*places.take(), 7);
    }
}
