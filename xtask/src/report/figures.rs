//! Which rows go into which chart.

use std::collections::BTreeMap;

use maskrank_rows::{Row, Run};

use super::svg::{Chart, Series};

/// Rows of whole calls of the production model with the run's own number of threads.
fn scores<'a>(runs: &'a [Run], dtype: &'a str) -> impl Iterator<Item = &'a Row> {
    let threads = runs.iter().map(|run| run.threads).max().unwrap_or(1);
    runs.iter()
        .flat_map(|run| &run.rows)
        // `production` is the GPU suite's name of the same, by kinds of call.
        .filter(move |row| is_call(row) && (dtype.is_empty() || row.dtype == dtype))
        .filter(move |row| row.shape_number('t').is_none_or(|t| t == threads))
        .filter(|row| row.median_us > 0.0)
}

/// Whether a row is a whole call of the production model with every column given for every candidate.
fn is_call(row: &Row) -> bool {
    match row.op.as_str() {
        "score" => true,
        "production" => !row.kind.ends_with("_once"),
        _ => false,
    }
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
        Series { name, points, is_line: true, ..Series::default() }
    };
    curves.into_iter().map(series).collect()
}

fn named(row: &Row) -> String {
    let own = match row.backend.as_str() {
        own @ ("cpu" | "cuda" | "wgpu") => format!("maskrank {own}"),
        other => other.to_owned(),
    };
    match row.op.as_str() {
        "production" => format!("{own} {} {}", row.dtype, kind(&row.kind)),
        _ => format!("{own} {}", row.dtype),
    }
}

/// Kinds of calls of the GPU suite, briefly.
fn kind(kind: &str) -> &str {
    match kind {
        "score_pageable_f32_rows" => "from f32 rows",
        "score_pinned_bf16_rows" => "from pinned bf16",
        other => other,
    }
}

/// Latency against the number of candidates, one curve a backend or peer. The reference, which is there to be right, and
/// software GPUs would leave the others a corner of the area: tables have them.
pub(super) fn latency(runs: &[Run], dtype: &str) -> Chart {
    let is_shown = |row: &&Row| row.backend != "reference" && !row.device.contains("software");
    let point = |row: &Row| Some((named(row), row.shape_number('n')? as f64, row.median_us / 1e3));
    Chart {
        title: format!("Latency of one call, {dtype}"),
        x: "candidates".into(),
        y: "median, ms".into(),
        log_x: true,
        log_y: true,
        series: by_name(scores(runs, dtype).filter(is_shown).filter_map(point)),
        ..Chart::default()
    }
}

/// The same over the fastest at each number of candidates: where curves lie close together, who is ahead, and by how much.
pub(super) fn beside(runs: &[Run], dtype: &str) -> Chart {
    let mut chart = latency(runs, dtype);
    let mut fastest: BTreeMap<u64, f64> = BTreeMap::new();
    for (x, y) in chart.series.iter().flat_map(|series| &series.points) {
        fastest.entry(x.to_bits()).and_modify(|least| *least = least.min(*y)).or_insert(*y);
    }
    for (x, y) in chart.series.iter_mut().flat_map(|series| &mut series.points) {
        *y /= fastest[&x.to_bits()];
    }
    // With nobody beside it there is nothing to be seen.
    if chart.series.len() < 2 {
        chart.series.clear();
    }
    Chart {
        title: format!("Times the fastest at each size, {dtype}"),
        y: "times the fastest".into(),
        log_y: false,
        ..chart
    }
}

