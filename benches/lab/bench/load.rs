//! Latency under load: requests arrive when they arrive, not when the scorer is free.
//!
//! An open loop: arrival times are drawn beforehand (Poisson, or bursts of four on average), and a latency runs from
//! the *intended* arrival to the answer. So a scorer that falls behind is charged for the queue that it makes
//! (coordinated omission). Requests have 100 to 1,500 candidates. `load_direct` calls the scorer from each request's
//! own thread; `load_batching` goes through a `BatchingScorer`.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use maskrank::batching::{Job, OwnedRequest};
use maskrank::weights::seeded::Stream;
use maskrank::{Backend, Batch, BatchingScorer, LiveScorer, Precision, ScoreOptions, Scorer, Scores, Split};
use maskrank_rows::{Summary, statistics};

use super::groups::{self, Planned};
use super::subject::{CANDIDATES, Inputs};
use super::{Session, Target};

const SMALLEST: usize = 100;
/// Different requests that arrive in turn.
const POOL: usize = 32;
/// Threads that wait for answers: more than a batch ever merges.
const CLIENTS: usize = 48;
const BURST: f64 = 4.0;
/// Samples from which on a p99.9 says something.
const ENOUGH: usize = 1_000;
/// Seconds of one point: at least, and where nobody asks for less.
const SHORTEST: f64 = 15.0;
pub(crate) const LONGEST: f64 = 140.0;

#[derive(Clone, Copy, Debug)]
enum Arrivals {
    Poisson,
    Bursts,
}

/// One point of one curve.
#[derive(Clone, Debug)]
struct Point {
    id: String,
    is_batching: bool,
    arrivals: Arrivals,
    /// Share of the capacity that is offered.
    utilisation: f64,
}

fn points(session: &Session, target: &Target) -> Vec<Point> {
    // Of a backend's slower precisions one rate says enough.
    let one = session.arguments.quick || !groups::is_quickest(session, target);
    let shares: &[f64] = if one { &[0.6] } else { &[0.3, 0.6, 0.8] };
    let mut points = Vec::new();
    for is_batching in [false, true] {
        for (name, arrivals) in [("poisson", Arrivals::Poisson), ("bursts", Arrivals::Bursts)] {
            for &utilisation in shares {
                let op = if is_batching { "load_batching" } else { "load_direct" };
                let shape = format!("{name}_u{:.0}_t{}", 100.0 * utilisation, session.threads);
                let id = format!("{op}/{}/{shape}", target.name());
                points.push(Point { id, is_batching, arrivals, utilisation });
            }
        }
    }
    points.retain(|point| session.arguments.wants(&point.id));
    points
}

/// Seconds of one point where so many requests arrive a second: enough of them for a p99.9, if the run has as much time.
/// Low rates, whose tails are short, and slower precisions have less of it.
fn length(session: &Session, target: &Target, point: &Point, requests_per_second: f64) -> f64 {
    if session.arguments.quick {
        return 5.0;
    }
    let part = if groups::is_quickest(session, target) { 1.0 } else { 0.5 };
    let longest = session.longest_load * part * (point.utilisation / 0.6).min(1.0);
    // A few more are drawn than are needed.
    (1.1 * ENOUGH as f64 / requests_per_second).min(longest).max(SHORTEST)
}

/// The longest that points may be so that all of them together take no more than `seconds`.
pub(crate) fn longest(session: &mut Session, all: &[Target], seconds: f64) -> f64 {
    for longest in (SHORTEST as usize..LONGEST as usize).rev().step_by(5) {
        session.longest_load = longest as f64;
        if plan(session, all).iter().map(|row| row.seconds).sum::<f64>() <= seconds {
            return session.longest_load;
        }
    }
    SHORTEST
}

/// The best precision of each backend that is quick enough, and the CPU's f32 in a full run.
fn targets(session: &Session, all: &[Target]) -> Vec<Target> {
    let is_quick_enough =
        |t: &&Target| t.backend == Backend::Cpu || groups::guess(session, t, CANDIDATES) < 1.0;
    let has_bf16 = |backend| all.iter().any(|t| t.backend == backend && t.precision == Precision::Bf16);
    let is_best =
        |t: &Target| (t.precision == Precision::Bf16) == has_bf16(t.backend) && t.precision != Precision::F16;
    let is_full_f32 =
        |t: &Target| !session.arguments.quick && t.backend == Backend::Cpu && t.precision == Precision::F32;
    all.iter().filter(is_quick_enough).filter(|t| is_best(t) || is_full_f32(t)).copied().collect()
}

