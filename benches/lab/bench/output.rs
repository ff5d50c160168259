//! Rows for people.

use std::fmt::Write as _;

use maskrank_rows::{Row, Run};

/// One row as it comes: how long the run has taken, what is left of it, and what was measured. Inside 100 columns for most.
pub(crate) fn progress(seconds: f64, left: f64, row: &Row) -> String {
    let mut line = format!(
        "{:>5} -{:<5} {:<44} {:>9}",
        minutes(seconds),
        minutes(left),
        row.id(),
        duration(row.median_us)
    );
    if let Some(noise) = row.noise {
        let _ = write!(line, " ±{:.0} %", 100.0 * noise);
    }
    if let Some(p99) = row.p99_us {
        let _ = write!(line, "  p99 {}", duration(p99));
    }
    match row.ratio {
        Some(ratio) if row.baseline.starts_with("limit") => {
            _ = write!(line, "  {:.0} % of limit", 100.0 * ratio)
        }
        Some(ratio) if !row.baseline.is_empty() => _ = write!(line, "  {ratio:.2} × {}", row.baseline),
        _ => {
            if let Some(rate) = row.candidates_per_s.filter(|_| row.p99_us.is_none()) {
                let _ = write!(line, "  {rate:.0}/s");
            }
        }
    }
    line
}

fn minutes(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round();
    format!("{:.0}:{:02.0}", (seconds / 60.0).floor(), seconds % 60.0)
}

/// The rows of whole calls, starts and loads, for reading at the end: 100 columns.
pub(crate) fn table(run: &Run) -> String {
    let mut text = String::new();
    let optional = |value: Option<f64>, show: &dyn Fn(f64) -> String| value.map_or(String::new(), show);
    for (title, kind) in [("whole call", "score"), ("fresh process", "start")] {
        let rows: Vec<&Row> = run.rows.iter().filter(|row| row.kind == kind).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "\n{title:<39} {:>9} {:>9} {:>9} {:>8} {:>7} {:>6} {:>6}",
            "median", "p90", "cand./s", "of limit", "error", "tau", "top 50"
        );
        for row in rows {
            let share = row.ratio.filter(|_| row.baseline.starts_with("limit"));
            let _ = writeln!(
                text,
                "{:<39} {:>9} {:>9} {:>9} {:>8} {:>7} {:>6} {:>6}",
                row.id(),
                duration(row.median_us),
                duration(row.p90_us),
                optional(row.candidates_per_s, &|rate| format!("{rate:.0}")),
                optional(share, &|share| format!("{:.0} %", 100.0 * share)),
                optional(row.logit_error, &|error| format!("{error:.0e}")),
                optional(row.kendall_tau, &|tau| format!("{tau:.4}")),
                optional(row.top_50, &|top| format!("{top:.0}")),
            );
        }
    }
    let loads: Vec<&Row> = run.rows.iter().filter(|row| row.kind == "load").collect();
    if !loads.is_empty() {
        let _ = writeln!(
            text,
            "\n{:<44} {:>9} {:>9} {:>9} {:>13}",
            "under load, from the intended arrival", "p50", "p99", "p99.9", "candidates/s"
        );
    }
    for row in loads {
        let _ = writeln!(
            text,
            "{:<44} {:>9} {:>9} {:>9} {:>13}",
            row.id(),
            duration(row.median_us),
            optional(row.p99_us, &duration),
            optional(row.p999_us, &duration),
            optional(row.candidates_per_s, &|rate| format!("{rate:.0}")),
        );
    }
    if !text.is_empty() {
        text.push_str(
            "error: the largest of a logit against f64; tau: Kendall's, of the order by score; top 50: how many\n\
             of the best 50 by f64 are among the best 50. Limits are the machine's own, below.\n",
        );
    }
    text
}

