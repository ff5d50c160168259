//! What runs when, whose result wins, which failures are survived.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::toys::{
    ById, Door, Find, Item, Learn, Mark, Mood, Pick, Query, Sieve, funnel, ids, item, pick_all, run, source,
};
use crate::component;
use crate::domain::SystemClock;
use crate::engine::{
    AsyncQueryHydrator, CandidatePipeline, Engine, EngineConfig, FailOpen, Failure, FailureKind, MixerChoice,
    MixerPipeline, Mode, Product, QualityFactor, QualityFactorConfig, RecommendationPipeline,
    ScoringPipeline, Served, SideEffect, StageKind, Status, Step, Verdict,
};

type Funnel = RecommendationPipeline<Query, Item>;

async fn serve(funnel: &Funnel) -> Result<Arc<Served<Query, Item>>, Failure> {
    funnel.run(&run(), Arc::new(Query::default())).await.map(|outcome| outcome.served)
}

#[tokio::test(start_paused = true)]
async fn sources_run_at_once_and_join_in_list_order() {
    let started = tokio::time::Instant::now();
    let funnel = funnel(vec![
        source("slow", &[1, 2], Mood::After(90)),
        source("fast", &[3], Mood::After(1)),
        source("middle", &[4], Mood::After(40)),
    ]);
    let served = serve(&funnel).await.expect("served");
    assert_eq!(ids(&served.selected), [1, 2, 3, 4]);
    assert!(started.elapsed() < Duration::from_millis(120), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn dependent_sources_see_all_earlier_candidates_and_stand_behind() {
    let mut funnel = funnel(vec![source("a", &[1, 2], Mood::After(5)), source("b", &[3], Mood::After(1))]);
    funnel.dependent_pipelines = vec![source("c", &[4], Mood::After(1)), source("d", &[5], Mood::After(9))];
    let served = serve(&funnel).await.expect("served");
    assert_eq!(ids(&served.selected), [1, 2, 3, 4, 5]);
    let seen: Vec<f64> = served.selected.iter().map(|item| item.score).collect();
    assert_eq!(seen, [0.0, 0.0, 0.0, 3.0, 3.0], "how many earlier candidates each source saw");
}

#[tokio::test(start_paused = true)]
async fn query_hydrators_of_a_phase_join_in_list_order_and_phases_follow_each_other() {
    let mut funnel = funnel(vec![source("a", &[1], Mood::After(0))]);
    funnel.query_hydrators = vec![
        vec![
            Arc::new(Learn("slow", Mood::After(50))),
            Arc::new(Learn("broken", Mood::Fails)),
            Arc::new(Learn("fast", Mood::After(1))),
        ],
        vec![Arc::new(Learn("second", Mood::After(0)))],
    ];
    let served = serve(&funnel).await.expect("served");
    assert_eq!(served.query.trail, ["slow", "failed", "fast", "second"]);
}

#[tokio::test(start_paused = true)]
async fn an_async_query_hydrator_is_awaited_before_its_step_and_not_earlier() {
    let late = |step| AsyncQueryHydrator::new(Arc::new(Learn("late", Mood::After(30))), step);
    // A filter sees whether the hydrator had been joined when it ran.
    let knows = |query: &Query, items: &[Item]| {
        items.iter().map(|_| Verdict::remove_if(query.trail.contains(&"late"), "knew")).collect()
    };
    for (step, known) in [
        (Step::CandidatePipelines, true),
        (Step::Hydration, true),
        (Step::Filters, true),
        (Step::Scoring, false),
        (Step::SideEffects, false),
    ] {
        let mut funnel = funnel(vec![source("a", &[1], Mood::After(0))]);
        funnel.async_query_hydrators = vec![late(step)];
        funnel.filters = vec![Arc::new(Sieve(knows))];
        let served = serve(&funnel).await.expect("served");
        assert_eq!(served.selected.is_empty(), known, "{step:?}");
        assert_eq!(served.query.trail, ["late"], "{step:?}: joined in the end");
    }
}

#[tokio::test(start_paused = true)]
async fn hydrators_of_a_phase_join_in_list_order_so_the_later_wins() {
    let mut funnel = funnel(vec![source("a", &[1, 2], Mood::After(0))]);
    funnel.hydrators = vec![
        vec![Arc::new(Mark("slow", Mood::After(50))), Arc::new(Mark("fast", Mood::After(1)))],
        vec![Arc::new(Mark("second", Mood::Fails))],
    ];
    let served = serve(&funnel).await.expect("served");
    for item in &served.selected {
        assert_eq!(item.trail, ["slow", "fast", "default"], "a failed hydrator leaves defaults");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_panics_or_hangs_is_survived_by_its_policy() {
    for mood in [Mood::Fails, Mood::Panics, Mood::Hangs] {
        for (policy, survives) in
            [(FailOpen::Always, true), (FailOpen::ClosedGates, false), (FailOpen::Never, false)]
        {
            let mut bad = source("bad", &[9], mood);
            bad.fail_open = policy;
            let served = serve(&funnel(vec![bad, source("good", &[1], Mood::After(0))])).await;
            match served {
                Ok(served) => assert!(survives && ids(&served.selected) == [1], "{mood:?} {policy:?}"),
                Err(failure) => assert!(!survives, "{mood:?} {policy:?}: {failure}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_component_costs_its_timeout_and_a_request_its_deadline() {
    let config = EngineConfig {
        request_deadline_ms: 500,
        component_timeout_ms: 300,
        timeouts_ms: [("find".to_owned(), 100)].into(),
    };
    let engine = Engine::new(Arc::new(SystemClock::default()), config);
    let mut funnel = funnel(vec![source("bad", &[9], Mood::Hangs)]);
    let started = tokio::time::Instant::now();
    funnel.run(&engine.start(), Arc::default()).await.expect("survived");
    assert_eq!(started.elapsed().as_millis() / 10, 10, "its own timeout: {:?}", started.elapsed());

    let hangs = |name| Arc::new(Learn(name, Mood::Hangs));
    funnel.query_hydrators = vec![vec![hangs("a")], vec![hangs("b")], vec![hangs("c")]];
    let started = tokio::time::Instant::now();
    let outcome = funnel.run(&engine.start(), Arc::default()).await.expect("survived");
    assert_eq!(started.elapsed().as_millis() / 10, 50, "the deadline: {:?}", started.elapsed());
    assert_eq!(outcome.served.query.trail, ["failed"; 3]);
    assert_eq!(outcome.report.failures(), ["a", "b", "bad", "c", "find"]);
}

#[tokio::test]
async fn a_component_that_blocks_its_thread_cannot_hold_the_request() {
    /// Blocks until the test has its answer.
    struct Blocks(Mutex<std::sync::mpsc::Receiver<()>>);
    component!(Blocks, "blocks", "blocks its thread");
    #[async_trait]
    impl crate::engine::Source<Query, Item> for Blocks {
        async fn fetch(&self, _: &Query, _: crate::engine::Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
            let _answered = self.0.lock().expect("asked once").recv();
            Ok(vec![item(9)])
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime");
    let (answered, blocked) = std::sync::mpsc::channel();
    let selected = runtime
        .spawn(async {
            let mut config = EngineConfig::patient();
            config.timeouts_ms.insert("blocks".to_owned(), 20);
            let engine = Engine::new(Arc::new(SystemClock::default()), config);
            let mut blocking = CandidatePipeline::new("blocking", Arc::new(Blocks(Mutex::new(blocked))));
            blocking.fail_open = FailOpen::Always;
            let funnel = funnel(vec![blocking, source("good", &[1], Mood::After(0))]);
            let outcome = funnel.run(&engine.start(), Arc::default()).await.expect("survived");
            ids(&outcome.served.selected)
        })
        .await
        .expect("no panic");
    assert_eq!(selected, [1]);
    answered.send(()).expect("it still blocks: the answer came before it");
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_row_too_few_or_too_many_is_never_recovered() {
    for by in [-1, 1] {
        let mut hydrated = source("a", &[1, 2], Mood::After(0));
        hydrated.hydrators = vec![vec![Arc::new(Mark("m", Mood::Miscounts(by)))]];
        let mut scored = funnel(vec![source("a", &[1, 2], Mood::After(0))]);
        scored.scoring_pipelines = vec![ScoringPipeline {
            scorers: vec![Arc::new(ById(Mood::Miscounts(by)))],
            fail_open: FailOpen::Always,
            ..ScoringPipeline::new("scoring")
        }];
        for funnel in [funnel(vec![hydrated]), scored] {
            let failure = serve(&funnel).await.expect_err("misconfigured");
            assert_eq!(failure.kind, FailureKind::Misconfigured, "{by}: {failure}");
        }
    }
}

#[tokio::test]
async fn the_first_closed_gate_ends_its_pipeline_alone() {
    let (open, closed, after) = (
        Arc::new(Door::default()),
        Arc::new(Door { closed: true, ..Door::default() }),
        Arc::new(Door::default()),
    );
    let mut gated = source("gated", &[9], Mood::After(0));
    gated.fail_open = FailOpen::ClosedGates;
    gated.gates = vec![open.clone(), closed.clone(), after.clone()];
    let served = serve(&funnel(vec![gated, source("good", &[1], Mood::After(0))])).await.expect("served");
    assert_eq!(ids(&served.selected), [1]);
    let asked = [&open, &closed, &after].map(|door| door.asked.load(Ordering::Relaxed));
    assert_eq!(asked, [1, 1, 0]);
}

#[tokio::test]
async fn filters_run_in_order_on_what_is_left_and_say_what_they_removed() {
    let mut funnel = funnel(vec![source("a", &[1, 2, 3, 4, 5, 6], Mood::After(0))]);
    let even = |_: &Query, items: &[Item]| {
        items.iter().map(|item| Verdict::remove_if(item.id % 2 == 0, "even")).collect()
    };
    let first = |_: &Query, items: &[Item]| {
        (0..items.len()).map(|place| Verdict::remove_if(place == 0, "first")).collect()
    };
    funnel.filters = vec![Arc::new(Sieve(even)), Arc::new(Sieve(first))];
    let outcome = funnel.run(&run(), Arc::default()).await.expect("served");
    assert_eq!(ids(&outcome.served.selected), [3, 5]);
    let removed: Vec<_> = outcome.served.removed.iter().map(|gone| (gone.candidate.id, gone.rule)).collect();
    assert_eq!(removed, [(2, "even"), (4, "even"), (6, "even"), (1, "first")]);
    let flows: Vec<_> = outcome
        .report
        .of("funnel", StageKind::Filter)
        .map(|row| (row.entered, row.kept, row.removed))
        .collect();
    assert_eq!(flows, [(6, 3, 3), (3, 2, 1)]);
}

#[tokio::test]
async fn a_filter_that_panics_or_miscounts_and_a_selector_that_loses_or_doubles_fail_the_request() {
    type Judge = fn(&Query, &[Item]) -> Vec<Verdict>;
    let filters: [Judge; 2] = [|_, _| Vec::new(), |_, _| panic!("in a mood")];
    for (filter, kind) in filters.into_iter().zip([FailureKind::Misconfigured, FailureKind::Panicked]) {
        let mut funnel = funnel(vec![source("a", &[1], Mood::After(0))]);
        funnel.filters = vec![Arc::new(Sieve(filter))];
        assert_eq!(serve(&funnel).await.expect_err("refused").kind, kind);
    }
    let selectors: [fn(&[Item], &mut crate::engine::Choice); 4] = [
        |_, choice| _ = choice.remaining.pop(),
        |_, choice| choice.result.push(0),
        |_, choice| choice.result.push(99),
        |_, choice| choice.dropped.clone_from(&choice.remaining),
    ];
    for (number, selector) in selectors.into_iter().enumerate() {
        let mut funnel = funnel(vec![source("a", &[1, 2], Mood::After(0))]);
        funnel.selectors = vec![Arc::new(Pick(selector)), pick_all()];
        let failure = serve(&funnel).await.expect_err("refused");
        assert_eq!(failure.kind, FailureKind::Misconfigured, "selector {number}: {failure}");
    }
}

#[tokio::test]
async fn only_chosen_candidates_are_scored_and_nobody_changes_place() {
    let mut funnel = funnel(vec![source("a", &[5, 6, 7, 8], Mood::After(0))]);
    funnel.scoring_pipelines = vec![ScoringPipeline {
        selectors: vec![Arc::new(Pick(|_, choice| {
            choice.result = choice.remaining.split_off(2).into_iter().rev().collect()
        }))],
        hydrators: vec![vec![Arc::new(Mark("scored", Mood::After(0)))]],
        scorers: vec![Arc::new(ById(Mood::After(0)))],
        ..ScoringPipeline::new("scoring")
    }];
    let served = serve(&funnel).await.expect("served");
    let seen: Vec<_> = served.selected.iter().map(|item| (item.id, item.score, item.mark)).collect();
    assert_eq!(seen, [(5, 0.0, None), (6, 0.0, None), (7, 7.0, Some("scored")), (8, 8.0, Some("scored"))]);
}

#[tokio::test]
async fn a_scorer_that_fails_leaves_failed_scores() {
    let mut funnel = funnel(vec![source("a", &[5, 6], Mood::After(0))]);
    funnel.scoring_pipelines = vec![ScoringPipeline {
        scorers: vec![Arc::new(ById(Mood::Panics))],
        ..ScoringPipeline::new("scoring")
    }];
    let served = serve(&funnel).await.expect("served");
    assert!(served.selected.iter().all(|item| item.score == -1.0));
}

#[tokio::test]
async fn a_pipelines_quality_factor_learns_from_its_failures() {
    let config = QualityFactorConfig { initial_delay_ms: 0, ..QualityFactorConfig::default() };
    let factor = Arc::new(QualityFactor::new(config));
    let mut bad = source("bad", &[], Mood::Fails);
    bad.quality_factor = Some(Arc::clone(&factor));
    serve(&funnel(vec![bad])).await.expect("survived");
    assert!((factor.value() - (0.95 - 0.02375)).abs() <= 1e-12, "{}", factor.value());
}

/// Counts its runs.
struct Tell(Mode, Mood, Arc<AtomicUsize>);
component!(Tell, "tell", "counts its runs");

#[async_trait]
impl SideEffect<Query, Item> for Tell {
    fn mode(&self) -> Mode {
        self.0
    }

    async fn run(&self, _: &Served<Query, Item>) -> Result<(), Failure> {
        match self.1 {
            Mood::After(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Mood::Panics => panic!("in a mood"),
            _ => return Err(Failure::failed("tell", "in a mood")),
        }
        self.2.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn background_side_effects_neither_delay_nor_fail_the_response_and_are_drained() {
    let ran = Arc::new(AtomicUsize::new(0));
    let mut funnel = funnel(vec![source("a", &[1], Mood::After(0))]);
    let tell = |mode, mood| Arc::new(Tell(mode, mood, Arc::clone(&ran)));
    funnel.side_effects = vec![
        tell(Mode::Background, Mood::After(5_000)),
        tell(Mode::Background, Mood::Fails),
        tell(Mode::Background, Mood::Panics),
        tell(Mode::BlockingFailOpen, Mood::Fails),
    ];
    let engine = Engine::new(Arc::new(SystemClock::default()), EngineConfig::default());
    funnel.run(&engine.start(), Arc::default()).await.expect("served");
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    engine.drain().await;
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    funnel.side_effects.push(tell(Mode::Blocking, Mood::Fails));
    funnel.run(&engine.start(), Arc::default()).await.expect_err("a blocking side effect counts");
}

#[tokio::test]
async fn a_product_takes_the_first_mixer_that_applies() {
    let mixer = |name, id| MixerPipeline {
        candidate_pipelines: vec![CandidatePipeline::new(name, Arc::new(Find(vec![id], Mood::After(0))))],
        selectors: vec![pick_all()],
        ..MixerPipeline::new(name, Box::new(|served: &Served<Query, Item>| ids(&served.selected)))
    };
    let product = Product {
        name: "product",
        gates: Vec::new(),
        mixers: vec![
            MixerChoice {
                applies: |query: &Query| query.trail.contains(&"special"),
                mixer: mixer("special", 1),
            },
            MixerChoice { applies: |_| true, mixer: mixer("usual", 2) },
        ],
    };
    let special = Query { trail: vec!["special"] };
    assert_eq!(product.run(&run(), Arc::new(special)).await.expect("served").response, [1]);
    assert_eq!(product.run(&run(), Arc::default()).await.expect("served").response, [2]);
    let names: Vec<_> = product.components().iter().map(|row| (row.pipeline, row.name)).collect();
    assert_eq!(names, [("special", "find"), ("special", "pick"), ("usual", "find"), ("usual", "pick")]);
}

#[tokio::test]
async fn runs_failures_and_flows_are_counted_by_component() {
    let mut funnel = funnel(vec![source("bad", &[9], Mood::Fails), source("good", &[1, 2], Mood::After(0))]);
    funnel.filters = vec![Arc::new(Sieve(|_, items| {
        items.iter().map(|item| Verdict::remove_if(item.id == 1, "one")).collect()
    }))];
    let engine = Engine::new(Arc::new(SystemClock::default()), EngineConfig::default());
    let outcome = funnel.run(&engine.start(), Arc::default()).await.expect("served");
    assert!(outcome.report.stages.iter().all(|row| row.status != Status::Disabled || row.entered == 0));
    let text = engine.metrics().encode().expect("encoded");
    for line in [
        r#"pipeline_runs_total{pipeline="bad",stage="source",component="find"} 1"#,
        r#"pipeline_failures_total{pipeline="bad",stage="source",component="find",kind="failed"} 1"#,
        r#"pipeline_kept_total{pipeline="good",stage="source",component="find"} 2"#,
        r#"pipeline_removed_total{pipeline="funnel",stage="filter",component="sieve"} 1"#,
        r#"pipeline_latency_seconds_count{pipeline="funnel",stage="filter",component="sieve"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
