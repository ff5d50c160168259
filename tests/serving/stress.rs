//! Everything at once: 64 callers, random sizes, priorities, deadlines, cancellations and reloads. Every answer must be
//! the one that its generation gives alone, and every job must end exactly once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use maskrank::batching::{Job, Priority};
use maskrank::{BatchingScorer, Error};

use crate::support::{EVERYTHING, Random, WEIGHTS, alone, bits, live, request, scorer};

const THREADS: u64 = 64;
const JOBS: usize = 150;
const MAX: usize = 48;

/// What the callers saw.
#[derive(Default)]
struct Seen {
    submitted: AtomicU64,
    refused: AtomicU64,
    answered: AtomicU64,
    expired: AtomicU64,
    dropped: AtomicU64,
}

#[test]
fn sixty_four_threads_with_deadlines_cancellations_and_reloads() {
    let live = live(0, MAX);
    let models = [scorer(0, MAX), scorer(1, MAX)];
    let mut random = Random(99);
    let sizes = [0, 1, 2, 3, 7, 16, 31, 47, 48];
    let jobs: Vec<Job> = (0..72)
        .map(|i| {
            let job = Job::new(request(&mut random, sizes[i % sizes.len()]), WEIGHTS);
            let job = if i % 5 == 0 { job.with_outputs(EVERYTHING) } else { job };
            if i % 7 == 0 { Job { weights: [2.0, -1.0].into(), ..job } } else { job }
        })
        .collect();
    let expected: Vec<Vec<_>> =
        models.iter().map(|model| jobs.iter().map(|job| bits(&alone(model, job))).collect()).collect();

    let delay = Duration::from_micros(300);
    let batching = BatchingScorer::builder(&live).delay(delay).queue(40).workers(3).build().unwrap();
    let (seen, done) = (Seen::default(), AtomicBool::new(false));
    let generations = std::thread::scope(|scope| {
        let reloader = scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                number += 1;
                assert_eq!(live.reload(|| Ok(scorer(number % 2, MAX))).unwrap(), number);
            }
            number
        });
        let callers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (batching, seen, jobs, expected) = (&batching, &seen, &jobs, &expected);
                scope.spawn(move || caller(thread, batching, seen, jobs, expected))
            })
            .collect();
        let results: Vec<_> = callers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        let generations = reloader.join().unwrap();
        for result in results {
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        generations
    });
    let stats = batching.drain();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(stats.queued, 0);
    assert_eq!(stats.submitted, count(&seen.submitted), "{stats:?}");
    assert_eq!(stats.refused, count(&seen.refused), "{stats:?}");
    assert_eq!(stats.failed, 0, "{stats:?}");
    // A caller that drops a ticket cannot know how far its job was; all the others can.
    assert_eq!(
        count(&seen.answered) + count(&seen.expired) + count(&seen.dropped),
        stats.submitted,
        "{stats:?}"
    );
    assert_eq!(stats.answered + stats.expired + stats.cancelled, stats.submitted, "{stats:?}");
    assert!(stats.answered >= count(&seen.answered) && stats.expired >= count(&seen.expired), "{stats:?}");
    for (what, count) in [
        ("answered", stats.answered),
        ("expired", stats.expired),
        ("cancelled", stats.cancelled),
        ("merged", stats.submitted.saturating_sub(stats.batches)),
        ("reloads", generations),
    ] {
        assert!(count > 0, "the test exercised nothing {what}: {stats:?}");
    }
}

fn caller(
    thread: u64,
    batching: &BatchingScorer,
    seen: &Seen,
    jobs: &[Job],
    expected: &[Vec<(Vec<u32>, Vec<u32>, Vec<usize>)>],
) {
    let mut random = Random(thread * 7919);
    let add = |counter: &AtomicU64| {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    for _ in 0..JOBS {
        let index = random.below(jobs.len());
        let priority = [Priority::High, Priority::Normal, Priority::Low][random.below(3)];
        let mut job = jobs[index].clone().with_priority(priority);
        if random.below(4) == 0 {
            job = job.with_deadline_in(Duration::from_micros(random.below(3000) as u64));
        }
        let ticket = match batching.submit(job) {
            Ok(ticket) => ticket,
            Err(Error::QueueFull { .. }) => {
                add(&seen.refused);
                std::thread::yield_now();
                continue;
            }
            Err(error) => panic!("thread {thread}: {error}"),
        };
        add(&seen.submitted);
        let result = match random.below(6) {
            0 => {
                drop(ticket);
                add(&seen.dropped);
                continue;
            }
            1 => match ticket.wait_timeout(Duration::from_micros(random.below(2000) as u64)) {
                Ok(result) => result,
                Err(ticket) => {
                    drop(ticket);
                    add(&seen.dropped);
                    continue;
                }
            },
            _ => ticket.wait(),
        };
        match result {
            Ok(answer) => {
                let right = &expected[answer.generation as usize % 2][index];
                assert_eq!(&bits(&answer.scores), right, "thread {thread}, job {index}: {answer:?}");
                add(&seen.answered);
            }
            Err(Error::Expired { .. }) => add(&seen.expired),
            Err(error) => panic!("thread {thread}: {error}"),
        }
    }
}
