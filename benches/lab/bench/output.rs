//! Rows for people.

use std::fmt::Write as _;

use maskrank_rows::{Row, Run};

/// One row.
pub(crate) fn line(row: &Row) -> String {
    let mut line = format!("{:<38} {:>11}", row.id(), duration(row.median_us));
    let _ = write!(line, "  ({} .. {})", duration(row.p10_us), duration(row.p90_us));
    if let Some(noise) = row.noise {
        let _ = write!(line, " ±{:.1} %", 100.0 * noise);
    }
    if let Some(rate) = row.candidates_per_s {
        let _ = write!(line, "  {rate:.0} candidates/s");
    }
    if let (Some(p99), Some(p999)) = (row.p99_us, row.p999_us) {
        let _ = write!(line, "  p99 {}  p99.9 {}", duration(p99), duration(p999));
    }
    if let Some(ratio) = row.ratio {
        match row.baseline.starts_with("limit") {
            true => _ = write!(line, "  {:.0} % of the {}", 100.0 * ratio, row.baseline),
            false => _ = write!(line, "  {ratio:.2} × {}", row.baseline),
        }
    }
    line
}

/// Microseconds in a unit that reads well.
pub(crate) fn duration(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us:.1} us"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// Seconds as people say them.
pub(crate) fn length(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} seconds"),
        s => format!("{:.0} minutes and {:.0} seconds", (s / 60.0).floor(), s % 60.0),
    }
}

/// Limits, what is absent, and how many rows there are.
pub(crate) fn summary(run: &Run) -> String {
    let mut text = String::from("\nThe machine at most, as measured in this run:\n");
    for limit in &run.limits {
        let value = match limit.unit.as_str() {
            "FLOP/s" => format!("{:.3} TFLOP/s", limit.value / 1e12),
            "B/s" => format!("{:.1} GB/s", limit.value / 1e9),
            _ => format!("{} {}", limit.value, limit.unit),
        };
        let _ = writeln!(text, "  {:<44} {} threads  {value}", limit.name, limit.threads);
    }
    if !run.absent.is_empty() {
        text.push_str("Not here:\n");
        for absent in &run.absent {
            let _ = writeln!(text, "  {absent}");
        }
    }
    if let Some(load) = run.load_average.filter(|&load| load > 0.5) {
        let _ = writeln!(text, "Load average {load} when it began: other work disturbed these figures.");
    }
    let _ = write!(text, "{} rows, commit {}, {}", run.rows.len(), run.commit, run.device);
    text
}
