//! `bench`: requests against a world in this process, in a closed or an open loop; or, with a URL, against a service.
//!
//! Closed: so many viewers ask one after the other, each as soon as the last answer is there. Open: requests arrive at a
//! rate with exponential gaps whether or not earlier ones are done, and latency counts from the arrival that was planned,
//! so that a stall is paid for by every request that it delays. The cache of scored posts stays empty: every request does
//! all the work.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use maskrank_pipeline::domain::{RequestFacts, UserId};
use maskrank_pipeline::engine::{Report, StageKind};
use maskrank_pipeline::world::WorldConfig;

use crate::ingest::Ingest;
use crate::load;
use crate::random::Random;
use crate::setup::{self, ModelArguments, Timeline, World};
use crate::{Outcome, bench_parts};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The world's folder; without it a world is generated in memory
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    /// Users of the generated world
    #[arg(long, default_value_t = 100_000, conflicts_with = "world")]
    users: u32,
    /// Posts of the generated world
    #[arg(long, default_value_t = 1_000_000, conflicts_with = "world")]
    posts: u32,
    #[command(flatten)]
    model: ModelArguments,
    /// Requests to measure
    #[arg(long, default_value_t = 1000)]
    requests: usize,
    /// Requests before that, not measured
    #[arg(long, default_value_t = 100)]
    warm_up: usize,
    /// Viewers that ask at once, in a closed loop
    #[arg(long, default_value_t = 1, conflicts_with = "rate")]
    concurrency: usize,
    /// Requests a second, in an open loop
    #[arg(long)]
    rate: Option<f64>,
    /// Also measure while so many engagements a second are recorded, and compare
    #[arg(long, value_name = "RATE")]
    ingest: Option<u64>,
    /// Seed of viewers and arrivals
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also print the reports of every component
    #[arg(long)]
    stages: bool,
    /// Measure two parts of requests alone instead: the features of 1,500 candidates, and the recall of the search for
    /// posts by communities at several limits
    #[arg(long, conflicts_with_all = ["rate", "ingest"])]
    parts: bool,
    /// Also write the search's figures to this file
    #[arg(long, value_name = "FILE", requires = "parts")]
    recall_csv: Option<PathBuf>,
    #[command(flatten)]
    load: load::Arguments,
}

/// What one request took, and what its stages did.
struct Sample {
    latency: Duration,
    report: Option<Report>,
    posts: usize,
    /// Whether the answer was the model's, and whole.
    flaw: Flaw,
}

/// What an answer lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// A component failed.
    Partial,
    /// It is not what the model ranked.
    Fallback,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if arguments.load.is_asked_for() {
        return arguments.load.run(arguments.seed, arguments.world.as_deref());
    }
    let started = Instant::now();
    let world = match &arguments.world {
        Some(folder) => World::open(Some(folder))?,
        None => World::generate(WorldConfig::sized(arguments.users, arguments.posts))?,
    };
    let mut out = std::io::stdout().lock();
    let (users, posts) = world.embedded.sizes();
    let ready = started.elapsed().as_secs_f64();
    writeln!(out, "world: {users} users, {posts} posts, ready after {ready:.1} s, {}", memory())?;
    let mut config = arguments.model.pipeline_config()?;
    config.fetch.cache.max_posts = 0;
    let timeline = Arc::new(arguments.model.timeline(world, &config)?);
    // Withdrawn accounts have no timeline.
    let has_timeline =
        |id: &UserId| timeline.world.stores.users.get(*id).is_some_and(|user| !user.is_withdrawn);
    let viewers: Vec<UserId> = (1..=u64::try_from(users)?).map(UserId).filter(has_timeline).collect();
    if viewers.is_empty() {
        return Err("the world has no accounts with ids from 1 on".into());
    }
    let runtime = setup::runtime()?;
    let mut random = Random(arguments.seed);
    let mut pick = |count: usize| {
        let mut viewer = || viewers[(random.next() % viewers.len() as u64) as usize];
        (0..count).map(|_| viewer()).collect::<Vec<_>>()
    };
    let (warm_up, measured) = (pick(arguments.warm_up), pick(arguments.requests));
    if arguments.parts {
        return bench_parts::run(&mut out, &runtime, &timeline, &measured, arguments.recall_csv.as_deref());
    }
    runtime.block_on(closed(&timeline, warm_up, 1));
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let samples = match arguments.rate {
        Some(rate) => {
            let gaps = exponential_gaps(arguments.seed, rate, arguments.requests);
            writeln!(out, "open loop: {rate} requests a second with exponential gaps")?;
            runtime.block_on(open(&timeline, measured, gaps))
        }
        None => {
            writeln!(out, "closed loop: {} at once", arguments.concurrency)?;
            runtime.block_on(closed(&timeline, measured, arguments.concurrency))
        }
    };
    let elapsed = begun.elapsed();
    if let Some((before, after)) = cpu.zip(cpu_seconds()) {
        // On a machine that does other things too, this says more than the latencies.
        let each = (after - before) * 1e3 / samples.len().max(1) as f64;
        writeln!(out, "{each:.1} ms of processor time a request")?;
    }
    print(&mut out, &timeline, &samples, elapsed, arguments.stages)?;
    if let Some(rate) = arguments.ingest {
        let again = pick(arguments.requests);
        let writer = Ingest::start(&timeline, rate, arguments.seed);
        let begun = Instant::now();
        let busy = runtime.block_on(closed(&timeline, again, arguments.concurrency));
        let elapsed = begun.elapsed();
        writer.stop().print(&mut out, rate)?;
        print(&mut out, &timeline, &busy, elapsed, false)?;
        let p99 = |samples: &[Sample]| {
            let mut latencies: Vec<Duration> = latencies_of(samples).collect();
            latencies.sort_unstable();
            let place = (0.99 * latencies.len().saturating_sub(1) as f64).round() as usize;
            latencies.get(place).map_or(0.0, Duration::as_secs_f64)
        };
        writeln!(out, "p99 while recording is {:.2} times that of before", p99(&busy) / p99(&samples))?;
    }
    Ok(())
}