/// WGSL beside CUDA where both ran on the same GPU: how many times as long a call takes.
fn beside_cuda(run: &Run) -> String {
    let calls = |backend: &'static str| {
        run.rows.iter().filter(move |row| row.kind == "score" && row.op == "score" && row.backend == backend)
    };
    let mut text = String::new();
    for own in calls("wgpu") {
        let same = |other: &&Row| (&other.dtype, &other.shape) == (&own.dtype, &own.shape);
        let Some(other) = calls("cuda").find(same) else { continue };
        // What follows the name is how it is reached.
        let card = other.device.split(" (").next().unwrap_or_default();
        if card.is_empty() || !own.device.contains(card) || other.median_us <= 0.0 {
            continue;
        }
        if text.is_empty() {
            text.push_str("\nWGSL beside CUDA on the same GPU:\n");
        }
        let _ = writeln!(
            text,
            "  {:<39} {:>9}, in CUDA {:>9}: {:.2} × as long",
            own.id(),
            duration(own.median_us),
            duration(other.median_us),
            own.median_us / other.median_us
        );
    }
    text
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
    let mut text = table(run);
    text.push_str(&beside_cuda(run));
    text.push_str("\nThe machine at most, as measured in this run (all of it is in the record):\n");
    // Products of every K are for the record.
    for limit in run.limits.iter().filter(|limit| !limit.name.contains(", K = ")) {
        let value = match limit.unit.as_str() {
            "FLOP/s" => format!("{:.3} TFLOP/s", limit.value / 1e12),
            "B/s" => format!("{:.1} GB/s", limit.value / 1e9),
            "s" => duration(limit.value * 1e6),
            _ => format!("{} {}", limit.value, limit.unit),
        };
        let threads = match limit.threads {
            0 => String::new(),
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let _ = writeln!(text, "  {:<66} {threads:<10} {value}", limit.name);
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

#[cfg(test)]
#[allow(dead_code, reason = "a bench without a harness runs no tests; tests/bench_refuses.rs runs these")]
mod tests {
    use super::*;

    fn row(op: &str, kind: &str) -> Row {
        Row {
            op: op.into(),
            backend: "cpu".into(),
            dtype: "bf16".into(),
            shape: "n1500_r12_t2".into(),
            kind: kind.into(),
            median_us: 475_912.3,
            p10_us: 471_000.0,
            p90_us: 512_000.0,
            noise: Some(0.012),
            candidates_per_s: Some(23_383.4),
            ratio: Some(0.54),
            baseline: "limit: multiply rate 3.123 TFLOP/s".into(),
            logit_error: Some(2.4e-2),
            top_50: Some(50.0),
            kendall_tau: Some(0.998_765),
            p99_us: (kind == "load").then_some(1.2e6),
            ..Row::default()
        }
    }

    #[test]
    fn wgsl_stands_beside_cuda_of_the_same_card() {
        let on = |backend: &str, device: &str, dtype: &str, ms: f64| Row {
            backend: backend.into(),
            device: device.into(),
            dtype: dtype.into(),
            median_us: 1e3 * ms,
            ..row("score", "score")
        };
        let mut run = Run {
            rows: vec![
                on("cuda", "NVIDIA H200 (CUDA 13.0)", "f32", 2.0),
                on("wgpu", "NVIDIA H200 (Vulkan, 580.1)", "f32", 5.0),
                on("wgpu", "NVIDIA H200 (Vulkan, 580.1)", "f16", 5.0),
            ],
            ..Run::default()
        };
        let text = beside_cuda(&run);
        assert!(text.contains("score/wgpu/f32/n1500_r12_t2") && text.contains("2.50 × as long"), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains("in CUDA")).count(), 1, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        run.rows[1].device = "llvmpipe (Vulkan, Mesa 25)".into();
        assert_eq!(beside_cuda(&run), "", "two devices are not compared");
    }

    #[test]
    fn what_is_read_at_the_end_fits_into_a_hundred_columns() {
        let rows = vec![
            row("score_ragged", "score"),
            row("cold_start_packed", "start"),
            row("load_batching", "load"),
        ];
        let text = table(&Run { rows: rows.clone(), ..Run::default() });
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        }
        assert!(text.contains("475.91 ms") && text.contains("54 %") && text.contains("2e-2"), "{text}");
        for row in &rows {
            let line = progress(125.0, 1000.0, row);
            assert!(line.chars().count() <= 100 && line.contains("2:05 -16:40"), "{line}");
        }
    }
}
