//! Lanes by what they let in, with time that stands still but when all wait for it.

use tokio::task::JoinHandle;

use super::*;
use crate::service::config::{RushConfig, ServiceConfig};

fn lane(concurrent: usize, waiting: usize, max_wait_ms: u64) -> Arc<Lane> {
    Lane::new("test", limits(concurrent, waiting, max_wait_ms))
}

fn limits(concurrent: usize, waiting: usize, max_wait_ms: u64) -> LaneConfig {
    LaneConfig { concurrent, waiting, max_wait_ms, answer_within_ms: None, rush: None }
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[tokio::test(start_paused = true)]
async fn places_are_given_queued_for_and_refused_in_this_order() {
    let lane = lane(2, 1, 60_000);
    let first = lane.enter().await.expect("a place");
    let _second = lane.enter().await.expect("a place");
    assert_eq!(lane.working(), 2);
    let queued = tokio::spawn({
        let lane = Arc::clone(&lane);
        async move { lane.enter().await.map(drop) }
    });
    while lane.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    let asked = Instant::now();
    assert!(lane.enter().await.is_err(), "the queue of one is full");
    assert_eq!(asked.elapsed(), Duration::ZERO, "who finds it full does not wait");
    assert_eq!(lane.waiting(), 1, "who is sent away does not wait");
    drop(first);
    queued.await.expect("no panic").expect("the place that became free");
    assert_eq!((lane.waiting(), lane.working()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_limit() {
    let lane = lane(1, 10, 100);
    let _held = lane.enter().await.expect("a place");
    let before = Instant::now();
    assert!(lane.enter().await.is_err());
    assert_eq!(before.elapsed(), ms(100));
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_foretold_from_what_is_under_way() {
    let start = Instant::now();
    let work = Work { holds_for: ms(100), since: vec![start, start + ms(40)], ..Work::default() };
    let wait = |ahead, concurrent, at| work.expected_wait(ahead, concurrent, start + ms(at));
    assert_eq!(wait(0, 2, 50), ms(50), "the older one is half done");
    assert_eq!(wait(1, 2, 50), ms(90), "the younger one took its place at 40");
    assert_eq!(wait(2, 2, 50), ms(150), "the older one's successor");
    assert_eq!(wait(5, 2, 50), ms(290));
    assert_eq!(wait(0, 2, 130), ms(10), "the younger one is next, the older one is overdue for 30");
    assert_eq!(wait(1, 2, 130), ms(30));
    assert_eq!(wait(0, 2, 10_000), ms(9_860), "what hangs is not waited for");
    assert_eq!(wait(3, 4, 50), ms(90), "more places than are taken");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_be_too_long_is_not_begun() {
    let lane = lane(1, 1_000, 250);
    // One request takes 100 ms: the third in the queue would wait for 300.
    let first = lane.enter().await.expect("a place");
    tokio::time::sleep(ms(100)).await;
    drop(first);
    let _held = lane.enter().await.expect("a place");
    lane.work().waiting = 2;
    assert_eq!(lane.enter().await.err(), Some(Shed { retry_after: ms(300) }));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_an_answer_that_would_be_late() {
    let config = LaneConfig { answer_within_ms: Some(450), ..limits(2, 8, 250) };
    let longest = |holds_for, holds_after_wait| {
        let (holds_for, holds_after_wait) = (ms(holds_for), ms(holds_after_wait));
        let work = Work { holds_for, holds_after_wait, ..Work::default() };
        work.longest_wait(&config, Instant::now())
    };
    assert_eq!(longest(0, 0), ms(250), "nothing is known");
    assert_eq!(longest(60, 120), ms(250), "quick work: the wait's own limit");
    assert_eq!(longest(200, 300), ms(150));
    assert_eq!(longest(300, 500), ms(0), "slow work: who finds no place goes at once");
    assert_eq!(longest(100, 9_000), ms(250), "what was slow once is quick now");
    assert_eq!(longest(300, 0), ms(150), "nobody has waited yet");
}

#[tokio::test(start_paused = true)]
async fn a_burst_waits_longer_than_a_rush() {
    let rush = Some(RushConfig { after_ms: 50, max_wait_ms: 150, answer_within_ms: None });
    let lane = Lane::new("test", LaneConfig { rush, ..limits(1, 1_000, 1_050) });
    // Each takes 100 ms.
    let work_once = |lane: Arc<Lane>| async move {
        let place = lane.enter().await;
        let came_in = place.is_ok();
        if came_in {
            tokio::time::sleep(ms(100)).await;
        }
        came_in
    };
    assert!(work_once(Arc::clone(&lane)).await, "so that it is known how long one takes");
    let burst: Vec<_> = (0..20).map(|_| tokio::spawn(work_once(Arc::clone(&lane)))).collect();
    tokio::time::sleep(ms(1)).await;
    assert_eq!(lane.waiting(), 10, "one works, ten wait, the eleventh would wait for longer than a second");
    tokio::time::sleep(ms(500)).await;
    assert_eq!(lane.waiting(), 5);
    let shed = lane.enter().await.err().expect("would have been let in before the queue stood for so long");
    assert!(shed.retry_after >= ms(500) && shed.retry_after <= ms(700), "{shed:?}");
    let mut served = 0;
    for request in burst {
        served += usize::from(request.await.expect("no panic"));
    }
    assert_eq!(served, 11);
    // The queue has been empty: the next burst may wait again.
    let next: Vec<_> = (0..8).map(|_| tokio::spawn(work_once(Arc::clone(&lane)))).collect();
    for request in next {
        assert!(request.await.expect("no panic"));
    }
}

#[tokio::test(start_paused = true)]
async fn new_limits_hold_from_the_next_request_on() {
    let lane = lane(1, 0, 10);
    let _held = lane.enter().await.expect("a place");
    assert!(lane.enter().await.is_err());
    lane.set(limits(2, 0, 10));
    let _more = lane.enter().await.expect("a place of the new lane");
}

/// What came of one request: when it was sent, and its latency, or none when it was shed.
type Outcome = (Duration, Option<Duration>);

/// How a machine of known speed does the work of a place.
#[derive(Clone, Copy, Debug)]
enum Machine {
    /// Each place takes this long, whatever the others do.
    Places(Duration),
    /// One request after the other, this long each.
    OneByOne(Duration),
}

/// In (0, 1].
fn uniform(random: &mut u64) -> f64 {
    // xorshift64*, as its authors give it.
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    ((random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// How the gaps between requests are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gaps {
    Exponential,
    /// So many on average come at once, a geometric number.
    Bursts(f64),
}

impl Gaps {
    fn next(self, rate: f64, random: &mut u64) -> Duration {
        let (share, rate) = match self {
            Self::Exponential => (1.0, rate),
            Self::Bursts(size) => (1.0 / size, rate / size),
        };
        let is_burst = uniform(random) <= share;
        if is_burst { Duration::from_secs_f64(-uniform(random).ln() / rate) } else { Duration::ZERO }
    }
}

/// Requests at each of these rates for so long; the outcomes of each.
async fn drive(
    lane: &Arc<Lane>,
    machine: Machine,
    gaps: Gaps,
    steps: &[(f64, Duration)],
) -> Vec<Vec<Outcome>> {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut gap = |rate: f64| gaps.next(rate, &mut random);
    let one_by_one = Arc::new(tokio::sync::Mutex::new(()));
    let mut by_step = Vec::new();
    for &(rate, length) in steps {
        let start = Instant::now();
        let mut asked: Vec<JoinHandle<Outcome>> = Vec::new();
        let mut at = gap(rate);
        while at < length {
            tokio::time::sleep_until(start + at).await;
            let (lane, one_by_one) = (Arc::clone(lane), Arc::clone(&one_by_one));
            asked.push(tokio::spawn(async move {
                let sent = Instant::now();
                let Ok(_place) = lane.enter().await else { return (at, None) };
                match machine {
                    Machine::Places(time) => tokio::time::sleep(time).await,
                    Machine::OneByOne(time) => {
                        let _turn = one_by_one.lock().await;
                        tokio::time::sleep(time).await;
                    }
                }
                (at, Some(sent.elapsed()))
            }));
            at += gap(rate);
        }
        tokio::time::sleep_until(start + length).await;
        by_step.push(asked);
    }
    let mut outcomes = Vec::new();
    for step in by_step {
        let mut of_step = Vec::new();
        for asked in step {
            of_step.push(asked.await.expect("no panic"));
        }
        outcomes.push(of_step);
    }
    outcomes
}

fn p99(outcomes: &[Outcome]) -> Duration {
    let mut latencies: Vec<Duration> = outcomes.iter().filter_map(|(_, latency)| *latency).collect();
    latencies.sort_unstable();
    latencies[(latencies.len() * 99).div_ceil(100) - 1]
}

fn answered(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|(_, latency)| latency.is_some()).count()
}

#[tokio::test(start_paused = true)]
async fn twice_the_capacity_is_shed_and_forgotten_within_a_second() {
    let config = ServiceConfig::default();
    let ranked = || Lane::new("test", LaneConfig { concurrent: 2, ..config.ranked });
    let chronological = Lane::new("test", LaneConfig { concurrent: 4, ..config.chronological });
    // For You on two cores, one scored after the other, at several speeds; places that work side by side; Following.
    let cases = [
        (Machine::OneByOne(ms(42)), ranked(), 24.0, 450),
        (Machine::OneByOne(ms(100)), ranked(), 10.0, 450),
        (Machine::OneByOne(ms(180)), ranked(), 5.5, 500),
        (Machine::Places(ms(200)), lane(2, 8, 250), 10.0, 450),
        (Machine::Places(ms(4)), chronological, 1_000.0, 30),
    ];
    for (machine, lane, capacity, bound) in cases {
        let minute = Duration::from_secs(60);
        let steps = [(capacity, minute), (2.0 * capacity, minute), (0.5 * capacity, minute)];
        let outcomes = drive(&lane, machine, Gaps::Exponential, &steps).await;
        let [at, twice, after] = &outcomes[..] else { panic!("three steps") };
        let (p99_at, p99_twice) = (p99(at), p99(twice));
        let done = answered(twice) as f64 / (capacity * minute.as_secs_f64());
        let case =
            format!("{machine:?}: p99 {p99_at:?} at capacity, {p99_twice:?} at twice of it, {done} done");
        assert!(p99_twice <= 2 * p99_at, "{case}");
        // A tenth for what was foretold wrongly.
        assert!(p99_at.max(p99_twice) <= ms(bound) + ms(bound) / 10, "{case}");
        // It goes on working at its full speed: nothing is begun and given up.
        assert!((0.9..=1.1).contains(&done), "{case}");
        let first_second = after.iter().filter(|(at, _)| *at <= Duration::from_secs(1)).count();
        let later = &after[first_second..];
        assert!(p99(later) <= p99_at, "{case}: {:?} a second after the rush and later", p99(later));
        let share = 1.0 - answered(later) as f64 / later.len() as f64;
        assert!(share <= 0.1, "{case}: half of the capacity is served, but for {share}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_asked_rates_little_or_nothing_is_shed() {
    let config = ServiceConfig::default();
    let hour = Duration::from_secs(3600);
    // For You on two cores in bf16 and in f32, and Following where four places do 1,400 a second.
    let ranked = LaneConfig { concurrent: 2, ..config.ranked };
    let chronological = LaneConfig { concurrent: 4, ..config.chronological };
    let (bf16, f32) = (Machine::OneByOne(ms(42)), Machine::OneByOne(ms(180)));
    let following = Machine::Places(Duration::from_micros(2_857));
    let (minute, bursts) = (ms(60_000), Gaps::Bursts(8.0));
    let cases = [
        (following, chronological, Gaps::Exponential, 1_000.0, minute, 0.0, 20),
        (following, chronological, bursts, 1_000.0, minute, 0.05, 100),
        (bf16, ranked, Gaps::Exponential, 10.0, hour, 0.0, 250),
        // A burst that comes while an earlier one is under way meets the limits of a rush.
        (bf16, ranked, bursts, 10.0, hour, 0.25, 1_550),
        (f32, ranked, Gaps::Exponential, 2.0, hour, 0.04, 500),
    ];
    for (machine, config, gaps, rate, length, most_shed, bound) in cases {
        let lane = Lane::new("test", config);
        let outcomes = drive(&lane, machine, gaps, &[(rate, length)]).await.remove(0);
        let shed = 1.0 - answered(&outcomes) as f64 / outcomes.len() as f64;
        let case = format!("{machine:?} {gaps:?} {rate}/s: {shed} shed, p99 {:?}", p99(&outcomes));
        assert!(shed <= most_shed, "{case}");
        assert!(p99(&outcomes) <= ms(bound), "{case}");
    }
}
