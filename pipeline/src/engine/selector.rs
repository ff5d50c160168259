//! Choosing and ordering.

use super::Component;

/// Where each candidate of a pool stands, by index: every index is in exactly one of the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Not chosen yet, in order.
    pub remaining: Vec<usize>,
    /// Chosen, in order.
    pub result: Vec<usize>,
    /// Out, in order of leaving.
    pub dropped: Vec<usize>,
}

impl Choice {
    /// All of a pool of `len` remaining.
    pub fn all_remaining(len: usize) -> Self {
        Self { remaining: (0..len).collect(), ..Self::default() }
    }

    /// Drops the remaining candidates for which `keep` says no; order is kept.
    pub fn retain_remaining(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let dropped = &mut self.dropped;
        self.remaining.retain(|&index| {
            let stays = keep(index);
            if !stays {
                dropped.push(index);
            }
            stays
        });
    }

    /// Whether each index below `len` is in exactly one list, once.
    pub(super) fn conserves(&self, len: usize) -> bool {
        let mut met = vec![false; len];
        let all = self.remaining.iter().chain(&self.result).chain(&self.dropped);
        let count = all.clone().count();
        count == len && all.into_iter().all(|&index| index < len && !std::mem::replace(&mut met[index], true))
    }
}

/// Chooses, orders or drops. A plain function over indices: the engine moves the candidates, and refuses a choice that
/// lost or doubled one.
pub trait Selector<Q, C>: Component {
    /// Whether it runs for this query and these candidates.
    fn enabled(&self, query: &Q, pool: &[C]) -> bool {
        let _ = (query, pool);
        true
    }

    /// Changes the choice. `quality` is the pipeline's quality factor, by which it scales its limits; 1 when it has none.
    fn select(&self, query: &Q, pool: &[C], choice: &mut Choice, quality: f64);
}
