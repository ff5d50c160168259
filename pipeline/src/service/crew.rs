//! Threads that make timelines, apart from those that speak HTTP.
//!
//! Ranking computes for a tenth of a second at a time, and a store that hangs holds the thread that asked it. Each lane
//! has threads of its own, so that neither delays the other lanes, the probes, or the answer that it took too long.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::problem::Problem;

/// Threads beyond one a core: some may wait for a store.
const SPARE: usize = 2;

/// Some threads for one kind of work.
pub(super) struct Crew {
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

/// Work that ends with whoever waits for it.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Crew {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system has none.
    pub(super) fn new(name: &str) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores + SPARE)
            .thread_name(name)
            .enable_all()
            .build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Has work done, and waits for it. It is given up when the caller is.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Problem::unavailable("the service has ended"))?;
        let mut task = AbortOnDrop(runtime.spawn(work));
        (&mut task.0).await.map_err(|joined| {
            tracing::error!(%joined, "a timeline's task ended early");
            Problem::internal()
        })
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without waiting: this may be a thread that must not block, and a store may hang.
            runtime.shutdown_background();
        }
    }
}