/// How long answers took that are the model's.
fn latencies_of(samples: &[Sample]) -> impl Iterator<Item = Duration> {
    let is_served = |sample: &&Sample| sample.report.is_some() && sample.flaw != Flaw::Fallback;
    samples.iter().filter(is_served).map(|sample| sample.latency)
}

async fn serve(timeline: &Timeline, viewer: UserId, since: Instant) -> Sample {
    let served = timeline.home.for_you().serve(viewer, RequestFacts::default()).await;
    let latency = since.elapsed();
    match served {
        Ok((response, report)) => {
            let flaw = match response.missing.is_empty() {
                _ if response.is_fallback => Flaw::Fallback,
                true => Flaw::None,
                false => Flaw::Partial,
            };
            Sample { latency, report: Some(report), posts: response.posts.len(), flaw }
        }
        Err(_) => Sample { latency, report: None, posts: 0, flaw: Flaw::None },
    }
}

async fn closed(timeline: &Arc<Timeline>, viewers: Vec<UserId>, at_once: usize) -> Vec<Sample> {
    let viewers: Arc<[UserId]> = viewers.into();
    let next = Arc::new(AtomicUsize::new(0));
    let worker = |_| {
        let (timeline, viewers, next) = (Arc::clone(timeline), Arc::clone(&viewers), Arc::clone(&next));
        tokio::spawn(async move {
            let mut samples = Vec::new();
            while let Some(&viewer) = viewers.get(next.fetch_add(1, Ordering::Relaxed)) {
                samples.push(serve(&timeline, viewer, Instant::now()).await);
            }
            samples
        })
    };
    let workers: Vec<_> = (0..at_once.max(1)).map(worker).collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap_or_default());
    }
    all
}

async fn open(timeline: &Arc<Timeline>, viewers: Vec<UserId>, gaps: Vec<Duration>) -> Vec<Sample> {
    let start = Instant::now();
    let mut planned = start;
    let mut under_way = Vec::with_capacity(viewers.len());
    for (viewer, gap) in viewers.into_iter().zip(gaps) {
        planned += gap;
        tokio::time::sleep_until(planned.into()).await;
        let timeline = Arc::clone(timeline);
        under_way.push(tokio::spawn(async move { serve(&timeline, viewer, planned).await }));
    }
    let mut all = Vec::new();
    for task in under_way {
        all.extend(task.await.ok());
    }
    all
}

