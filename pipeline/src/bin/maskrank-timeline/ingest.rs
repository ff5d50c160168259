//! Engagements that are recorded at a rate while requests are answered.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use maskrank_pipeline::domain::{Engagement, EngagementKind, PostId, UserId};

use crate::bench::seconds_of_threads;
use crate::bench_parts::thread_seconds;
use crate::random::Random;
use crate::setup::Timeline;

/// Engagements of one write.
const GROUP: u64 = 1_000;

/// Records engagements of random users with the newest post of random authors, on a thread of its own, until it is
/// stopped.
pub(crate) struct Ingest {
    is_over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Outcome>,
    journal_before: Option<f64>,
}

/// What was recorded.
#[derive(Default)]
pub(crate) struct Outcome {
    engagements: u64,
    took: Duration,
    /// Processor time of the thread that recorded, within its calls.
    calls: Option<f64>,
    /// Processor time of the journal's thread.
    journal: Option<f64>,
}

impl Ingest {
    pub(crate) fn start(timeline: &Arc<Timeline>, rate: u64, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (timeline, over) = (Arc::clone(timeline), Arc::clone(&is_over));
        let users = timeline.world.embedded.sizes().0.max(1) as u64;
        let mut targets = Vec::new();
        for author in (1..=users).map(UserId) {
            timeline.world.stores.posts.visit_by_author(author, &mut |post, _| {
                targets.push((post.original_id(), post.original_author()));
                std::ops::ControlFlow::Break(())
            });
        }
        let journal_before = journal_seconds();
        let thread = std::thread::spawn(move || record(&timeline, &targets, users, rate, seed, &over));
        Self { is_over, thread, journal_before }
    }

    /// Stops, and says what was recorded.
    pub(crate) fn stop(self) -> Outcome {
        self.is_over.store(true, Ordering::Relaxed);
        let outcome = self.thread.join().unwrap_or_default();
        let journal = journal_seconds().zip(self.journal_before).map(|(after, before)| after - before);
        Outcome { journal, ..outcome }
    }
}

fn journal_seconds() -> Option<f64> {
    seconds_of_threads(|name| name == "journal")
}

fn record(
    timeline: &Timeline,
    targets: &[(PostId, UserId)],
    users: u64,
    rate: u64,
    seed: u64,
    is_over: &AtomicBool,
) -> Outcome {
    let mut random = Random(seed ^ 0x1357);
    let (started, mut outcome) = (Instant::now(), Outcome { calls: Some(0.0), ..Outcome::default() });
    while !is_over.load(Ordering::Relaxed) && !targets.is_empty() {
        let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
        if due < outcome.engagements {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let now = timeline.world.clock.now();
        let mut engagement = || {
            let (post, author) = targets[(random.next() % targets.len() as u64) as usize];
            let kind = EngagementKind::ALL[(random.next() % EngagementKind::ALL.len() as u64) as usize];
            Engagement { user: UserId(1 + random.next() % users), post, author, kind, at: now }
        };
        let group: Vec<Engagement> = (0..GROUP).map(|_| engagement()).collect();
        let before = thread_seconds();
        if timeline.world.stores.engagements.record(&group).is_err() {
            break;
        }
        let spent = thread_seconds().zip(before).map(|(after, before)| after - before);
        outcome.calls = outcome.calls.zip(spent).map(|(sum, spent)| sum + spent);
        outcome.engagements += GROUP;
    }
    outcome.took = started.elapsed();
    outcome
}

impl Outcome {
    pub(crate) fn print(&self, out: &mut impl Write, rate: u64) -> std::io::Result<()> {
        let got = self.engagements as f64 / self.took.as_secs_f64();
        writeln!(out, "\nwhile recording: {got:.0} engagements a second of {rate} wanted")?;
        if let Some((calls, journal)) = self.calls.zip(self.journal) {
            let [calls, journal] =
                [calls, journal].map(|seconds| seconds * 1e6 / self.engagements.max(1) as f64);
            writeln!(
                out,
                "{:.2} us of processor time an engagement: {calls:.2} of the caller, {journal:.2} of the journal",
                calls + journal
            )?;
        }
        Ok(())
    }
}
