//! Mixed scoring for a long time: memory must not grow. Ignored by default; `MASKRANK_SOAK_SECONDS` sets the length, and
//! `MASKRANK_SOAK_RECORD` names a CSV to write the samples to.

#![cfg(target_os = "linux")]

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use maskrank::batching::Job;
use maskrank::{Batch, BatchingScorer, LiveScorer, ScoreOptions, Scores};

use crate::support::{EVERYTHING, Random, WEIGHTS, live, request, scorer};

const MAX: usize = 64;
const SAMPLES: u32 = 120;
/// How much more the last quarter may hold than the first: what an allocator keeps back varies by as much.
const NOISE: u64 = 4 << 20;

/// Resident memory of this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

/// Calls of every kind, until `done`: merged and plain, of any size and output, waited for, expired, dropped.
fn caller(seed: u64, live: &LiveScorer, batching: &BatchingScorer, done: &AtomicBool, calls: &AtomicU64) {
    let mut random = Random(seed);
    let mut scores = Scores::default();
    while !done.load(Ordering::Relaxed) {
        let candidates = random.below(MAX + 1);
        let mut job = Job::new(request(&mut random, candidates), WEIGHTS);
        if random.below(3) == 0 {
            job = job.with_outputs(EVERYTHING);
        }
        if random.below(4) == 0 {
            job = job.with_deadline_in(Duration::from_micros(300));
        }
        if random.below(8) == 0 {
            let options = ScoreOptions::new(&WEIGHTS).with_outputs(job.outputs);
            let batch = Batch { requests: &[job.request.view()] };
            live.score(batch, &options, &mut scores).expect("a good request");
        } else if let Ok(ticket) = batching.submit(job)
            && random.below(8) > 0
        {
            // An expired job is part of the mix.
            let _ = ticket.wait();
        }
        calls.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
#[ignore = "five minutes, or MASKRANK_SOAK_SECONDS"]
fn memory_does_not_grow() {
    let seconds =
        std::env::var("MASKRANK_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let length = Duration::from_secs(seconds);
    let live = live(0, MAX);
    let batching =
        BatchingScorer::builder(&live).delay(Duration::from_micros(200)).queue(64).build().unwrap();
    let (done, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut samples = Vec::new();
    let mut record = String::from("seconds,resident_bytes,calls,reloads\n");
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (live, batching, done, calls) = (&live, &batching, &done, &calls);
            scope.spawn(move || caller(seed, live, batching, done, calls));
        }
        let start = Instant::now();
        for number in 1..=SAMPLES {
            std::thread::sleep((length / SAMPLES * number).saturating_sub(start.elapsed()));
            live.reload(|| Ok(scorer(u64::from(number) % 3, MAX))).unwrap();
            samples.push(resident());
            let (calls, resident) = (calls.load(Ordering::Relaxed), samples[samples.len() - 1]);
            writeln!(record, "{},{resident},{calls},{number}", start.elapsed().as_secs()).unwrap();
            // Written each time: a run that is cut short leaves what it saw.
            if let Some(path) = std::env::var_os("MASKRANK_SOAK_RECORD") {
                std::fs::write(path, &record).unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    // The allocator settles in the first quarter; what is used after it must not be exceeded by more than noise.
    let quarter = samples.len() / 4;
    let early = samples[..=quarter].iter().max().copied().unwrap();
    let late = samples[samples.len() - quarter..].iter().max().copied().unwrap();
    println!(
        "{} calls and {SAMPLES} reloads in {seconds} s: {early} bytes at most in the first quarter, {late} in the last",
        calls.load(Ordering::Relaxed),
    );
    assert!(late <= early + NOISE, "grew from {early} to {late} bytes");
}
