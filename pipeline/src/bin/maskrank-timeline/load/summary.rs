//! What came of a step.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::Step;
use super::client::Reply;

/// One request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// When it was to be sent, from the step's start.
    pub(super) planned: Duration,
    /// How much later it was sent: the driver's own lag, which counts as latency.
    pub(super) sent_late: Duration,
    /// From the planned moment to the end of the answer.
    pub(super) latency: Duration,
    /// How it ended.
    pub(super) reply: Reply,
}

/// What came of one step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    step: Step,
    sent: usize,
    answered: usize,
    shed: usize,
    failed: usize,
    /// Latencies of what was answered: p50, p99, p99.9 and the longest; none when nothing was.
    latencies: [Option<Duration>; 4],
    /// The driver's longest lag.
    lag: Option<Duration>,
    /// After a step at a higher rate: from this step's start to the last request that was sent away or answered later
    /// than the p99 of the step before that one, within the step's first ten seconds. Later ones are this step's own.
    recovered_after: Option<Duration>,
}

/// How long after a rush what goes wrong is looked for.
const AFTERMATH: Duration = Duration::from_secs(10);

impl Summary {
    /// Sums up a step that came after `earlier` ones.
    pub(super) fn of(step: Step, samples: &[Sample], earlier: &[Self]) -> Self {
        let count = |reply| samples.iter().filter(|sample| sample.reply == reply).count();
        let answered = samples.iter().filter(|sample| sample.reply == Reply::Answered);
        let mut latencies: Vec<Duration> = answered.map(|sample| sample.latency).collect();
        latencies.sort_unstable();
        let recovered_after = match earlier {
            [.., usual, rush] if rush.step.rate > step.rate.max(usual.step.rate) => {
                let bound = usual.latencies[1].unwrap_or(Duration::MAX);
                let is_wrong = |sample: &&Sample| sample.reply != Reply::Answered || sample.latency > bound;
                let aftermath = samples.iter().filter(|sample| sample.planned <= AFTERMATH);
                Some(aftermath.filter(is_wrong).map(|sample| sample.planned).max().unwrap_or_default())
            }
            _ => None,
        };
        Self {
            step,
            sent: samples.len(),
            answered: latencies.len(),
            shed: count(Reply::Shed),
            failed: count(Reply::Failed),
            latencies: [0.5, 0.99, 0.999, 1.0].map(|share| quantile(&latencies, share)),
            lag: samples.iter().map(|sample| sample.sent_late).max(),
            recovered_after,
        }
    }

    fn cells(&self) -> [String; 12] {
        let [p50, p99, p999, max] = self.latencies.map(milliseconds);
        let recovered = self.recovered_after.map_or("-".to_owned(), |at| format!("{:.2}", at.as_secs_f64()));
        [
            format!("{:.1}", self.step.rate),
            format!("{:.1}", self.answered as f64 / self.step.seconds),
            self.sent.to_string(),
            self.answered.to_string(),
            p50,
            p99,
            p999,
            max,
            self.shed.to_string(),
            self.failed.to_string(),
            recovered,
            milliseconds(self.lag),
        ]
    }
}

/// Names of a line's cells: for people, and in files.
const COLUMNS: [(&str, &str); 12] = [
    ("rate/s", "rate_per_s"),
    ("done/s", "answered_per_s"),
    ("sent", "sent"),
    ("answered", "answered"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("p99.9 ms", "p999_ms"),
    ("max ms", "max_ms"),
    ("shed", "shed"),
    ("failed", "failed"),
    ("recov. s", "recovered_after_s"),
    ("lag ms", "driver_lag_ms"),
];

fn aligned(cells: impl Iterator<Item = impl AsRef<str>>) -> String {
    cells.map(|cell| format!("{:>9}", cell.as_ref())).collect::<Vec<_>>().join(" ")
}

pub(super) fn head(out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{}", aligned(COLUMNS.iter().map(|(name, _)| name)))
}

pub(super) fn line(out: &mut impl Write, summary: &Summary) -> std::io::Result<()> {
    writeln!(out, "{}", aligned(summary.cells().iter()))
}

/// Appends lines to a file, which gets a first line with the columns' names when it is new.
pub(super) fn append(path: &Path, labels: &[(&str, String)], summaries: &[Summary]) -> std::io::Result<()> {
    let is_new = !path.exists();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let joined = |cells: Vec<&str>| cells.join(",");
    if is_new {
        let names = labels.iter().map(|(name, _)| *name).chain(COLUMNS.iter().map(|(_, name)| *name));
        writeln!(file, "{}", joined(names.collect()))?;
    }
    for summary in summaries {
        let cells = summary.cells();
        let cells = labels.iter().map(|(_, value)| value.as_str()).chain(cells.iter().map(String::as_str));
        writeln!(file, "{}", joined(cells.collect()))?;
    }
    Ok(())
}

/// The smallest latency that is not exceeded by this share of all.
fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map_or("-".to_owned(), |time| format!("{:.2}", time.as_secs_f64() * 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let sorted: Vec<_> = (1..=1000).map(Duration::from_millis).collect();
        for (share, expected) in [(0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000)] {
            assert_eq!(quantile(&sorted, share), Some(Duration::from_millis(expected)));
        }
        assert_eq!(quantile(&sorted[..1], 0.99), Some(Duration::from_millis(1)));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn recovery_counts_from_the_end_of_a_rush_to_the_last_that_suffered() {
        let sample = |planned, latency, reply| Sample {
            planned: Duration::from_millis(planned),
            latency: Duration::from_millis(latency),
            reply,
            ..Sample::default()
        };
        let step = |rate| Step { rate, seconds: 30.0 };
        let fine = [sample(0, 10, Reply::Answered), sample(500, 12, Reply::Answered)];
        let usual = Summary::of(step(4.0), &fine, &[]);
        assert_eq!((usual.recovered_after, usual.answered), (None, 2));
        let rush = Summary::of(step(8.0), &[sample(0, 1, Reply::Shed)], std::slice::from_ref(&usual));
        assert_eq!((rush.recovered_after, rush.shed, rush.latencies[0]), (None, 1, None));
        let after = [
            sample(100, 30, Reply::Answered),
            sample(400, 1, Reply::Shed),
            sample(700, 12, Reply::Answered),
            sample(20_000, 90, Reply::Answered),
        ];
        let earlier = [usual, rush];
        let recovered = Summary::of(step(4.0), &after, &earlier).recovered_after;
        assert_eq!(recovered, Some(Duration::from_millis(400)));
        assert_eq!(Summary::of(step(4.0), &fine, &earlier).recovered_after, Some(Duration::ZERO));
    }
}
