//! One function for each kind of list: how its components are run and their results joined.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::hydrator::Updates;
use super::run::{Flow, Place, Run};
use super::{
    AnyHydrator, CandidatePipeline, Choice, Decorator, Failure, Filter, Gate, Mode, PipelineCandidate,
    PipelineQuery, Removed, Selector, Served, SideEffect, StageKind, Status, Verdict,
};

/// One after the other; the first closed one is the failure.
pub(super) fn run_gates<Q: PipelineQuery, C: PipelineCandidate>(
    run: &Run,
    pipeline: &'static str,
    gates: &[Arc<dyn Gate<Q, C>>],
    query: &Q,
    earlier: &[C],
) -> Result<(), Failure> {
    for gate in gates {
        let place = Place { pipeline, stage: StageKind::Gate, component: gate.name() };
        let (open, latency) = run.call(place, || gate.is_open(query, earlier));
        let result = open.and_then(|open| if open { Ok(()) } else { Err(Failure::closed_gate(gate.name())) });
        match &result {
            Ok(()) => run.note(place, Status::Done, latency, Flow::default()),
            Err(failure) => run.note_failure(place, failure, latency, 0),
        }
        result?;
    }
    Ok(())
}

/// Whose candidate pipelines are run.
#[derive(Clone, Copy)]
pub(super) struct Parent {
    pub(super) name: &'static str,
    /// The list that they stand in.
    pub(super) stage: StageKind,
    /// By which they scale their work, beside their own quality factors.
    pub(super) quality: f64,
}

/// All at once; results concatenated in list order. A recovered pipeline contributes nothing.
pub(super) async fn run_candidate_pipelines<Q: PipelineQuery, C: PipelineCandidate>(
    run: &Arc<Run>,
    parent: Parent,
    pipelines: &[CandidatePipeline<Q, C>],
    query: &Arc<Q>,
    earlier: Vec<C>,
    removed: &mut Vec<Removed<C>>,
) -> Result<Vec<C>, Failure> {
    if pipelines.is_empty() {
        return Ok(earlier);
    }
    let earlier = Arc::new(earlier);
    let clock = run.engine().clock();
    let timed = pipelines.iter().map(|pipeline| async {
        let started = clock.monotonic();
        let result = pipeline.run(run, Arc::clone(query), Arc::clone(&earlier), parent.quality).await;
        (result, clock.monotonic().saturating_sub(started))
    });
    let results = join_all(timed).await;
    let mut all = Arc::unwrap_or_clone(earlier);
    for (pipeline, (result, latency)) in pipelines.iter().zip(results) {
        let place = Place { pipeline: parent.name, stage: parent.stage, component: pipeline.name };
        if let Some(factor) = pipeline.quality_factor.as_ref().filter(|_| !run.inspection().is_dry()) {
            factor.observe(result.as_ref().map(|_| ()), latency, clock.now());
        }
        match result {
            Ok(fetched) => {
                let (kept, gone) = (fetched.candidates.len(), fetched.removed.len());
                run.note(place, Status::Done, latency, Flow { entered: kept + gone, kept, removed: gone });
                all.extend(fetched.candidates);
                removed.extend(fetched.removed);
            }
            Err(failure) => {
                run.note_failure(place, &failure, latency, 0);
                if !pipeline.fail_open.recovers(&failure) {
                    return Err(failure);
                }
            }
        }
    }
    Ok(all)
}

/// Phases one after the other.
pub(super) async fn run_hydrators<Q: PipelineQuery, C: PipelineCandidate>(
    run: &Run,
    pipeline: &'static str,
    stage: StageKind,
    phases: &[Vec<Arc<dyn AnyHydrator<Q, C>>>],
    query: &Arc<Q>,
    mut candidates: Vec<C>,
) -> Result<Vec<C>, Failure> {
    for phase in phases {
        candidates = run_phase(run, pipeline, stage, phase, query, candidates).await?;
    }
    Ok(candidates)
}

/// Hydrators, or scorers, all at once on the same candidates, joined in list order.
pub(super) async fn run_phase<Q: PipelineQuery, C: PipelineCandidate, H: AnyHydrator<Q, C> + ?Sized>(
    run: &Run,
    pipeline: &'static str,
    stage: StageKind,
    phase: &[Arc<H>],
    query: &Arc<Q>,
    candidates: Vec<C>,
) -> Result<Vec<C>, Failure> {
    let shared = Arc::new(candidates);
    let mut started = Vec::with_capacity(phase.len());
    for hydrator in phase {
        let place = Place { pipeline, stage, component: hydrator.name() };
        if shared.is_empty() || !hydrator.is_enabled(query, &shared) {
            run.note(place, Status::Disabled, Duration::ZERO, Flow::default());
            continue;
        }
        let work = Arc::clone(hydrator).run(Arc::clone(query), Arc::clone(&shared));
        started.push((hydrator, place, run.start(place, work)));
    }
    let mut answers = Vec::with_capacity(started.len());
    for (hydrator, place, task) in started {
        let (result, latency) = run.finish(task).await;
        answers.push((hydrator, place, checked(place, result, shared.len())?, latency));
    }
    // Only a hydrator that is past its time can still hold the candidates; then they are copied.
    let mut candidates = Arc::unwrap_or_clone(shared);
    for (hydrator, place, result, latency) in answers {
        join(run, place, result, latency, &mut candidates, |candidate, failure| {
            hydrator.fail(candidate, failure)
        });
    }
    Ok(candidates)
}

