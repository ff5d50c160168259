//! The funnel without the model: whole requests, and hydration of the features of 1,500 candidates.
//!
//! Ids: `for_you/cpu/f32/u{users}_p{posts}`, each of its stages as `for_you_{stage}/…`, `fill_features/cpu/f32/n1500` and
//! `nearest/cpu/f32/u{users}_p{posts}`. What is timed is `serve`, with a stand-in for the model that answers at once and an
//! empty cache; and `FeaturePlan::fill` into a batch that is used again. Warm: the same world serves all iterations, with
//! viewers in a fixed random order. The rows are kept in `benches/record/`, in the format of all others.
//!
//! ```text
//! cargo bench -p maskrank-pipeline --bench funnel                all rows
//! cargo bench -p maskrank-pipeline --bench funnel -- --quick     the same with fewer samples
//! cargo bench -p maskrank-pipeline --bench funnel -- nearest     rows whose id contains a word
//!     --no-record    nothing is written
//! ```

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use criterion::Criterion;
use maskrank_pipeline::config::{CommunitySearchConfig, PipelineConfig};
use maskrank_pipeline::domain::stores::Stores;
use maskrank_pipeline::domain::{
    Candidate, Clock, FeatureBatch, ManualClock, ModelInputs, PostCounts, Predictions, Query, RequestColumns,
    RequestFacts, ScorerClient, ScorerError, SourceKind, SuggestKind, Task, UserId,
};
use maskrank_pipeline::engine::StageKind;
use maskrank_pipeline::features::{FeaturePlan, Registry, families};
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::sources::nearest;
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::timeline::{Home, HomeParts};
use maskrank_pipeline::world::{LoadedWorld, WorldConfig};
use maskrank_rows::{Place, Recorder, Row, Summary};

const USERS: u32 = 10_000;
const POSTS: u32 = 100_000;
const CANDIDATES: usize = 1500;

/// What was asked for.
#[derive(Clone, Debug)]
struct Arguments {
    quick: bool,
    record: bool,
    words: Vec<String>,
}

impl Arguments {
    fn parse(given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self { quick: false, record: true, words: Vec::new() };
        for word in given {
            match word.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--quick" => arguments.quick = true,
                "--no-record" => arguments.record = false,
                option if option.starts_with('-') => {
                    return Err(format!(
                        "no option is called {option}; there are --quick, --no-record and words of ids"
                    ));
                }
                word => arguments.words.push(word.to_owned()),
            }
        }
        Ok(arguments)
    }

    fn wants(&self, id: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| id.contains(word.as_str()))
    }

    /// A part of the rows never takes the place of all of them.
    fn name(&self) -> String {
        let mut name = if self.quick { "pipeline-quick" } else { "pipeline" }.to_owned();
        for word in &self.words {
            let word = word.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            name = format!("{name}-{}", word.trim_matches('-'));
        }
        name
    }

    /// Calls in this time are not counted; then samples are taken for this time, so many of them.
    fn effort(&self) -> (Duration, Duration, usize) {
        match self.quick {
            true => (Duration::from_millis(300), Duration::from_millis(1_500), 20),
            false => (Duration::from_secs(2), Duration::from_secs(10), 100),
        }
    }
}

/// The record.
struct Rows(Recorder, Arguments);

impl Rows {
    fn new(arguments: &Arguments) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        let listings = maskrank::devices();
        let processor = listings.iter().find(|listing| listing.backend == maskrank::Backend::Cpu);
        let device = processor.and_then(|l| l.present.first()).map_or("unknown", |entry| entry.name.as_str());
        let recorder = Recorder::new(&arguments.name(), &Place::here(root, device), arguments.record);
        recorder
            .check()
            .map_err(|error| format!("{error}; --no-record measures without keeping anything"))?;
        Ok(Self(recorder, arguments.clone()))
    }

    fn push(&mut self, op: &str, shape: &str, kind: &str, seconds: &[f64], note: &str) {
        if seconds.is_empty() {
            return;
        }
        let row = Row {
            op: op.to_owned(),
            backend: "cpu".to_owned(),
            dtype: "f32".to_owned(),
            shape: shape.to_owned(),
            l2: "warm".to_owned(),
            kind: kind.to_owned(),
            note: note.to_owned(),
            ..Row::default()
        };
        let mut row = row.timed(&Summary::of(seconds, 0.0));
        if let Some(candidates) = row.shape_number('n') {
            row.candidates_per_s = Some(candidates as f64 / (row.median_us * 1e-6));
        }
        self.0.push(row).expect("the record can be written");
    }
}

