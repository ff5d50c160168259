//! Mixed scoring for a long time: memory must not grow. Ignored by default; `MASKRANK_SOAK_SECONDS` sets the length.

#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use maskrank::BatchingScorer;
use maskrank::batching::Job;

use crate::support::{EVERYTHING, Random, WEIGHTS, live, request, scorer};

const MAX: usize = 64;

/// Resident memory of this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
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
    let (done, jobs) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut samples = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (batching, done, jobs) = (&batching, &done, &jobs);
            scope.spawn(move || {
                let mut random = Random(thread);
                while !done.load(Ordering::Relaxed) {
                    let candidates = random.below(MAX + 1);
                    let mut job = Job::new(request(&mut random, candidates), WEIGHTS);
                    if random.below(3) == 0 {
                        job = job.with_outputs(EVERYTHING);
                    }
                    if random.below(4) == 0 {
                        job = job.with_deadline_in(Duration::from_micros(300));
                    }
                    if let Ok(ticket) = batching.submit(job)
                        && random.below(8) > 0
                    {
                        // An expired job is part of the mix.
                        let _ = ticket.wait();
                    }
                    jobs.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let start = Instant::now();
        let mut number = 0;
        while start.elapsed() < length {
            std::thread::sleep(length / 40);
            number += 1;
            live.reload(|| Ok(scorer(number % 3, MAX))).unwrap();
            samples.push(resident());
        }
        done.store(true, Ordering::Relaxed);
    });
    // The allocator settles in the first quarter; what is used after it must not be exceeded by more than noise.
    let quarter = samples.len() / 4;
    let early = samples[..=quarter].iter().max().copied().unwrap();
    let late = samples[samples.len() - quarter..].iter().max().copied().unwrap();
    println!(
        "{} jobs and {} reloads in {seconds} s: {early} bytes at most in the first quarter, {late} in the last",
        jobs.load(Ordering::Relaxed),
        samples.len()
    );
    assert!(late <= early + (4 << 20), "grew from {early} to {late} bytes");
}
