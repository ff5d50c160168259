//! Where the time goes: per answer, and summed up for export.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The way of one job, stage by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From `submit` until a worker took the job.
    pub queue: Duration,
    /// Making one batch of the jobs that were taken.
    pub pack: Duration,
    /// Moving features to the device and scores back, as far as the backend tells it apart; the CPU moves nothing.
    pub copy: Duration,
    /// The rest of the scorer's call: waiting for a place included.
    pub compute: Duration,
    /// From the scorer's return until the answer was there for its caller.
    pub deliver: Duration,
}

impl StageTimes {
    /// Names and times, in the order of the stages.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Duration); 5] {
        [
            ("queue", self.queue),
            ("pack", self.pack),
            ("copy", self.copy),
            ("compute", self.compute),
            ("return", self.deliver),
        ]
    }

    /// All stages together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.named().iter().map(|(_, time)| *time).sum()
    }
}

/// How often a stage took how long: bucket `i` counts times below `2^i` µs that no bucket before counts; the last one
/// takes the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageSummary {
    /// `queue`, `pack`, `copy`, `compute` or `return`.
    pub stage: &'static str,
    /// Answers that went through it.
    pub count: u64,
    /// All their times together.
    pub sum: Duration,
    /// The longest.
    pub max: Duration,
    /// Counts by length.
    pub buckets: [u64; StageSummary::BUCKETS],
}

impl StageSummary {
    /// Number of buckets: the last but one ends at 2^22 µs, about four seconds.
    pub const BUCKETS: usize = 24;

    /// The upper end of a bucket; none for the last.
    #[must_use]
    pub fn upper(bucket: usize) -> Option<Duration> {
        (bucket + 1 < Self::BUCKETS).then(|| Duration::from_micros(1 << bucket))
    }
}

/// What became of all jobs so far. `submitted` equals the sum of the outcomes and of what is still under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Jobs that were accepted.
    pub submitted: u64,
    /// Jobs that were refused because the queue was full.
    pub refused: u64,
    /// Jobs that were scored and whose caller was there to get the answer.
    pub answered: u64,
    /// Jobs that ended with an error of the scorer or of a shutdown.
    pub failed: u64,
    /// Jobs whose deadline passed in the queue.
    pub expired: u64,
    /// Jobs whose caller went away, before or after they were scored.
    pub cancelled: u64,
    /// Calls of the scorer.
    pub batches: u64,
    /// Candidates of these calls.
    pub candidates: u64,
    /// Jobs in the queue now.
    pub queued: usize,
    /// The stages of answered jobs.
    pub stages: [StageSummary; 5],
}

#[derive(Default)]
struct StageCounter {
    count: AtomicU64,
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
    buckets: [AtomicU64; StageSummary::BUCKETS],
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    Failed,
    Expired,
    Cancelled,
}

/// Counters that any thread adds to.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) submitted: AtomicU64,
    pub(super) refused: AtomicU64,
    outcomes: [AtomicU64; 4],
    pub(super) batches: AtomicU64,
    pub(super) candidates: AtomicU64,
    stages: [StageCounter; 5],
}

impl Counters {
    pub(super) fn outcome(&self, outcome: Outcome) {
        add(&self.outcomes[outcome as usize], 1);
    }

    pub(super) fn times(&self, times: &StageTimes) {
        for (counter, (_, time)) in self.stages.iter().zip(times.named()) {
            let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            add(&counter.count, 1);
            add(&counter.sum_ns, ns);
            counter.max_ns.fetch_max(ns, Ordering::Relaxed);
            let bucket = (u64::BITS - (ns / 1000).leading_zeros()) as usize;
            add(&counter.buckets[bucket.min(StageSummary::BUCKETS - 1)], 1);
        }
    }

    pub(super) fn snapshot(&self, queued: usize) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [answered, failed, expired, cancelled] = self.outcomes.each_ref().map(get);
        let names = StageTimes::default().named();
        let stages = std::array::from_fn(|i| {
            let stage = &self.stages[i];
            StageSummary {
                stage: names[i].0,
                count: get(&stage.count),
                sum: Duration::from_nanos(get(&stage.sum_ns)),
                max: Duration::from_nanos(get(&stage.max_ns)),
                buckets: stage.buckets.each_ref().map(get),
            }
        });
        Stats {
            submitted: get(&self.submitted),
            refused: get(&self.refused),
            answered,
            failed,
            expired,
            cancelled,
            batches: get(&self.batches),
            candidates: get(&self.candidates),
            queued,
            stages,
        }
    }
}

pub(super) fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_in_the_bucket_that_it_is_below() {
        for (us, bucket) in
            [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (1 << 21, 22), (1 << 22, 23), (1 << 40, 23)]
        {
            let counters = Counters::default();
            counters.times(&StageTimes { queue: Duration::from_micros(us), ..StageTimes::default() });
            let summary = counters.snapshot(0).stages[0];
            let found = summary.buckets.iter().position(|&count| count == 1);
            assert_eq!(found, Some(bucket), "{us} µs");
            let below = StageSummary::upper(bucket).is_none_or(|upper| Duration::from_micros(us) < upper);
            let above = bucket == 0
                || StageSummary::upper(bucket - 1).is_some_and(|lower| Duration::from_micros(us) >= lower);
            assert!(below && above, "{us} µs in bucket {bucket}");
            assert_eq!((summary.stage, summary.count, summary.sum), ("queue", 1, Duration::from_micros(us)));
        }
    }
}