/// Seconds of each call after the warm-up, in the order in which they came; none where the id is not asked for.
fn time(criterion: &mut Criterion, arguments: &Arguments, id: &str, mut call: impl FnMut()) -> Vec<f64> {
    let mut seconds = Vec::new();
    if !arguments.wants(id) {
        return seconds;
    }
    let began = Instant::now();
    while began.elapsed() < arguments.effort().0 {
        call();
    }
    criterion.bench_function(id, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                let clock = Instant::now();
                call();
                let elapsed = clock.elapsed();
                seconds.push(elapsed.as_secs_f64());
                total += elapsed;
            }
            total
        });
    });
    seconds
}

/// Says 0 of everything, at once.
struct Silent(RequestColumns);

#[async_trait]
impl ScorerClient for Silent {
    fn inputs(&self) -> ModelInputs {
        ModelInputs::PRODUCTION
    }

    fn request_columns(&self) -> &RequestColumns {
        &self.0
    }

    async fn score(&self, batch: FeatureBatch) -> (FeatureBatch, Result<Predictions, ScorerError>) {
        let rows = vec![[0.0; Task::COUNT]; batch.candidates];
        (batch, Ok(Predictions { rows }))
    }
}

fn world() -> (Stores, Arc<ManualClock>) {
    let config = WorldConfig::sized(USERS, POSTS);
    let clock = Arc::new(ManualClock::new(config.now));
    let world = LoadedWorld::generate(config).expect("a world");
    let stores = Embedded::in_memory(world.base, clock.clone(), StoreOptions::default()).expect("stores");
    (Arc::new(stores).stores(), clock)
}

fn requests(criterion: &mut Criterion, rows: &mut Rows) {
    let (stores, clock) = world();
    let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
    let users = Arc::clone(&stores.users);
    let client = Arc::new(Silent(registry.request_columns(ModelInputs::PRODUCTION)));
    let mut config = PipelineConfig::default();
    config.fetch.cache.max_posts = 0;
    let parts = HomeParts {
        stores,
        ads: Arc::new([]),
        registry,
        client,
        recommender: None,
        clock,
        key: Key::new([0; 32]),
    };
    let home = Home::new(config, parts).expect("declared");
    let product = home.for_you();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    let served = runtime.block_on(product.serve(UserId(1), RequestFacts::default())).expect("served");
    assert!(served.0.missing.is_empty(), "{:?}", served.0.missing);
    // A withdrawn account gets no timeline.
    let is_here = |id: &UserId| users.get(*id).is_some_and(|user| !user.is_withdrawn);
    let viewers: Vec<UserId> = (1..=u64::from(USERS)).map(UserId).filter(is_here).collect();
    let mut viewer = 0;
    let shape = format!("u{USERS}_p{POSTS}");
    let mut stages: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    let mut partial = 0;
    let arguments = rows.1.clone();
    let (warm_up, began) = (arguments.effort().0, Instant::now());
    let seconds = time(criterion, &arguments, &format!("for_you/cpu/f32/{shape}"), || {
        viewer = (viewer + 7_919) % viewers.len();
        let served = runtime.block_on(product.serve(viewers[viewer], RequestFacts::default()));
        let (response, report) = black_box(served).expect("served");
        assert!(!response.is_fallback, "viewer {}: what was not ranked is not timed", viewers[viewer]);
        partial += usize::from(!response.missing.is_empty());
        if began.elapsed() < warm_up {
            return;
        }
        let mut own: BTreeMap<&'static str, f64> = BTreeMap::new();
        for stage in report.stages.iter().filter(|stage| !is_whole_pipeline(stage.stage)) {
            *own.entry(stage.stage.name()).or_default() += stage.latency.as_secs_f64();
        }
        own.into_iter().for_each(|(name, seconds)| stages.entry(name).or_default().push(seconds));
    });
    let note = format!("a whole request; the model answers at once; {partial} answers lacked a component");
    rows.push("for_you", &shape, "score", &seconds, &note);
    for (name, seconds) in stages {
        let note = "the sum over the stage's components, which run side by side: stages add up to more than a request";
        rows.push(&format!("for_you_{name}"), &shape, "stage", &seconds, note);
    }
    runtime.block_on(product.engine().drain());
}

/// Whether a report is of a pipeline with all that is in it.
fn is_whole_pipeline(stage: StageKind) -> bool {
    use StageKind::{CandidatePipeline, DependentPipeline, Mixer, ScoringPipeline};
    matches!(stage, Mixer | CandidatePipeline | DependentPipeline | ScoringPipeline)
}