/// FLOP/s against FLOPs a byte of weights, under the limits that were measured: whole calls and the products in them.
pub(super) fn roofline(runs: &[Run]) -> Chart {
    // Bytes of weights are those that the row's GB/s were counted from.
    let place = |row: &Row| {
        let (tflops, gb) = (row.tflop_per_s?, row.gb_per_s?);
        (gb > 0.0).then(|| (tflops * 1e3 / gb, tflops))
    };
    let calls = scores(runs, "").filter(|row| ["cpu", "cuda", "wgpu"].contains(&row.backend.as_str()));
    let calls = calls.filter_map(|row| place(row).map(|(x, y)| (named(row), x, y)));
    let products = runs.iter().flat_map(|run| &run.rows).filter(|row| row.op.starts_with("gemm"));
    let products = products.filter_map(|row| {
        let name = format!("products in {} {}", row.backend, row.dtype);
        place(row).map(|(x, y)| (name, x, y))
    });
    let mut series = by_name(calls.chain(products));
    series.iter_mut().for_each(|series| series.is_line = false);
    let reach: Vec<f64> = series.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect();
    let (low, high) =
        (reach.iter().copied().fold(f64::INFINITY, f64::min), reach.iter().copied().fold(0.0, f64::max));
    let all = ["f32", "tf32", "bf16", "f16"];
    let cpu = [("cpu", "f32"), ("cpu", "bf16")];
    for (backend, precision) in cpu.into_iter().chain(all.map(|precision| ("cuda", precision))) {
        if let (Some((rate, bandwidth)), true) = (limits(runs, backend, precision), low < high) {
            let knee = rate / bandwidth;
            let mut points = vec![(low, (low * bandwidth).min(rate) / 1e12)];
            if (low..high).contains(&knee) {
                points.push((knee, rate / 1e12));
            }
            points.push((high, (high * bandwidth).min(rate) / 1e12));
            let device = if backend == "cpu" { "CPU" } else { "GPU" };
            let name = format!("limit of the {device}, {precision}");
            series.push(Series { name, points, is_line: true, is_limit: true, ..Series::default() });
        }
    }
    Chart {
        title: "Roofline: under the limits measured beside them".into(),
        x: "FLOP a byte of weights".into(),
        y: "TFLOP/s".into(),
        log_x: true,
        log_y: true,
        series,
        ..Chart::default()
    }
}

/// Multiply rate and read bandwidth of a precision's weights, the best that any of the runs saw.
fn limits(runs: &[Run], backend: &str, precision: &str) -> Option<(f64, f64)> {
    let threads = runs.iter().map(|run| run.threads).max().unwrap_or(1);
    // The region is as large as the weights that calls read.
    let row = scores(runs, precision).find(|row| row.backend == backend && row.gb_per_s.is_some())?;
    let megabytes = row.gb_per_s? * 1e3 * row.median_us * 1e-6;
    let best = |fits: &dyn Fn(&str) -> bool| {
        let all = runs.iter().flat_map(|run| &run.limits);
        let values = all.filter(|l| l.threads == threads && fits(&l.name)).map(|l| l.value);
        values.reduce(f64::max)
    };
    let is_weights = |name: &str| {
        let size = name.strip_prefix("read ").and_then(|rest| rest.strip_suffix(" MB")?.parse::<f64>().ok());
        size.is_some_and(|size| (size / megabytes - 1.0).abs() < 0.02)
            || name == format!("read bandwidth of the weights in {precision}")
    };
    Some((best(&|name| name == format!("multiply rate {precision}"))?, best(&is_weights)?))
}

/// Latency against throughput under load: one chart for each kind of arrivals.
pub(super) fn load(runs: &[Run], arrivals: &str) -> Chart {
    let rows = runs.iter().flat_map(|run| &run.rows);
    let rows = rows.filter(|row| row.kind == "load" && row.shape.starts_with(arrivals));
    let mut curves: BTreeMap<(String, usize), Vec<(f64, f64)>> = BTreeMap::new();
    for row in rows {
        let way = if row.op == "load_batching" { "batching" } else { "direct" };
        let name = format!("{} {} {way}", row.backend, row.dtype);
        for (place, us) in [Some(row.median_us), row.p99_us, row.p999_us].into_iter().enumerate() {
            if let (Some(rate), Some(us)) = (row.candidates_per_s, us) {
                curves.entry((name.clone(), place)).or_default().push((rate, us / 1e3));
            }
        }
    }
    let mut names: Vec<String> = curves.keys().map(|(name, _)| name.clone()).collect();
    names.dedup();
    let series = curves.into_iter().map(|((name, place), mut points)| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series {
            colour: names.iter().position(|other| *other == name),
            name: format!("{name} {}", ["p50", "p99", "p99.9"][place]),
            points,
            is_line: true,
            dash: ["", "6 3", "2 3"][place],
            ..Series::default()
        }
    });
    Chart {
        title: format!("Under load: latency from the intended arrival, {arrivals}"),
        x: "candidates/s".into(),
        y: "ms".into(),
        log_y: true,
        series: series.collect(),
        ..Chart::default()
    }
}