/// A failure to answer each candidate exactly once is a mistake of the component's, not of the day.
fn checked<C>(
    place: Place,
    result: Result<Updates<C>, Failure>,
    expected: usize,
) -> Result<Result<Updates<C>, Failure>, Failure> {
    match result {
        Ok(updates) if updates.len != expected => Err(Failure::misconfigured(
            place.component,
            format_args!("answered {} rows, expected one for each of {expected} candidates", updates.len),
        )),
        Err(failure) if failure.kind == super::FailureKind::Misconfigured => Err(failure),
        other => Ok(other),
    }
}

fn join<C>(
    run: &Run,
    place: Place,
    result: Result<Updates<C>, Failure>,
    latency: Duration,
    candidates: &mut [C],
    fail: impl Fn(&mut C, &Failure),
) {
    match result {
        Ok(updates) => {
            let flow =
                Flow { entered: candidates.len(), kept: candidates.len() - updates.failed, removed: 0 };
            (updates.write)(candidates);
            run.note(place, Status::Done, latency, flow);
        }
        Err(failure) => {
            candidates.iter_mut().for_each(|candidate| fail(candidate, &failure));
            run.note_failure(place, &failure, latency, candidates.len());
        }
    }
}

/// One after the other, each on what the earlier ones kept.
pub(super) fn run_filters<Q: PipelineQuery, C: PipelineCandidate>(
    run: &Run,
    pipeline: &'static str,
    stage: StageKind,
    filters: &[Arc<dyn Filter<Q, C>>],
    query: &Q,
    mut candidates: Vec<C>,
    removed: &mut Vec<Removed<C>>,
) -> Result<Vec<C>, Failure> {
    for filter in filters {
        let place = Place { pipeline, stage, component: filter.name() };
        if candidates.is_empty() || !filter.enabled(query, &candidates) {
            run.note(place, Status::Disabled, Duration::ZERO, Flow::default());
            continue;
        }
        let entered = candidates.len();
        let (verdicts, latency) = run.call(place, || filter.judge(query, &candidates));
        let verdicts = verdicts.and_then(|verdicts| {
            if verdicts.len() == entered {
                return Ok(verdicts);
            }
            let problem =
                format!("gave {} verdicts, expected one for each of {entered} candidates", verdicts.len());
            Err(Failure::misconfigured(filter.name(), problem))
        });
        let verdicts = verdicts.inspect_err(|failure| run.note_failure(place, failure, latency, entered))?;
        run.inspection().show_verdicts(place.spot(), &candidates, &verdicts);
        // In place: most filters keep almost all, and a candidate is large.
        let rules: Vec<_> = verdicts.iter().filter_map(Verdict::rule).collect();
        let mut verdicts = verdicts.into_iter();
        let gone = candidates.extract_if(.., |_| matches!(verdicts.next(), Some(Verdict::Remove(_))));
        removed.extend(gone.zip(rules).map(|(candidate, rule)| Removed {
            candidate,
            stage,
            by: filter.name(),
            rule,
        }));
        let kept = candidates.len();
        run.note(place, Status::Done, latency, Flow { entered, kept, removed: entered - kept });
    }
    Ok(candidates)
}

/// One after the other. A decorator that panics leaves its candidates plain, or half decorated, but there.
pub(super) fn run_decorators<Q: PipelineQuery, C: PipelineCandidate>(
    run: &Run,
    pipeline: &'static str,
    decorators: &[Arc<dyn Decorator<Q, C>>],
    query: &Q,
    candidates: &mut [C],
) {
    for decorator in decorators {
        let place = Place { pipeline, stage: StageKind::Decorator, component: decorator.name() };
        if candidates.is_empty() || !decorator.enabled(query) {
            run.note(place, Status::Disabled, Duration::ZERO, Flow::default());
            continue;
        }
        let entered = candidates.len();
        let (done, latency) = run.call(place, || decorator.decorate(query, candidates));
        match done {
            Ok(()) => run.note(place, Status::Done, latency, Flow { entered, kept: entered, removed: 0 }),
            Err(failure) => run.note_failure(place, &failure, latency, entered),
        }
    }
}

