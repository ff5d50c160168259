//! What was served and is not recorded yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{Platform, ServedResponse, UserId};

/// Most responses of one viewer that are held: more come only when the store does not take them.
const MAX_PER_VIEWER: usize = 32;
/// Most viewers whose responses are held, for the same case.
const MAX_VIEWERS: usize = 65_536;

/// Responses between being given and being recorded. The recording runs after the response; a reader who asks for the
/// next page at once must still not get the same posts again.
#[derive(Debug, Default)]
pub struct Announced {
    responses: Mutex<HashMap<(UserId, Platform), Vec<ServedResponse>>>,
}

impl Announced {
    fn lock(&self) -> MutexGuard<'_, HashMap<(UserId, Platform), Vec<ServedResponse>>> {
        self.responses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a response.
    pub(super) fn add(&self, viewer: UserId, platform: Platform, response: ServedResponse) {
        let mut all = self.lock();
        if all.len() >= MAX_VIEWERS && !all.contains_key(&(viewer, platform)) {
            return;
        }
        let of_viewer = all.entry((viewer, platform)).or_default();
        if of_viewer.len() >= MAX_PER_VIEWER {
            of_viewer.remove(0);
        }
        of_viewer.push(response);
    }

    /// Lets go of a response that is recorded.
    pub(super) fn settle(&self, viewer: UserId, platform: Platform, response: &ServedResponse) {
        let mut all = self.lock();
        if let Some(of_viewer) = all.get_mut(&(viewer, platform)) {
            of_viewer.retain(|held| held != response);
            if of_viewer.is_empty() {
                all.remove(&(viewer, platform));
            }
        }
    }

    /// A viewer's responses on a platform, newest first.
    pub fn of(&self, viewer: UserId, platform: Platform) -> Vec<ServedResponse> {
        let all = self.lock();
        all.get(&(viewer, platform)).map(|held| held.iter().rev().cloned().collect()).unwrap_or_default()
    }
}
