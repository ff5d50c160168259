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
    /// Whole, or without what a component that failed would have given; never a fallback.
    answered: usize,
    partial: usize,
    fallback: usize,
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
        let is_served = |reply: Reply| matches!(reply, Reply::Answered | Reply::Partial);
        let answered = samples.iter().filter(|sample| is_served(sample.reply));
        let mut latencies: Vec<Duration> = answered.map(|sample| sample.latency).collect();
        latencies.sort_unstable();
        let recovered_after = match earlier {
            [.., usual, rush] if rush.step.rate > step.rate.max(usual.step.rate) => {
                let bound = usual.latencies[1].unwrap_or(Duration::MAX);
                let is_wrong = |sample: &&Sample| !is_served(sample.reply) || sample.latency > bound;
                let aftermath = samples.iter().filter(|sample| sample.planned <= AFTERMATH);
                Some(aftermath.filter(is_wrong).map(|sample| sample.planned).max().unwrap_or_default())
            }
            _ => None,
        };
        Self {
            step,
            sent: samples.len(),
            answered: latencies.len(),
            partial: count(Reply::Partial),
            fallback: count(Reply::Fallback),
            shed: count(Reply::Shed),
            failed: count(Reply::Failed),
            latencies: [0.5, 0.99, 0.999, 1.0].map(|share| quantile(&latencies, share)),
            lag: samples.iter().map(|sample| sample.sent_late).max(),
            recovered_after,
        }
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
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
            self.partial.to_string(),
            self.fallback.to_string(),
        ]
    }
}

/// Names of a line's cells: for people, and in files.
const COLUMNS: [(&str, &str); 14] = [
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
    ("partial", "partial"),
    ("fallback", "fallback"),
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

/// Appends lines to a file, which gets a first line with the columns' names when it is new, and must have that line when
/// it is not.
pub(super) fn append(path: &Path, labels: &[(&str, String)], summaries: &[Summary]) -> std::io::Result<()> {
    let joined = |cells: Vec<&str>| cells.join(",");
    let names = labels.iter().map(|(name, _)| *name).chain(COLUMNS.iter().map(|(_, name)| *name));
    let names = joined(names.collect());
    let known = if path.exists() { std::fs::read_to_string(path)? } else { String::new() };
    if known.lines().next().is_some_and(|first| first != names) {
        return Err(std::io::Error::other(format!("{} has other columns than {names}", path.display())));
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    if known.is_empty() {
        writeln!(file, "{names}")?;
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
    fn a_fallback_is_not_served_and_a_partial_answer_is() {
        let ms = Duration::from_millis;
        let sample = |latency, reply| Sample { latency: ms(latency), reply, ..Sample::default() };
        let samples = [sample(10, Reply::Answered), sample(20, Reply::Partial), sample(1, Reply::Fallback)];
        let summary = Summary::of(Step { rate: 3.0, seconds: 1.0 }, &samples, &[]);
        assert_eq!((summary.answered, summary.partial, summary.fallback), (2, 1, 1));
        assert_eq!((summary.sent, summary.failed, summary.latencies[0]), (3, 0, Some(ms(10))));
    }

    #[test]
    fn lines_are_not_appended_to_another_table() {
        let folder = tempfile::tempdir().expect("a folder");
        let (new, other) = (folder.path().join("new.csv"), folder.path().join("other.csv"));
        std::fs::write(&other, "label,rate_per_s\n").expect("writes");
        let summary = Summary::of(Step { rate: 3.0, seconds: 1.0 }, &[], &[]);
        let labels = [("label", "a".to_owned())];
        assert!(append(&other, &labels, std::slice::from_ref(&summary)).is_err());
        (0..2).for_each(|_| append(&new, &labels, std::slice::from_ref(&summary)).expect("appends"));
        let lines = std::fs::read_to_string(&new).expect("reads");
        let widths: Vec<_> = lines.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(widths, [1 + COLUMNS.len(); 3]);
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
