//! Which rows go into which chart.

use std::collections::BTreeMap;

use maskrank_rows::{Row, Run};

use super::svg::{Chart, Series};

/// Rows of whole calls of the production model with the run's own number of threads.
fn scores<'a>(runs: &'a [Run], dtype: &'a str) -> impl Iterator<Item = &'a Row> {
    let threads = runs.iter().map(|run| run.threads).max().unwrap_or(1);
    runs.iter()
        .flat_map(|run| &run.rows)
        .filter(move |row| row.op == "score" && (dtype.is_empty() || row.dtype == dtype))
        .filter(move |row| row.shape_number('t').is_none_or(|t| t == threads))
        .filter(|row| row.median_us > 0.0)
}

/// Points by name, the last of equal x winning, in the order of x.
fn by_name(rows: impl Iterator<Item = (String, f64, f64)>) -> Vec<Series> {
    let mut curves: BTreeMap<String, BTreeMap<u64, (f64, f64)>> = BTreeMap::new();
    for (name, x, y) in rows {
        curves.entry(name).or_default().insert(x.to_bits(), (x, y));
    }
    let series = |(name, points): (String, BTreeMap<u64, (f64, f64)>)| {
        let mut points: Vec<(f64, f64)> = points.into_values().collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series { name, points, is_line: true, is_limit: false }
    };
    curves.into_iter().map(series).collect()
}

fn named(row: &Row) -> String {
    let own = if row.backend == "cpu" { "maskrank cpu" } else { &row.backend };
    format!("{own} {}", row.dtype)
}

/// Latency against the number of candidates, one curve a backend or peer.
pub(super) fn latency(runs: &[Run], dtype: &str) -> Chart {
    let point = |row: &Row| Some((named(row), row.shape_number('n')? as f64, row.median_us / 1e3));
    Chart {
        title: format!("Latency of one call, {}", if dtype.is_empty() { "all precisions" } else { dtype }),
        x: "candidates".into(),
        y: "median, ms".into(),
        log_x: true,
        log_y: true,
        series: by_name(scores(runs, dtype).filter_map(point)),
        ..Chart::default()
    }
}

/// FLOP/s against FLOPs a byte of weights, under the limits that were measured.
pub(super) fn roofline(runs: &[Run]) -> Chart {
    // Bytes of weights are those that the row's GB/s were counted from.
    let point = |row: &Row| {
        let (tflops, gb) = (row.tflop_per_s?, row.gb_per_s?);
        (gb > 0.0).then(|| (named(row), tflops * 1e3 / gb, tflops))
    };
    let mut series = by_name(scores(runs, "").filter_map(point));
    series.iter_mut().for_each(|series| series.is_line = false);
    let reach: Vec<f64> = series.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect();
    let (low, high) =
        (reach.iter().copied().fold(f64::INFINITY, f64::min), reach.iter().copied().fold(0.0, f64::max));
    let threads = runs.iter().map(|run| run.threads).max().unwrap_or(1);
    for precision in ["f32", "bf16"] {
        let limit = |name: String| {
            let limits =
                runs.iter().flat_map(|run| &run.limits).filter(|l| l.threads == threads && l.name == name);
            limits
                .map(|limit| limit.value)
                .fold(None, |best: Option<f64>, v| Some(best.map_or(v, |b| b.max(v))))
        };
        let rate = limit(format!("multiply rate {precision}"));
        let bytes = runs
            .iter()
            .flat_map(|run| &run.limits)
            .filter(|l| l.threads == threads && l.name.starts_with("read"));
        let bandwidth = limit(format!("read bandwidth of the weights in {precision}")).or_else(|| {
            bytes.map(|l| l.value).fold(None, |best: Option<f64>, v| Some(best.map_or(v, |b| b.max(v))))
        });
        if let (Some(rate), Some(bandwidth), true) = (rate, bandwidth, low < high) {
            let knee = rate / bandwidth;
            let mut points = vec![(low, (low * bandwidth).min(rate) / 1e12)];
            if (low..high).contains(&knee) {
                points.push((knee, rate / 1e12));
            }
            points.push((high, (high * bandwidth).min(rate) / 1e12));
            series.push(Series { name: format!("limit {precision}"), points, is_line: true, is_limit: true });
        }
    }
    Chart {
        title: "Roofline: whole calls under the limits measured beside them".into(),
        x: "FLOP a byte of weights".into(),
        y: "TFLOP/s".into(),
        log_x: true,
        log_y: true,
        series,
        ..Chart::default()
    }
}