/// Error against speed at 1,500 candidates, or at the largest size where nobody has those.
pub(super) fn accuracy(runs: &[Run]) -> Chart {
    let rows = scores(runs, "").filter(|row| row.logit_error.is_some());
    let sizes: Vec<usize> = rows.filter_map(|row| row.shape_number('n')).collect();
    let largest = if sizes.contains(&1500) { 1500 } else { sizes.iter().copied().max().unwrap_or(0) };
    let rows = scores(runs, "").filter(|row| row.shape_number('n') == Some(largest));
    let point = |row: &Row| Some((named(row), row.candidates_per_s?, row.logit_error?));
    let mut series = by_name(rows.filter_map(point));
    series.iter_mut().for_each(|series| series.is_line = false);
    Chart {
        title: format!("Accuracy beside speed, N = {largest}"),
        x: "candidates/s".into(),
        y: "largest error of a logit".into(),
        log_x: true,
        log_y: true,
        series,
        ..Chart::default()
    }
}

/// Candidates a second against their number: the same model on every machine, one curve each backend, in bf16.
pub(super) fn machines(runs: &[Run]) -> Chart {
    let calls = |run: &'_ Run| scores(std::slice::from_ref(run), "bf16").cloned().collect::<Vec<Row>>();
    let point = |(device, row): (&str, Row)| {
        // The processor's long name, its first words.
        let device: Vec<&str> = device.split(' ').take(3).collect();
        let own = matches!(row.backend.as_str(), "cpu" | "cuda" | "wgpu");
        let device = device.join(" ");
        let name =
            format!("{}: {}", device.trim_end_matches(','), named(&row).trim_start_matches("maskrank "));
        own.then_some((name, row.shape_number('n')? as f64, row.candidates_per_s?))
    };
    let rows = runs.iter().flat_map(|run| calls(run).into_iter().map(|row| (run.device.as_str(), row)));
    Chart {
        title: "Every machine: candidates a second, bf16".into(),
        x: "candidates of a call".into(),
        y: "candidates/s".into(),
        log_x: true,
        log_y: true,
        series: by_name(rows.filter_map(point)),
        ..Chart::default()
    }
}

/// The funnel's stages: the share that each has of a request.
pub(super) fn stages(runs: &[Run]) -> Chart {
    let rows = runs.iter().flat_map(|run| &run.rows).filter(|row| row.kind == "stage");
    let mut stages: Vec<(String, f64)> = rows
        .map(|row| (row.op.trim_start_matches("for_you_").replace('_', " "), row.median_us / 1e3))
        .collect();
    stages.sort_by(|a, b| b.1.total_cmp(&a.1));
    stages.dedup_by(|a, b| a.0 == b.0);
    stages.truncate(8);
    let points = stages.iter().enumerate().map(|(place, stage)| (place as f64, stage.1)).collect();
    Chart {
        title: "The funnel without the model: median of each stage".into(),
        y: "ms, summed over components".into(),
        log_y: true,
        series: vec![Series { name: "for you".into(), points, ..Series::default() }],
        names: stages.into_iter().map(|stage| stage.0).collect(),
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
    let mut figures = vec![
        ("latency-f32", latency(runs, "f32")),
        ("latency-bf16", latency(runs, "bf16")),
        ("roofline", roofline(runs)),
        ("accuracy", accuracy(runs)),
        ("load", load(runs, "poisson")),
    ];
    figures.retain(|(_, chart)| !chart.is_empty());
    figures
}