/// One after the other on one choice over `pool`; also says which selector dropped each dropped candidate.
pub(super) fn run_selectors<Q: PipelineQuery, C: PipelineCandidate>(
    run: &Run,
    pipeline: &'static str,
    stage: StageKind,
    selectors: &[Arc<dyn Selector<Q, C>>],
    query: &Q,
    pool: &[C],
    quality: f64,
) -> Result<(Choice, Vec<&'static str>), Failure> {
    let mut choice = Choice::all_remaining(pool.len());
    let mut dropped_by = Vec::new();
    for selector in selectors {
        let place = Place { pipeline, stage, component: selector.name() };
        if !selector.enabled(query, pool) {
            run.note(place, Status::Disabled, Duration::ZERO, Flow::default());
            continue;
        }
        let entered = pool.len() - choice.dropped.len();
        let (done, latency) = run.call(place, || selector.select(query, pool, &mut choice, quality));
        let result = done.and_then(|()| {
            if choice.conserves(pool.len()) && choice.dropped.len() >= dropped_by.len() {
                return Ok(());
            }
            let problem = format!("lost or doubled some of {} candidates", pool.len());
            Err(Failure::misconfigured(selector.name(), problem))
        });
        result.inspect_err(|failure| run.note_failure(place, failure, latency, entered))?;
        let removed = choice.dropped.len() - dropped_by.len();
        dropped_by.resize(choice.dropped.len(), selector.name());
        run.note(place, Status::Done, latency, Flow { entered, kept: entered - removed, removed });
    }
    Ok((choice, dropped_by))
}

/// Runs selectors and carries their choice out: the result stays, everything else is removed.
pub(super) fn select<Q: PipelineQuery, C: PipelineCandidate>(
    run: &Run,
    pipeline: &'static str,
    stage: StageKind,
    selectors: &[Arc<dyn Selector<Q, C>>],
    query: &Q,
    candidates: Vec<C>,
    removed: &mut Vec<Removed<C>>,
) -> Result<Vec<C>, Failure> {
    let (choice, dropped_by) = run_selectors(run, pipeline, stage, selectors, query, &candidates, 1.0)?;
    let place = Place { pipeline, stage, component: "selection" };
    if run.inspection().is_watched() {
        run.inspection().show_left_out(place.spot(), &candidates, &|index| {
            let dropped = choice.dropped.iter().position(|other| *other == index);
            let not_selected = || choice.remaining.contains(&index).then_some(("selection", "not_selected"));
            dropped.map(|position| (dropped_by[position], "dropped")).or_else(not_selected)
        });
    }
    let mut pool: Vec<Option<C>> = candidates.into_iter().map(Some).collect();
    let selected: Vec<C> = choice.result.iter().filter_map(|&index| pool[index].take()).collect();
    run.show(place, &selected);
    for (&index, by) in choice.dropped.iter().zip(dropped_by) {
        removed.extend(pool[index].take().map(|candidate| Removed { candidate, stage, by, rule: "dropped" }));
    }
    for &index in &choice.remaining {
        let gone = pool[index].take();
        removed.extend(gone.map(|candidate| Removed {
            candidate,
            stage,
            by: "selection",
            rule: "not_selected",
        }));
    }
    Ok(selected)
}

/// Blocking ones now, one after the other; then the others in the background.
pub(super) async fn run_side_effects<Q: PipelineQuery, C: PipelineCandidate>(
    run: &Arc<Run>,
    pipeline: &'static str,
    side_effects: &[Arc<dyn SideEffect<Q, C>>],
    served: &Arc<Served<Q, C>>,
) -> Result<(), Failure> {
    if run.inspection().is_dry() {
        return Ok(());
    }
    let start = |effect: &Arc<dyn SideEffect<Q, C>>| {
        let (effect, served) = (Arc::clone(effect), Arc::clone(served));
        async move { effect.run(&served).await }
    };
    for effect in side_effects {
        let place = Place { pipeline, stage: StageKind::SideEffect, component: effect.name() };
        if !effect.enabled(served) {
            run.note(place, Status::Disabled, Duration::ZERO, Flow::default());
            continue;
        }
        let (announced, latency) = run.call(place, || effect.announce(served));
        if let Err(failure) = announced {
            run.note_failure(place, &failure, latency, 0);
        }
        if effect.mode() == Mode::Background {
            run.start_background(place, start(effect));
            continue;
        }
        let (result, latency) = run.finish(run.start(place, start(effect))).await;
        match result {
            Ok(()) => run.note(place, Status::Done, latency, Flow::default()),
            Err(failure) => {
                run.note_failure(place, &failure, latency, 0);
                if effect.mode() == Mode::Blocking {
                    return Err(failure);
                }
            }
        }
    }
    Ok(())
}