fn exponential_gaps(seed: u64, rate: f64, count: usize) -> Vec<Duration> {
    let mut random = Random(seed ^ 0x5DEE_CE66);
    let mut gap = || {
        // In (0, 1], so that the logarithm is finite.
        let uniform = ((random.next() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        Duration::from_secs_f64((-uniform.ln() / rate).min(3600.0))
    };
    (0..count).map(|_| gap()).collect()
}

fn print(
    out: &mut impl Write,
    timeline: &Timeline,
    samples: &[Sample],
    elapsed: Duration,
    all_stages: bool,
) -> std::io::Result<()> {
    let failed = samples.iter().filter(|sample| sample.report.is_none()).count();
    let with = |flaw| samples.iter().filter(|sample| sample.flaw == flaw).count();
    let posts: usize = samples.iter().map(|sample| sample.posts).sum();
    let rate = samples.len() as f64 / elapsed.as_secs_f64();
    let mean_posts = posts as f64 / samples.len().max(1) as f64;
    writeln!(
        out,
        "{} requests, {failed} failed, {} fallbacks, {} partial, {rate:.1}/s, {mean_posts:.1} posts a page, {}",
        samples.len(),
        with(Flaw::Fallback),
        with(Flaw::Partial),
        memory()
    )?;
    writeln!(
        out,
        "{:<58} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "milliseconds", "p50", "p90", "p99", "max", "rows"
    )?;
    // What was not served as it should be says nothing about how long serving takes.
    let served: Vec<Duration> = latencies_of(samples).collect();
    line(out, "request", served, 0.0)?;
    let mut by_place: BTreeMap<(usize, String), (Vec<Duration>, usize)> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for row in samples.iter().filter_map(|sample| sample.report.as_ref()).flat_map(|report| &report.stages) {
        let is_whole = matches!(row.stage, StageKind::CandidatePipeline | StageKind::ScoringPipeline);
        let is_costly = matches!(row.stage, StageKind::Source | StageKind::Scorer | StageKind::Hydrator);
        if !(all_stages || is_whole || is_costly) || row.latency.is_zero() {
            continue;
        }
        let name = format!("{} / {} / {}", row.pipeline, row.stage.name(), row.component);
        let place = order.iter().position(|known| *known == name).unwrap_or_else(|| {
            order.push(name.clone());
            order.len() - 1
        });
        let entry = by_place.entry((place, name)).or_default();
        entry.0.push(row.latency);
        entry.1 += row.entered.max(row.kept);
    }
    for ((_, name), (latencies, rows)) in by_place {
        let mean = rows as f64 / latencies.len().max(1) as f64;
        line(out, &name, latencies, mean)?;
    }
    writeln!(out, "\nfeature families, mean milliseconds a request")?;
    for time in timeline.home.for_you().feature_times() {
        let mean = time.total.as_secs_f64() * 1e3 / time.runs.max(1) as f64;
        writeln!(out, "  {:<30} {mean:>9.3}  {} failures", time.family, time.failures)?;
    }
    Ok(())
}

fn line(out: &mut impl Write, name: &str, mut latencies: Vec<Duration>, rows: f64) -> std::io::Result<()> {
    latencies.sort_unstable();
    let at = |share: f64| {
        let place = (share * latencies.len().saturating_sub(1) as f64).round() as usize;
        latencies.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    };
    let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(at);
    writeln!(out, "{name:<58} {p50:>9.3} {p90:>9.3} {p99:>9.3} {max:>9.3} {rows:>9.1}")
}

/// Processor time of this process in seconds, where the system says.
pub(crate) fn cpu_seconds() -> Option<f64> {
    seconds_of_threads(|_| true)
}

/// Processor time of this process's threads of some names in seconds, where the system says.
pub(crate) fn seconds_of_threads(is_meant: impl Fn(&str) -> bool) -> Option<f64> {
    let of_task = |path: PathBuf| {
        let name = std::fs::read_to_string(path.join("comm")).ok()?;
        let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
        is_meant(name.trim_end()).then_some(text.split_whitespace().next()?.parse::<f64>().ok()?)
    };
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let found: Vec<f64> = tasks.filter_map(|task| of_task(task.ok()?.path())).collect();
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / 1e9)
}

/// Memory of this process, where the system says.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()
    };
    match (kib("VmRSS:"), kib("VmHWM:")) {
        (Some(now), Some(peak)) => {
            format!("{:.2} GiB of memory, {:.2} at most", now / 1_048_576.0, peak / 1_048_576.0)
        }
        _ => "memory not known".to_owned(),
    }
}
