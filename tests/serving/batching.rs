//! Merged requests: the same bits, and every way that a job can end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use maskrank::batching::{Job, OwnedFeatures, OwnedRequest, Priority, Ticket, Values};
use maskrank::{BatchingScorer, Error, Outputs, ScoreFrom};

use crate::support::{EVERYTHING, Random, WEIGHTS, WIDTHS, alone, assert_same, live, request};

/// Longer than any test: a batch is made because it is full or because the scorer is closed.
const NEVER: Duration = Duration::from_secs(60);

#[test]
fn merging_cannot_be_seen() {
    let live = live(1, 64);
    let plain = live.current();
    for delay in [Duration::ZERO, Duration::from_millis(2)] {
        let batching = BatchingScorer::builder(&live).delay(delay).build().unwrap();
        let merged = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let (batching, plain, merged) = (&batching, &plain, &merged);
                scope.spawn(move || {
                    let mut random = Random(thread);
                    for _ in 0..40 {
                        let candidates = random.below(20);
                        let mut job = Job::new(request(&mut random, candidates), WEIGHTS);
                        // Callers that ask for different things share batches where they can.
                        match random.below(4) {
                            0 => job.outputs = EVERYTHING,
                            1 => job.outputs = Outputs { logits: true, top_k: 2, ..Outputs::default() },
                            2 => job.from = ScoreFrom::Raw,
                            _ => job.weights = Arc::new([1.0, -2.0]),
                        }
                        let answer = batching.score(job.clone()).unwrap();
                        assert_same(&answer, &alone(plain.scorer(), &job), "merged");
                        merged.fetch_add(usize::from(answer.batch.0 > 1), Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(merged.load(Ordering::Relaxed) > 0, "some requests were merged");
        let stats = batching.drain();
        assert_eq!((stats.submitted, stats.answered, stats.queued), (640, 640, 0));
        assert!(stats.batches < 640, "{} batches", stats.batches);
        assert!(stats.stages.iter().all(|stage| stage.count == 640), "{stats:?}");
    }
}

#[test]
fn a_full_batch_is_not_waited_for_and_a_partial_one_is_for_the_delay() {
    let live = live(1, 8);
    let mut random = Random(2);
    let batching = BatchingScorer::builder(&live).delay(NEVER).build().unwrap();
    let tickets: Vec<Ticket> =
        (0..4).map(|_| batching.submit(Job::new(request(&mut random, 2), WEIGHTS)).unwrap()).collect();
    for ticket in tickets {
        assert_eq!(ticket.wait().unwrap().batch, (4, 8));
    }

    let delay = Duration::from_millis(30);
    let batching = BatchingScorer::builder(&live).delay(delay).build().unwrap();
    let start = Instant::now();
    let answer = batching.score(Job::new(request(&mut random, 2), WEIGHTS)).unwrap();
    assert!(start.elapsed() >= delay && answer.times.queue >= delay, "{:?}", answer.times);
    assert!(answer.times.total() <= start.elapsed(), "stages do not overlap: {:?}", answer.times);
}

#[test]
fn a_wrong_job_is_refused_at_once_and_harms_no_other() {
    let live = live(1, 8);
    let mut random = Random(3);
    let batching = BatchingScorer::builder(&live).delay(NEVER).build().unwrap();
    let good = batching.submit(Job::new(request(&mut random, 2), WEIGHTS)).unwrap();
    let mut short = request(&mut random, 2);
    short.candidates = 3;
    assert!(matches!(batching.submit(Job::new(short, WEIGHTS)), Err(Error::Batch { .. })));
    let large = request(&mut random, 9);
    let error = batching.submit(Job::new(large, WEIGHTS)).unwrap_err();
    assert!(matches!(error, Error::TooManyCandidates { max: 8, found: 9 }), "{error}");
    for weights in [vec![1.0], vec![1.0, f32::NAN]] {
        let error = batching.submit(Job::new(request(&mut random, 1), weights)).unwrap_err();
        assert!(matches!(error, Error::Argument { argument: "weights", .. }), "{error}");
    }
    let stats = batching.drain();
    assert_eq!((stats.submitted, stats.answered, stats.refused), (1, 1, 0));
    assert_eq!(good.wait().unwrap().scores.scores.len(), 2);
}

#[test]
fn a_full_queue_refuses_and_a_cancelled_job_makes_room() {
    let live = live(1, 64);
    let mut random = Random(4);
    let batching = BatchingScorer::builder(&live).delay(NEVER).queue(3).build().unwrap();
    let mut submit = || batching.submit(Job::new(request(&mut random, 1), WEIGHTS));
    let mut tickets: Vec<Ticket> = (0..3).map(|_| submit().unwrap()).collect();
    let error = submit().unwrap_err();
    assert!(matches!(error, Error::QueueFull { capacity: 3 }) && error.is_busy(), "{error}");
    drop(tickets.remove(1));
    assert_eq!(batching.stats().queued, 2);
    tickets.push(submit().unwrap());
    assert!(submit().is_err());
    let stats = batching.drain();
    assert_eq!((stats.submitted, stats.refused, stats.cancelled, stats.answered), (4, 2, 1, 3));
    for ticket in tickets {
        assert_eq!(ticket.wait().unwrap().batch, (3, 3), "the cancelled job was not scored");
    }
}

#[test]
fn a_deadline_in_the_queue_is_met_with_an_error_and_costs_no_scoring() {
    let live = live(1, 64);
    let mut random = Random(5);
    let batching = BatchingScorer::builder(&live).delay(NEVER).build().unwrap();
    let patient = batching.submit(Job::new(request(&mut random, 1), WEIGHTS)).unwrap();
    let wait = Duration::from_millis(20);
    let start = Instant::now();
    let late = Job::new(request(&mut random, 1), WEIGHTS).with_deadline_in(wait);
    let error = batching.score(late).unwrap_err();
    assert!(matches!(error, Error::Expired { waited } if waited >= wait), "{error}");
    assert!(start.elapsed() < NEVER / 10, "an idle worker answers at the deadline, not at the delay");
    let gone = Job::new(request(&mut random, 1), WEIGHTS).with_deadline_in(Duration::ZERO);
    assert!(matches!(batching.score(gone), Err(Error::Expired { .. })));
    let stats = batching.drain();
    assert_eq!((stats.expired, stats.answered, stats.batches, stats.candidates), (2, 1, 1, 1));
    assert!(patient.wait().is_ok());
}

#[test]
fn shutdown_drains_or_refuses_and_takes_no_more() {
    let live = live(1, 64);
    let mut random = Random(6);
    for drains in [true, false] {
        let batching = BatchingScorer::builder(&live).delay(NEVER).build().unwrap();
        let tickets: Vec<Ticket> =
            (0..5).map(|_| batching.submit(Job::new(request(&mut random, 1), WEIGHTS)).unwrap()).collect();
        let stats = if drains { batching.drain() } else { batching.stop() };
        assert_eq!((stats.answered, stats.failed), if drains { (5, 0) } else { (0, 5) });
        for ticket in tickets {
            assert!(ticket.is_ready());
            assert_eq!(ticket.wait().is_ok(), drains);
        }
    }
    let batching = BatchingScorer::builder(&live).delay(NEVER).build().unwrap();
    let ticket = batching.submit(Job::new(request(&mut random, 1), WEIGHTS)).unwrap();
    batching.close();
    assert!(matches!(batching.submit(Job::new(request(&mut random, 1), WEIGHTS)), Err(Error::Stopped)));
    assert!(ticket.wait().is_ok(), "what was queued is scored");
    let other = BatchingScorer::builder(&live).delay(NEVER).build().unwrap();
    let ticket = other.submit(Job::new(request(&mut random, 1), WEIGHTS)).unwrap();
    drop(other);
    assert!(matches!(ticket.wait(), Err(Error::Stopped)));
}

#[test]
fn settings_without_meaning_are_refused() {
    let live = live(1, 8);
    let builder = || BatchingScorer::builder(&live);
    for (builder, name) in [
        (builder().max_candidates(0), "max_candidates"),
        (builder().max_candidates(9), "max_candidates"),
        (builder().queue(0), "queue"),
        (builder().workers(0), "workers"),
        (builder().delay(NEVER * 2), "delay"),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, Error::Argument { argument, .. } if argument == name), "{error}");
    }
}

/// A task that counts how often it was woken.
struct Woken {
    thread: std::thread::Thread,
    count: AtomicUsize,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

#[test]
fn one_thread_polls_many_tickets_and_is_woken_for_each() {
    let live = live(1, 16);
    let plain = live.current();
    let batching = BatchingScorer::builder(&live).delay(Duration::from_millis(1)).build().unwrap();
    let mut random = Random(7);
    let jobs: Vec<Job> =
        (0..50).map(|i| Job::new(request(&mut random, i % 7), WEIGHTS).with_outputs(EVERYTHING)).collect();
    let mut tickets: Vec<Option<Ticket>> =
        jobs.iter().map(|job| Some(batching.submit(job.clone()).unwrap())).collect();
    let woken = Arc::new(Woken { thread: std::thread::current(), count: AtomicUsize::new(0) });
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let (mut left, mut pending) = (tickets.len(), 0);
    while left > 0 {
        for (slot, job) in tickets.iter_mut().zip(&jobs) {
            let Some(ticket) = slot else { continue };
            match Pin::new(ticket).poll(&mut context) {
                Poll::Pending => pending += 1,
                Poll::Ready(answer) => {
                    assert_same(&answer.unwrap(), &alone(plain.scorer(), job), "polled");
                    *slot = None;
                    left -= 1;
                }
            }
        }
        if left > 0 {
            std::thread::park();
        }
    }
    assert!(pending > 0 && woken.count.load(Ordering::SeqCst) > 0, "the worker woke the task");
}

#[test]
fn waiting_has_a_limit_for_callers_that_want_one() {
    let live = live(1, 16);
    let batching = BatchingScorer::builder(&live).delay(NEVER).build().unwrap();
    let mut random = Random(8);
    let ticket = batching.submit(Job::new(request(&mut random, 1), WEIGHTS)).unwrap();
    let ticket = ticket.wait_timeout(Duration::from_millis(5)).expect_err("nothing is scored yet");
    assert!(!ticket.is_ready());
    batching.close();
    assert!(ticket.wait_timeout(NEVER).expect("an answer").is_ok());
}

/// Memory that breaks its promise: it gives another slice, or panics, when it is asked again.
struct Fickle {
    asked: AtomicUsize,
    values: Vec<f32>,
    panics: bool,
}

impl AsRef<[f32]> for Fickle {
    fn as_ref(&self) -> &[f32] {
        let first = self.asked.fetch_add(1, Ordering::SeqCst) == 0;
        assert!(first || !self.panics, "planned");
        if first { &self.values } else { &self.values[1..] }
    }
}

#[test]
fn memory_that_breaks_its_promise_is_an_error_and_the_workers_live_on() {
    let live = live(1, 16);
    let batching = BatchingScorer::builder(&live).workers(1).build().unwrap();
    let mut random = Random(9);
    for panics in [false, true] {
        let mut broken: OwnedRequest = request(&mut random, 2);
        let values = random.floats(2 * WIDTHS.continuous);
        let owner = Fickle { asked: AtomicUsize::new(0), values, panics };
        broken.candidate.continuous = OwnedFeatures::F32(Values::new(owner));
        let error = batching.score(Job::new(broken, WEIGHTS)).unwrap_err().to_string();
        assert!(error.contains(if panics { "panicked: planned" } else { "continuous" }), "{error}");
        assert!(batching.score(Job::new(request(&mut random, 2), WEIGHTS)).is_ok());
    }
    let low = Job::new(request(&mut random, 2), WEIGHTS).with_priority(Priority::Low);
    assert!(batching.score(low).is_ok());
    let stats = batching.stop();
    assert_eq!((stats.submitted, stats.failed, stats.answered), (5, 2, 3));
}