fn features(criterion: &mut Criterion, rows: &mut Rows) {
    let (stores, clock) = world();
    let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
    let once = registry.request_columns(ModelInputs::PRODUCTION);
    let embeddings = Arc::clone(&stores.embeddings);
    let plan = FeaturePlan::new(registry, ModelInputs::PRODUCTION, &once, embeddings, clock.clone())
        .expect("laid out");
    let mut candidates = Vec::with_capacity(CANDIDATES);
    for author in 1..=u64::from(USERS) {
        stores.posts.visit_by_author(UserId(author), &mut |post, _| {
            let suggest = SuggestKind::RankedTimeline;
            candidates.push(Candidate::of(post, PostCounts::default(), SourceKind::InNetwork, suggest));
            std::ops::ControlFlow::Break(())
        });
    }
    candidates.truncate(CANDIDATES);
    assert_eq!(candidates.len(), CANDIDATES, "the world has enough authors");
    let query = Query::new(UserId(1), clock.now(), RequestFacts::default());
    let mut batch = FeatureBatch::default();
    let shape = format!("n{CANDIDATES}");
    let seconds = time(criterion, &rows.1, &format!("fill_features/cpu/f32/{shape}"), || {
        plan.fill(&query, black_box(&candidates), &mut batch);
    });
    rows.push("fill_features", &shape, "score", &seconds, "features of all candidates into a batch");
}

/// The search for posts by communities. Its answer is checked first: of the exact best hundred it must give 95.
fn retrieval(criterion: &mut Criterion, rows: &mut Rows) {
    let (stores, clock) = world();
    let limits = CommunitySearchConfig::default();
    let exact = CommunitySearchConfig { max_posts_per_community: usize::MAX, ..limits.clone() };
    let viewers = (1..=u64::from(USERS)).step_by(97).map(UserId);
    let queries: Vec<_> = viewers.filter_map(|viewer| stores.embeddings.user_communities(viewer)).collect();
    let index = &*stores.retrieval;
    let (mut hits, mut wanted) = (0, 0);
    for query in &queries {
        let truth = nearest(index, &exact, clock.now(), query);
        let Some((_, least)) = truth.get(99).or(truth.last()) else { continue };
        // Equal cosines stand for each other; sums in another order differ by some roundings.
        let found = nearest(index, &limits, clock.now(), query);
        hits += found.iter().take(100).filter(|(_, cosine)| cosine + 16.0 * f32::EPSILON >= *least).count();
        wanted += truth.len().min(100);
    }
    assert!(hits as f64 >= 0.95 * wanted as f64, "recall@100 is {hits} of {wanted}");
    println!("recall@100 is {:.4} at the stated limits", hits as f64 / wanted.max(1) as f64);
    let mut turn = 0;
    let shape = format!("u{USERS}_p{POSTS}");
    let seconds = time(criterion, &rows.1, &format!("nearest/cpu/f32/{shape}"), || {
        turn = (turn + 1) % queries.len();
        black_box(nearest(index, &limits, clock.now(), &queries[turn]));
    });
    let recall = format!("recall@100 {:.4}", hits as f64 / wanted.max(1) as f64);
    rows.push("nearest", &shape, "score", &seconds, &recall);
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("funnel: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let mut rows = Rows::new(&arguments)?;
    let shape = format!("u{USERS}_p{POSTS}");
    let groups: [(String, fn(&mut Criterion, &mut Rows)); 3] = [
        (format!("for_you/cpu/f32/{shape}"), requests),
        (format!("fill_features/cpu/f32/n{CANDIDATES}"), features),
        (format!("nearest/cpu/f32/{shape}"), retrieval),
    ];
    let wanted: Vec<_> = groups.into_iter().filter(|(id, _)| arguments.wants(id)).collect();
    if wanted.is_empty() {
        return Err(format!("no row's id contains any of {:?}", arguments.words));
    }
    let (warm_up, measure, samples) = arguments.effort();
    let mut criterion = Criterion::default()
        .sample_size(samples)
        // The warm-up is our own.
        .warm_up_time(Duration::from_nanos(1))
        .measurement_time(measure)
        .without_plots();
    let run = &rows.0.run;
    println!("{}, commit {}: a world of {USERS} users and {POSTS} posts for each of", run.device, run.commit);
    println!(
        "{}, about {:.0} seconds each after it is made",
        wanted.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", "),
        (warm_up + measure).as_secs_f64()
    );
    for (_, group) in wanted {
        group(&mut criterion, &mut rows);
    }
    rows.0.run.complete = true;
    rows.0.write().map_err(|error| format!("cannot write the record: {error}"))?;
    for row in &rows.0.run.rows {
        println!(
            "{:<56} {:>10.3} ms  ({:.3} .. {:.3})",
            row.id(),
            row.median_us / 1e3,
            row.p10_us / 1e3,
            row.p90_us / 1e3
        );
    }
    if let Some(folder) = rows.0.folder() {
        println!("kept in {}", folder.join(format!("{}.json", rows.0.run.name)).display());
    }
    Ok(())
}
