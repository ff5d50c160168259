//! What came of a step.

use std::io::Write;
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

pub(super) fn head(out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{:>9} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7} {:>10} {:>9}",
        "rate/s",
        "sent",
        "answered",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "shed",
        "failed",
        "last shed",
        "lag ms"
    )
}

pub(super) fn line(out: &mut impl Write, step: Step, samples: &[Sample]) -> std::io::Result<()> {
    let of = |reply: Reply| samples.iter().filter(move |sample| sample.reply == reply);
    let mut latencies: Vec<Duration> = of(Reply::Answered).map(|sample| sample.latency).collect();
    latencies.sort_unstable();
    let [p50, p99, p999, max] =
        [0.5, 0.99, 0.999, 1.0].map(|share| milliseconds(quantile(&latencies, share)));
    let last_shed = of(Reply::Shed).map(|sample| sample.planned).max();
    let last_shed = last_shed.map_or("-".to_owned(), |at| format!("{:.2} s", at.as_secs_f64()));
    let lag = samples.iter().map(|sample| sample.sent_late).max();
    writeln!(
        out,
        "{:>9.1} {:>7} {:>9} {p50:>9} {p99:>9} {p999:>9} {max:>9} {:>8} {:>7} {last_shed:>10} {:>9}",
        step.rate,
        samples.len(),
        latencies.len(),
        of(Reply::Shed).count(),
        of(Reply::Failed).count(),
        milliseconds(lag),
    )
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
    fn sheds_and_failures_are_counted_apart() {
        let sample = |reply, ms| Sample {
            planned: Duration::from_millis(ms),
            latency: Duration::from_millis(10),
            reply,
            ..Sample::default()
        };
        let samples = [
            sample(Reply::Answered, 0),
            sample(Reply::Shed, 250),
            sample(Reply::Failed, 300),
            sample(Reply::Shed, 40),
        ];
        let mut text = Vec::new();
        line(&mut text, Step { rate: 4.0, seconds: 1.0 }, &samples).expect("written");
        let text = String::from_utf8(text).expect("text");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(
            words,
            ["4.0", "4", "1", "10.00", "10.00", "10.00", "10.00", "2", "1", "0.25", "s", "0.00"]
        );
    }
}