/// Latency against throughput under load.
pub(super) fn load(runs: &[Run]) -> Chart {
    let rows = || runs.iter().flat_map(|run| &run.rows).filter(|row| row.kind == "load");
    let curve = |row: &Row| {
        let arrivals = row.shape.split('_').next().unwrap_or_default();
        format!("{} {} {arrivals}", row.op.trim_start_matches("load_"), row.dtype)
    };
    let median = rows()
        .filter_map(|row| Some((format!("{} p50", curve(row)), row.candidates_per_s?, row.median_us / 1e3)));
    let tail = rows()
        .filter_map(|row| Some((format!("{} p99", curve(row)), row.candidates_per_s?, row.p99_us? / 1e3)));
    Chart {
        title: "Under load: latency from the intended arrival".into(),
        x: "candidates/s".into(),
        y: "ms".into(),
        log_y: true,
        series: by_name(median.chain(tail)),
        ..Chart::default()
    }
}

/// Error against speed at the largest size.
pub(super) fn accuracy(runs: &[Run]) -> Chart {
    let largest = scores(runs, "").filter_map(|row| row.shape_number('n')).max().unwrap_or(0);
    let rows = scores(runs, "").filter(|row| row.shape_number('n') == Some(largest));
    let point = |row: &Row| Some((named(row), row.candidates_per_s?, row.logit_error?));
    let mut series = by_name(rows.filter_map(point));
    series.iter_mut().for_each(|series| series.is_line = false);
    Chart {
        title: format!("Accuracy beside speed, N = {largest}"),
        x: "candidates/s".into(),
        y: "largest error of a logit".into(),
        log_y: true,
        series,
        ..Chart::default()
    }
}

/// Medians over commits, of one machine.
pub(super) fn history(runs: &[Run]) -> Chart {
    let mut commits: Vec<(String, String)> =
        runs.iter().map(|run| (run.date.clone(), run.commit.clone())).collect();
    commits.sort();
    commits.dedup();
    let place = |run: &Run| commits.iter().position(|c| *c == (run.date.clone(), run.commit.clone()));
    let rows = runs.iter().flat_map(|run| run.rows.iter().map(move |row| (run, row)));
    let wanted = rows.filter(|(_, row)| {
        let is_end = matches!(row.shape_number('n'), Some(1 | 1500));
        row.op == "score" && row.backend == "cpu" && is_end && matches!(row.dtype.as_str(), "f32" | "bf16")
    });
    let point = |(run, row): (&Run, &Row)| {
        Some((
            format!("{} {}", row.dtype, row.shape.replace('_', " ")),
            place(run)? as f64,
            row.median_us / 1e3,
        ))
    };
    Chart {
        title: "History: maskrank on the CPU, median of a call".into(),
        x: "commit".into(),
        y: "ms".into(),
        log_y: true,
        series: by_name(wanted.filter_map(point)),
        names: commits.into_iter().map(|(_, commit)| commit).collect(),
        ..Chart::default()
    }
}

/// The README's figures, by file name; those without a point are left out.
pub(super) fn of_readme(runs: &[Run]) -> Vec<(&'static str, Chart)> {
    let mut figures = vec![("latency", latency(runs, "")), ("roofline", roofline(runs))];
    figures.retain(|(_, chart)| !chart.is_empty());
    figures
}
