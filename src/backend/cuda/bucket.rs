//! The graph that computes a batch of up to so many candidates.

use crate::scores::Outputs;
use crate::{Error, Result};

use super::driver::{Graph, Step, Stream};
use super::executor::CudaExecutor;
use super::outputs::head_outputs;
use super::program::{Feed, HeadCall, Launch, Place, once};

/// A graph for batches of up to so many candidates.
pub(super) struct Bucket {
    pub(super) candidates: usize,
    pub(super) graph: Graph,
    last: usize,
    /// What is computed once a request, by tile, and the number of requests that the graph is set to.
    sums: [Vec<Launch>; 2],
    requests: usize,
}

impl Bucket {
    pub(super) fn new(executor: &CudaExecutor, place: Place, candidates: usize) -> Result<Self> {
        let program = &executor.program;
        // The first and the last launch are replaced in every call; these stand in for them.
        let weights = vec![0.0; program.plan().head().tasks.len()];
        let outputs = head_outputs(program, place, 0, Outputs::default());
        let head = HeadCall { weights: &weights, calibrated: true, outputs };
        let sums = program.sums(place);
        let mut launches = vec![program.featurize(place, candidates, &Feed::empty(outputs.status))];
        launches.extend(sums[once::tile(0)].iter().cloned());
        launches.extend(program.middle(place, candidates));
        launches.push(program.head(place, candidates, head));
        let steps = launches.iter().map(|launch| step(executor, launch)).collect::<Result<Vec<_>>>()?;
        let graph = Graph::new(&executor.gpu, &steps)?;
        let last = steps.len() - 1;
        Ok(Self { candidates, graph, last, sums, requests: 0 })
    }

    /// The smallest graph for these many candidates, of which the scorer takes `max`.
    pub(super) fn choose(all: &mut [Self], candidates: usize, max: usize) -> Result<&mut Self> {
        let fits = all.iter_mut().find(|bucket| bucket.candidates >= candidates);
        fits.ok_or(Error::TooManyCandidates { max, found: candidates })
    }

    /// Starts a run with a call's own features and score weights.
    ///
    /// # Safety
    /// As [`Graph::launch`].
    pub(super) unsafe fn launch(
        &mut self,
        executor: &CudaExecutor,
        place: Place,
        feed: &Feed,
        head: HeadCall<'_>,
        stream: &Stream,
    ) -> Result<()> {
        let program = &executor.program;
        let first = program.featurize(place, self.candidates, feed);
        let last = program.head(place, self.candidates, head);
        self.graph.update(0, &step(executor, &first)?)?;
        if self.requests != feed.requests {
            for (index, launch) in self.sums[once::tile(feed.requests)].iter_mut().enumerate() {
                launch.grid[1] = once::tile_rows(feed.requests);
                self.graph.update(1 + index, &step(executor, launch)?)?;
            }
            self.requests = feed.requests;
        }
        self.graph.update(self.last, &step(executor, &last)?)?;
        // SAFETY: the caller's promise.
        unsafe { self.graph.launch(stream) }
    }
}

/// A launch as a graph's node.
pub(super) fn step<'a>(executor: &'a CudaExecutor, launch: &'a Launch) -> Result<Step<'a>> {
    Ok(Step {
        kernel: executor.kernel(&launch.entry)?,
        grid: launch.grid,
        parameters: launch.parameters.bytes(),
    })
}
