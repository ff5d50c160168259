//! Memory of batches, used again.

use std::sync::{Mutex, PoisonError};

use crate::domain::FeatureBatch;

/// Batches that were scored: a batch of 1,500 candidates has 20 MB, which is not to be found anew for every request.
#[derive(Debug, Default)]
pub struct BatchPool {
    free: Mutex<Vec<FeatureBatch>>,
}

/// More free batches than this are given back to the system.
const MAX_FREE: usize = 8;

impl BatchPool {
    /// A batch, with whatever it held last.
    pub fn take(&self) -> FeatureBatch {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Gives a batch back. It must have come from this pool and be unchanged, but for what a plan filled in.
    pub fn give_back(&self, batch: FeatureBatch) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_FREE {
            free.push(batch);
        }
    }
}
