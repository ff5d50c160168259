//! The embedded stores: one process's memory, made durable by a journal.
//!
//! A base of users, relations, posts, … is loaded once ([`Base`]) and answers every read from memory: dense numbers for
//! users ([`user_index`]), compressed adjacency with small changes beside it ([`adjacency`]), packed posts by author
//! ([`posts`]), edges of sixteen bytes in segments that rotate, counts of nothing but what happened. Writes go through one thread that makes them
//! durable before they are seen or acknowledged ([`journal`]); on the next start they are replayed over the base.
//!
//! [`user_index`]: self
//! [`adjacency`]: self
//! [`posts`]: self
//! [`journal`]: self

mod adjacency;
mod aggregates;
mod base;
mod cache;
mod embedded;
mod embeddings;
mod engagements;
mod feedback;
mod history;
mod journal;
mod lists;
mod memory;
mod post_codec;
mod postings;
mod posts;
mod retrieval;
mod row_problem;
mod shards;
#[cfg(test)]
mod tests;
mod user_index;

use std::path::Path;
use std::sync::Arc;

pub use base::Base;
pub use cache::MemoryCache;
pub use memory::StoreOptions;
pub use row_problem::{Flaw, RowProblem};

use crate::domain::Clock;
use crate::domain::stores::{StoreError, Stores};
use journal::Journal;
use memory::Memory;

/// All embedded stores but the cache: one memory, one journal.
pub struct Embedded {
    memory: Arc<Memory>,
    journal: Journal,
}

impl Embedded {
    /// Opens the stores over a loaded base, with the journal at `journal`, which is made when it is not there.
    ///
    /// # Errors
    /// The journal cannot be opened, belongs to a process that runs, or does not read.
    pub fn open(
        base: Base,
        journal: &Path,
        clock: Arc<dyn Clock>,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        Self::start(base, Some(journal), clock, options)
    }

    /// Opens the stores over a loaded base with a journal that ends with the process: for tests and trials.
    ///
    /// # Errors
    /// The journal's thread cannot be started.
    pub fn in_memory(base: Base, clock: Arc<dyn Clock>, options: StoreOptions) -> Result<Self, StoreError> {
        Self::start(base, None, clock, options)
    }

    fn start(
        base: Base,
        journal: Option<&Path>,
        clock: Arc<dyn Clock>,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let memory = Arc::new(base.into_memory(clock, options));
        let journal = Journal::open(journal, Arc::clone(&memory))?;
        Ok(Self { memory, journal })
    }

    /// The stores as components take them, with a cache of their own.
    pub fn stores(self: Arc<Self>) -> Stores {
        Stores {
            graph: self.clone(),
            posts: self.clone(),
            users: self.clone(),
            engagements: self.clone(),
            aggregates: self.clone(),
            real_graph: self.clone(),
            retrieval: self.clone(),
            embeddings: self.clone(),
            lists: self.clone(),
            feedback: self.clone(),
            history: self.clone(),
            cache: Arc::new(MemoryCache::new(Arc::clone(&self.memory.clock))),
        }
    }

    /// Number of users and posts.
    pub fn sizes(&self) -> (usize, usize) {
        (self.memory.index.len(), self.memory.posts.len())
    }

    /// Number of edges in the 24-hour graph, those of its oldest segment that are over among them.
    pub fn graph_edges(&self) -> usize {
        self.memory.engagements.len()
    }

    /// Frees what has outlived its retention now, in memory and on disk, instead of at the next interval.
    ///
    /// # Errors
    /// The stores are shut down.
    pub fn sweep(&self) -> Result<(), StoreError> {
        self.journal.commit(journal::Write::Sweep).map(drop)
    }
}
