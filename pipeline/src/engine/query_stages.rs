//! How query hydrators are run, and how those that are awaited later are joined.

use std::sync::Arc;
use std::time::Duration;

use super::query_hydrator::QueryUpdate;
use super::run::{Flow, Place, Run, Task};
use super::{AnyQueryHydrator, AsyncQueryHydrator, PipelineQuery, StageKind, Status, Step};

/// Phases one after the other; the hydrators of a phase at once, joined in list order.
pub(super) async fn run_query_hydrators<Q: PipelineQuery>(
    run: &Run,
    pipeline: &'static str,
    phases: &[Vec<Arc<dyn AnyQueryHydrator<Q>>>],
    query: &mut Arc<Q>,
) {
    if let Some(recorded) = run.inspection().query(pipeline) {
        *query = recorded;
        return;
    }
    for phase in phases {
        let started: Vec<_> = phase
            .iter()
            .filter_map(|hydrator| {
                start_query_hydrator(run, pipeline, StageKind::QueryHydrator, hydrator, query)
            })
            .collect();
        for (hydrator, task) in started {
            finish_query_hydrator(run, pipeline, StageKind::QueryHydrator, &*hydrator, task, query).await;
        }
    }
}

type QueryTask<Q> = (Arc<dyn AnyQueryHydrator<Q>>, Task<QueryUpdate<Q>>);

/// Asynchronous query hydrators under way.
pub(super) struct AsyncHydrators<Q> {
    pipeline: &'static str,
    under_way: Vec<(Step, QueryTask<Q>)>,
}

impl<Q: PipelineQuery> AsyncHydrators<Q> {
    /// Starts them all.
    pub(super) fn start(
        run: &Run,
        pipeline: &'static str,
        hydrators: &[AsyncQueryHydrator<Q>],
        query: &Arc<Q>,
    ) -> Self {
        let stage = StageKind::AsyncQueryHydrator;
        let start = |hydrator: &AsyncQueryHydrator<Q>| {
            let task = start_query_hydrator(run, pipeline, stage, &hydrator.hydrator, query)?;
            Some((hydrator.before, task))
        };
        // A replayed query has what they found.
        let hydrators = if run.inspection().is_replay() { &[] } else { hydrators };
        Self { pipeline, under_way: hydrators.iter().filter_map(start).collect() }
    }

    /// Awaits those that `step` or an earlier one needs, in list order.
    pub(super) async fn join_before(&mut self, run: &Run, step: Step, query: &mut Arc<Q>) {
        let all = std::mem::take(&mut self.under_way);
        let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|(before, _)| *before <= step);
        self.under_way = later;
        for (_, (hydrator, task)) in due {
            let stage = StageKind::AsyncQueryHydrator;
            finish_query_hydrator(run, self.pipeline, stage, &*hydrator, task, query).await;
        }
    }
}

fn start_query_hydrator<Q: PipelineQuery>(
    run: &Run,
    pipeline: &'static str,
    stage: StageKind,
    hydrator: &Arc<dyn AnyQueryHydrator<Q>>,
    query: &Arc<Q>,
) -> Option<QueryTask<Q>> {
    let place = Place { pipeline, stage, component: hydrator.name() };
    if !hydrator.is_enabled(query) {
        run.note(place, Status::Disabled, Duration::ZERO, Flow::default());
        return None;
    }
    let task = run.start(place, Arc::clone(hydrator).run(Arc::clone(query)));
    Some((Arc::clone(hydrator), task))
}

async fn finish_query_hydrator<Q: PipelineQuery>(
    run: &Run,
    pipeline: &'static str,
    stage: StageKind,
    hydrator: &dyn AnyQueryHydrator<Q>,
    task: Task<QueryUpdate<Q>>,
    query: &mut Arc<Q>,
) {
    let place = Place { pipeline, stage, component: hydrator.name() };
    let (result, latency) = run.finish(task).await;
    // The query is copied here only while an asynchronous hydrator still reads it.
    let query = Arc::make_mut(query);
    match result {
        Ok(update) => {
            update(query);
            run.note(place, Status::Done, latency, Flow::default());
        }
        Err(failure) => {
            hydrator.fail(query, &failure);
            run.note_failure(place, &failure, latency, 0);
        }
    }
}
