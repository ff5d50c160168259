//! Waiting for a buffer to be mapped.
//!
//! Whoever polls a device collects the callbacks of everything that is done, other callers' too, and runs them after
//! the poll's lock is free again. So a caller may come back from its own poll while another thread is still about to
//! run its callback: what counts is the callback, not the poll.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use wgpu::{Buffer, MapMode};

use super::device::PATIENCE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Mapped,
    Failed,
}

/// Whether a buffer is mapped, going to be, or cannot be.
#[derive(Clone, Debug)]
pub(crate) struct Mapping(Arc<(Mutex<State>, Condvar)>);

impl Mapping {
    /// For a buffer that is mapped already.
    pub(crate) fn mapped() -> Self {
        Self(Arc::new((Mutex::new(State::Mapped), Condvar::new())))
    }

    /// Asks for a whole buffer to be mapped.
    pub(crate) fn start(&self, buffer: &Buffer, mode: MapMode) {
        self.set(State::Pending);
        let mapping = self.clone();
        buffer.map_async(mode, .., move |result| {
            mapping.set(if result.is_ok() { State::Mapped } else { State::Failed });
        });
    }

    /// Waits for the callback of a mapping whose submission is done; whether the buffer is mapped.
    pub(crate) fn wait(&self) -> bool {
        let (state, changed) = &*self.0;
        let guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = changed
            .wait_timeout_while(guard, PATIENCE, |state| *state == State::Pending)
            .unwrap_or_else(PoisonError::into_inner);
        *guard == State::Mapped
    }

    fn set(&self, new: State) {
        let (state, changed) = &*self.0;
        *state.lock().unwrap_or_else(PoisonError::into_inner) = new;
        changed.notify_all();
    }
}