/// Backends that are here and get no load: with the reason.
pub(crate) fn left_out(session: &Session, all: &[Target]) -> Vec<String> {
    let served = targets(session, all);
    let slow =
        all.iter().filter(|t| t.precision == Precision::F32 && served.iter().all(|s| s.backend != t.backend));
    let reason = |target: &Target| {
        format!("load on {}: one request of {CANDIDATES} takes more than a second there", target.backend)
    };
    slow.map(reason).collect()
}

pub(crate) fn plan(session: &Session, all: &[Target]) -> Vec<Planned> {
    let mut planned = Vec::new();
    for target in &targets(session, all) {
        let call = groups::guess(session, target, (SMALLEST + CANDIDATES) / 2);
        // The capacity is found out once, by half of the pool's requests.
        let mut first = call * POOL as f64 / 2.0 + groups::guess_check(session, target);
        for point in points(session, target) {
            // Queues are emptied at the end.
            let seconds = length(session, target, &point, point.utilisation / call)
                + 4.0 * call
                + std::mem::take(&mut first);
            planned.push(Planned::new(point.id, seconds));
        }
    }
    planned
}

pub(crate) fn run(session: &mut Session, all: &[Target]) -> Result<(), String> {
    for target in targets(session, all) {
        let points = points(session, &target);
        if points.is_empty() {
            continue;
        }
        let (scorer, quality) = match groups::checked(session, &target, &Split::default()) {
            Ok(checked) => checked,
            Err(reason) => {
                session.refuse(reason);
                continue;
            }
        };
        let device = scorer.device().clone();
        let live = Arc::new(LiveScorer::new(scorer).map_err(|error| error.to_string())?);
        let requests = requests(&session.inputs);
        let weights: Arc<[f32]> = session.weights().into();
        let capacity = capacity(live.current().scorer(), &requests, &weights)?;
        for point in points {
            let rate = point.utilisation * capacity / mean_size(&requests);
            let length = length(session, &target, &point, rate);
            let arrivals = arrivals(&point, rate, &requests, length);
            let answered = if point.is_batching {
                let batching = BatchingScorer::builder(&live).build().map_err(|error| error.to_string())?;
                drive(&arrivals, |request| {
                    let job = Job::new(requests[request].clone(), Arc::clone(&weights));
                    batching.score(job).map(drop).map_err(|error| error.to_string())
                })?
            } else {
                drive(&arrivals, |request| {
                    let mut scores = Scores::default();
                    let batch = [requests[request].view()];
                    live.current()
                        .scorer()
                        .score(Batch { requests: &batch }, &ScoreOptions::new(&weights), &mut scores)
                        .map_err(|error| error.to_string())
                })?
            };
            let mut row = session.row(&point.id, &device).timed(&Summary::of(&answered.latencies, 0.0));
            row.kind = "load".to_owned();
            let at = |share| statistics::quantile(&answered.latencies, share) * 1e6;
            row.p99_us = Some(at(0.99));
            row.p999_us = (answered.latencies.len() >= ENOUGH).then(|| at(0.999));
            let candidates: usize = arrivals.iter().map(|a| requests[a.request].candidates).sum();
            row.candidates_per_s = Some(candidates as f64 / answered.seconds);
            row.note = format!(
                "{:.1} requests/s offered, {:.0} % of {capacity:.0} candidates/s one after another",
                arrivals.len() as f64 / length,
                100.0 * point.utilisation,
            );
            session.push(quality.fill(row))?;
        }
    }
    Ok(())
}

/// Requests of 100 to 1,500 candidates, evenly spread, in a random order.
fn requests(inputs: &Inputs) -> Vec<OwnedRequest> {
    let stream = Stream::new(11, "request sizes");
    (0..POOL as u64)
        .map(|index| {
            let candidates =
                SMALLEST + (f64::from(stream.unit(index)) * (CANDIDATES - SMALLEST + 1) as f64) as usize;
            OwnedRequest::copy_of(&inputs.request(0, candidates, &Split::default()))
        })
        .collect()
}

