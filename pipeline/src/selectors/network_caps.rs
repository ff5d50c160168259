//! How many posts of the network, from outside of it, and of the backfill.

use crate::component;
use crate::config::SelectionConfig;
use crate::domain::{Candidate, Query, SourceKind};
use crate::engine::{Choice, Selector};

/// Keeps the first so many of what remains of each of three shares: backfill, in network, out of network.
pub struct NetworkCaps {
    /// The shares.
    pub config: SelectionConfig,
}

component!(
    NetworkCaps,
    "network_caps",
    "keeps the first so many in-network, out-of-network and backfilled posts"
);

impl Selector<Query, Candidate> for NetworkCaps {
    fn select(&self, _query: &Query, pool: &[Candidate], choice: &mut Choice, _quality: f64) {
        let (mut inside, mut outside, mut backfill) =
            (self.config.max_in_network, self.config.max_out_of_network, self.config.max_backfill);
        choice.retain_remaining(|index| {
            let candidate = &pool[index];
            let left = if candidate.first_source() == SourceKind::Backfill {
                &mut backfill
            } else if candidate.is_in_network() {
                &mut inside
            } else {
                &mut outside
            };
            let fits = *left > 0;
            *left = left.saturating_sub(1);
            fits
        });
    }
}
