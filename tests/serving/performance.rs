//! Bounds on time, ignored by default: they need a machine that does nothing else. Run with
//! `cargo test --release --test serving -- --ignored --test-threads 1 --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use maskrank::batching::{Job, OwnedBinary, OwnedColumns, OwnedRequest};
use maskrank::config::Widths;
use maskrank::{
    Backend, Batch, BatchingScorer, LiveScorer, Model, ModelConfig, Request, ScoreOptions, Scorer, Scores,
};

use crate::support::{Random, WEIGHTS, live, request};

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
        let added = median(times).saturating_sub(base + delay);
        println!("delay {delay:?}: scoring {base:?}, added beyond the delay {added:?}");
        assert!(added < Duration::from_micros(50), "delay {delay:?}: {added:?} beyond it");
    }
}

#[test]
#[ignore = "measures time: needs a quiet machine"]
fn saturated_it_reaches_95_percent_of_the_plain_scorer() {
    const MAX: usize = 512;
    const EACH: usize = 32;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/production");
    let widths = Widths {
        continuous: 2117,
        binary: 59,
        user_embedding: 200,
        user_eng_embedding: 200,
        author_embedding: 200,
    };
    let config = ModelConfig::read(folder.join("config.yaml")).unwrap();
    let model = Model::seeded(config, widths, 1).unwrap();
    let scorer =
        Scorer::builder(&model).backend(Backend::Cpu).max_candidates(MAX).max_in_flight(2).build().unwrap();
    let live = Arc::new(LiveScorer::new(scorer).unwrap());
    let mut random = Random(5);
    let requests: Vec<OwnedRequest> = (0..MAX / EACH)
        .map(|_| OwnedRequest {
            candidates: EACH,
            request: OwnedColumns::default(),
            candidate: OwnedColumns {
                continuous: random.floats(EACH * 2117).into(),
                binary: OwnedBinary::Bytes(vec![1; EACH * 59].into()),
                user_embedding: random.floats(EACH * 200).into(),
                user_eng_embedding: random.floats(EACH * 200).into(),
                author_embedding: random.floats(EACH * 200).into(),
            },
        })
        .collect();
    let weights: Arc<[f32]> = vec![1.0; model.tasks().len()].into();
    let batches = 24;

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
    println!("plain {:.0} candidates/s, merged {:.0}: {:.3}", one[2], other[2], other[2] / one[2]);
    assert!(other[2] >= 0.95 * one[2], "merged {:.0}, plain {:.0} candidates/s", other[2], one[2]);
}