/// Candidates a second when the pool's requests are scored one after another.
fn capacity(scorer: &Scorer, requests: &[OwnedRequest], weights: &[f32]) -> Result<f64, String> {
    let mut scores = Scores::default();
    let mut best = 0.0f64;
    for _ in 0..2 {
        let clock = Instant::now();
        let mut candidates = 0;
        for request in &requests[..POOL / 4] {
            let batch = [request.view()];
            scorer
                .score(Batch { requests: &batch }, &ScoreOptions::new(weights), &mut scores)
                .map_err(|error| error.to_string())?;
            candidates += request.candidates;
        }
        best = best.max(candidates as f64 / clock.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// When which request arrives, seconds from the start.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: f64,
    request: usize,
}

/// Candidates of a request of the pool, on average.
fn mean_size(requests: &[OwnedRequest]) -> f64 {
    requests.iter().map(|r| r.candidates).sum::<usize>() as f64 / requests.len() as f64
}

/// Of `rate` requests a second.
fn arrivals(point: &Point, rate: f64, requests: &[OwnedRequest], seconds: f64) -> Vec<Arrival> {
    let (gaps, bursts) = (Stream::new(12, &point.id), Stream::new(13, &point.id));
    // An exponential gap; 1 − u is never 0.
    let gap = |index: u64, rate: f64| -f64::from(1.0 - gaps.unit(index)).ln() / rate;
    let (mut at, mut arrivals, mut index) = (0.0, Vec::new(), 0u64);
    loop {
        let size = match point.arrivals {
            Arrivals::Poisson => 1,
            // Geometric with mean BURST.
            Arrivals::Bursts => {
                let u = f64::from(1.0 - bursts.unit(index));
                1 + (u.ln() / (1.0 - 1.0 / BURST).ln()) as usize
            }
        };
        at += match point.arrivals {
            Arrivals::Poisson => gap(index, rate),
            Arrivals::Bursts => gap(index, rate / BURST),
        };
        if at >= seconds && !arrivals.is_empty() {
            return arrivals;
        }
        index += 1;
        arrivals
            .extend((0..size).map(|k| Arrival { at, request: (index as usize * 7 + k) % requests.len() }));
    }
}

struct Answered {
    /// Seconds from the intended arrival to the answer.
    latencies: Vec<f64>,
    /// From the first arrival to the last answer.
    seconds: f64,
}

/// Lets every arrival happen at its time, whatever became of those before.
fn drive(
    arrivals: &[Arrival],
    serve: impl Fn(usize) -> Result<(), String> + Sync,
) -> Result<Answered, String> {
    let (send, receive) = mpsc::channel::<(Instant, usize)>();
    let receive = Mutex::new(receive);
    let results = Mutex::new((Vec::with_capacity(arrivals.len()), None));
    let start = Instant::now() + Duration::from_millis(20);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let next = receive.lock().map_or(Err(mpsc::RecvError), |queue| queue.recv());
                    let Ok((due, request)) = next else { return };
                    let answer = serve(request);
                    let latency = due.elapsed().as_secs_f64();
                    if let Ok(mut results) = results.lock() {
                        match answer {
                            Ok(()) => results.0.push(latency),
                            Err(error) => results.1 = Some(error),
                        }
                    }
                }
            });
        }
        for arrival in arrivals {
            let due = start + Duration::from_secs_f64(arrival.at);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if send.send((due, arrival.request)).is_err() {
                break;
            }
        }
        drop(send);
    });
    let seconds = start.elapsed().as_secs_f64();
    let (latencies, error) = results.into_inner().map_err(|_| "a client panicked".to_owned())?;
    match error {
        Some(error) => Err(error),
        None if latencies.is_empty() => Err("nothing was answered".to_owned()),
        None => Ok(Answered { latencies, seconds }),
    }
}

#[cfg(test)]
#[allow(dead_code, reason = "a bench without a harness runs no tests; tests/bench_refuses.rs runs these")]
mod tests {
    use super::*;

    fn point(arrivals: Arrivals) -> Point {
        Point { id: "test".into(), is_batching: false, arrivals, utilisation: 0.5 }
    }

    fn pool() -> Vec<OwnedRequest> {
        (0..4).map(|_| OwnedRequest { candidates: 100, ..OwnedRequest::default() }).collect()
    }

    #[test]
    fn as_many_arrive_as_are_offered() {
        for kind in [Arrivals::Poisson, Arrivals::Bursts] {
            let arrivals = arrivals(&point(kind), 100.0, &pool(), 100.0);
            let expected = 10_000.0;
            let found = arrivals.len() as f64;
            // Four standard deviations: √10⁴ for Poisson; a burst's variance is about twice its mean squared.
            let deviation =
                if matches!(kind, Arrivals::Poisson) { 100.0 } else { 100.0 * (2.0 * BURST).sqrt() };
            assert!((found - expected).abs() <= 4.0 * deviation, "{kind:?}: {found} arrivals");
            assert!(arrivals.is_sorted_by(|a, b| a.at <= b.at));
        }
    }

    #[test]
    fn a_slow_answer_is_charged_to_those_that_wait_behind_it() {
        let arrivals: Vec<Arrival> =
            (0..4).map(|i| Arrival { at: f64::from(i) * 0.001, request: 0 }).collect();
        let one_at_a_time = Mutex::new(());
        let answered = drive(&arrivals, |_| {
            let _turn = one_at_a_time.lock();
            std::thread::sleep(Duration::from_millis(20));
            Ok(())
        })
        .unwrap();
        let longest = statistics::quantile(&answered.latencies, 1.0);
        // The fourth arrives 3 ms after the first and is answered after four times 20 ms, at the earliest.
        assert!(longest >= 0.077, "{longest}");
    }
}
