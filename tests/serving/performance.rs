//! Bounds on time, ignored by default: they need a machine that does nothing else. Run with
//! `cargo test --release --test serving -- --ignored --test-threads 1 --nocapture performance`.
//! `MASKRANK_SERVING_RECORD` names a CSV that the rows are added to.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use maskrank::batching::{Job, OwnedBinary, OwnedColumns, OwnedRequest};
use maskrank::config::Widths;
use maskrank::{
    Backend, Batch, BatchingScorer, LiveScorer, Model, ModelConfig, Request, ScoreOptions, Scorer, Scores,
};

use crate::support::{Random, WEIGHTS, live, request};

const HEADER: &str = "measure,setting,unit,plain,merged,compared,bound";

/// One row: what the plain scorer and the merging one gave, how they compare, and what the comparison must hold.
struct Row {
    measure: &'static str,
    setting: String,
    unit: &'static str,
    plain: f64,
    merged: f64,
    compared: f64,
    bound: &'static str,
}

/// Prints a table, and adds it to the record where one is asked for.
fn report(rows: &[Row]) {
    println!(
        "{:<12} {:<22} {:>14} {:>12} {:>12} {:>10}  bound",
        "measure", "setting", "unit", "plain", "merged", "compared"
    );
    for Row { measure, setting, unit, plain, merged, compared, bound } in rows {
        println!(
            "{measure:<12} {setting:<22} {unit:>14} {plain:>12.1} {merged:>12.1} {compared:>10.3}  {bound}"
        );
    }
    let Some(path) = std::env::var_os("MASKRANK_SERVING_RECORD") else { return };
    let is_new = !Path::new(&path).exists();
    let mut file = std::fs::File::options().create(true).append(true).open(path).expect("a record");
    if is_new {
        writeln!(file, "{HEADER}").expect("written");
    }
    for Row { measure, setting, unit, plain, merged, compared, bound } in rows {
        writeln!(file, "{measure},{setting},{unit},{plain:.1},{merged:.1},{compared:.4},{bound}")
            .expect("written");
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
#[ignore = "measures time: needs a quiet machine"]
fn one_caller_waits_less_than_50_us_beyond_the_delay() {
    let live = live(1, 64);
    let mut random = Random(1);
    let job = Job::new(request(&mut random, 1), WEIGHTS);
    let plain = live.current();
    let mut scores = Scores::default();
    let alone = |scores: &mut Scores| {
        let start = Instant::now();
        let batch = Batch { requests: &[job.request.view()] };
        plain.scorer().score(batch, &ScoreOptions::new(&WEIGHTS), scores).unwrap();
        start.elapsed()
    };
    let base = median((0..2000).map(|_| alone(&mut scores)).collect());
    let mut rows = Vec::new();
    for delay in [Duration::ZERO, Duration::from_micros(200), Duration::from_millis(1)] {
        let batching = BatchingScorer::builder(&live).delay(delay).build().unwrap();
        let rounds = 2000;
        let times = (0..rounds)
            .map(|_| {
                let start = Instant::now();
                batching.score(job.clone()).unwrap();
                start.elapsed()
            })
            .collect();
        let merged = median(times);
        rows.push(Row {
            measure: "one caller",
            setting: format!("delay {} us", delay.as_micros()),
            unit: "us a call",
            plain: micros(base),
            merged: micros(merged),
            compared: micros(merged.saturating_sub(base + delay)),
            bound: "under 50 us beyond the delay",
        });
    }
    report(&rows);
    for row in rows {
        assert!(row.compared < 50.0, "{}: {:.1} us beyond it", row.setting, row.compared);
    }
}

#[test]
#[ignore = "measures time: needs a quiet machine"]
fn saturated_it_reaches_95_percent_of_the_plain_scorer() {
    const MAX: usize = 512;
    const EACH: usize = 32;
    let Widths { continuous, binary, user_embedding, user_eng_embedding, author_embedding } =
        Widths::PRODUCTION;
    let model = Model::seeded(ModelConfig::production().unwrap(), Widths::PRODUCTION, 1).unwrap();
    let scorer =
        Scorer::builder(&model).backend(Backend::Cpu).max_candidates(MAX).max_in_flight(2).build().unwrap();
    let live = Arc::new(LiveScorer::new(scorer).unwrap());
    let mut random = Random(5);
    let requests: Vec<OwnedRequest> = (0..MAX / EACH)
        .map(|_| OwnedRequest {
            candidates: EACH,
            request: OwnedColumns::default(),
            candidate: OwnedColumns {
                continuous: random.floats(EACH * continuous).into(),
                binary: OwnedBinary::Bytes(vec![1; EACH * binary].into()),
                user_embedding: random.floats(EACH * user_embedding).into(),
                user_eng_embedding: random.floats(EACH * user_eng_embedding).into(),
                author_embedding: random.floats(EACH * author_embedding).into(),
            },
        })
        .collect();
    let weights: Arc<[f32]> = vec![1.0; model.tasks().len()].into();
    let batches = 12;

    // Two callers keep both places busy, as the two workers do.
    let plain = || {
        let (left, generation) = (AtomicUsize::new(batches), live.current());
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut scores = Scores::default();
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                        .is_ok()
                    {
                        let views: Vec<Request<'_>> = requests.iter().map(OwnedRequest::view).collect();
                        let batch = Batch { requests: &views };
                        generation.scorer().score(batch, &ScoreOptions::new(&weights), &mut scores).unwrap();
                    }
                });
            }
        });
        (batches * MAX) as f64 / start.elapsed().as_secs_f64()
    };
    let merged = || {
        let batching =
            BatchingScorer::builder(&live).delay(Duration::from_millis(20)).queue(10_000).build().unwrap();
        let start = Instant::now();
        let tickets: Vec<_> = (0..batches * MAX / EACH)
            .map(|i| {
                batching.submit(Job::new(requests[i % requests.len()].clone(), Arc::clone(&weights))).unwrap()
            })
            .collect();
        for ticket in tickets {
            ticket.wait().unwrap();
        }
        let rate = (batches * MAX) as f64 / start.elapsed().as_secs_f64();
        assert_eq!(batching.stats().batches, batches as u64, "every batch was full");
        rate
    };
    plain();
    // Alternating, so that both see the same machine.
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        one.push(plain());
        other.push(merged());
    }
    one.sort_by(f64::total_cmp);
    other.sort_by(f64::total_cmp);
    let (plain, merged) = (one[2], other[2]);
    report(&[Row {
        measure: "saturated",
        setting: format!("{MAX} candidates by {EACH}"),
        unit: "candidates/s",
        plain,
        merged,
        compared: merged / plain,
        bound: "at least 0.95",
    }]);
    assert!(merged >= 0.95 * plain, "merged {merged:.0}, plain {plain:.0} candidates/s");
}
