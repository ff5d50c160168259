//! The paper model of a large service, its figures computed from a record, and held against it.

use std::fmt::Write as _;

use maskrank_rows::{Row, Run};

/// Candidates a second of the whole service.
const SERVICE: f64 = 100e6;
/// Share of a machine's rate that is planned for: what is left is for bursts, of which the load rows say how they feel.
const UTILISATION: f64 = 0.6;
/// Machines more than needed, so that one in ten may be away.
const SPARE: f64 = 1.1;
/// Continuous features, binary features, values of one embedding.
const WIDTHS: (f64, f64, f64) = (2117.0, 59.0, 200.0);
/// Candidates of a request.
const REQUEST: f64 = 1000.0;
/// Bytes/s of a GPU's link to its host.
const LINK: f64 = 55e9;
/// Parameters of the production model.
const PARAMETERS: f64 = 48_115_108.0;

/// Ways to send a candidate's features: name, bytes a candidate, bytes a request.
fn formats() -> [(&'static str, f64, f64); 3] {
    let (continuous, binary, embedding) = WIDTHS;
    [
        ("f32, every column with every candidate", 4.0 * (continuous + binary + 3.0 * embedding), 0.0),
        (
            "bf16, binary features as bits, user embeddings once a request",
            2.0 * (continuous + embedding) + (binary / 8.0).ceil(),
            2.0 * 2.0 * embedding,
        ),
        (
            "the same with half of the continuous features once a request",
            2.0 * (continuous / 2.0 + embedding) + (binary / 8.0).ceil(),
            2.0 * (continuous / 2.0 + 2.0 * embedding),
        ),
    ]
}

/// The generated part of `docs/SCALE.md`.
pub(super) fn body(runs: &[Run]) -> String {
    let threads = runs.iter().map(|run| run.threads).max().unwrap_or(1);
    let row = |dtype: &str, n: usize| -> Option<&Row> {
        let shape = format!("n{n}_t{threads}");
        let mut rows = runs.iter().flat_map(|run| &run.rows);
        rows.find(|r| r.op == "score" && r.backend == "cpu" && r.dtype == dtype && r.shape == shape)
    };
    let mut text = format!(
        "From the record of {}, commit {} ({}).\n\n## The check\n\n\
         The model of one machine: a call of N candidates takes `max(weights once, N / rate)`, with both numbers from its\n\
         ends (N = 1 and N = 1,500). In between it predicts, and the record says:\n\n\
         | precision | N | predicted | measured | measured / predicted |\n|---|---|---|---|---|\n",
        runs[0].date, runs[0].commit, runs[0].device
    );
    for dtype in ["f32", "bf16"] {
        let (Some(one), Some(many)) = (row(dtype, 1), row(dtype, 1500)) else { continue };
        for n in [32usize, 256] {
            let Some(measured) = row(dtype, n) else { continue };
            let predicted = one.median_us.max(many.median_us * n as f64 / 1500.0);
            let _ = writeln!(
                text,
                "| {dtype} | {n} | {:.2} ms | {:.2} ms | {:.2} |",
                predicted / 1e3,
                measured.median_us / 1e3,
                measured.median_us / predicted
            );
        }
    }
    threads_table(&mut text, runs);
    let sizes: Vec<&Row> = runs
        .iter()
        .flat_map(|run| &run.rows)
        .filter(|r| r.op.starts_with("score_small") || r.op.starts_with("score_large"))
        .collect();
    if !sizes.is_empty() {
        text.push_str("\nThe rate in FLOP/s is the model's own as long as its products are as large as these; of other sizes:\n\n| model | precision | N | TFLOP/s | |\n|---|---|---|---|---|\n");
        for row in sizes {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.3} | {} |",
                row.op.trim_start_matches("score_"),
                row.dtype,
                row.shape_number('n').unwrap_or(0),
                row.tflop_per_s.unwrap_or(0.0),
                row.note
            );
        }
    }
    let loads: Vec<&Row> = runs.iter().flat_map(|run| &run.rows).filter(|r| r.kind == "load").collect();
    if !loads.is_empty() {
        text.push_str("\nWhat a share of the rate feels like (open loop, 100 to 1,500 candidates a request):\n\n| | p50 | p99 | candidates/s |\n|---|---|---|---|\n");
        for row in loads {
            let _ = writeln!(
                text,
                "| {} | {:.0} ms | {:.0} ms | {:.0} |",
                row.id(),
                row.median_us / 1e3,
                row.p99_us.unwrap_or(f64::NAN) / 1e3,
                row.candidates_per_s.unwrap_or(0.0)
            );
        }
    }
    let _ = write!(
        text,
        "\n## The service: {:.0} M candidates/s\n\n\
         `machines = service / (rate × {UTILISATION}) × {SPARE}`: {:.0} % of the rate planned for, one machine in ten away.\n\n\
         | precision | candidates/s of one machine ({threads} threads) | such machines | threads in all | weights in memory, each |\n\
         |---|---|---|---|---|\n",
        SERVICE / 1e6,
        100.0 * UTILISATION
    );
    for (dtype, bytes) in [("f32", 4.0), ("bf16", 2.0)] {
        let Some(rate) = row(dtype, 1500).and_then(|r| r.candidates_per_s) else { continue };
        let machines = (SERVICE / (rate * UTILISATION) * SPARE).ceil();
        let _ = writeln!(
            text,
            "| {dtype} | {rate:.0} | {machines:.0} | {:.0} | {:.0} MB |",
            machines * threads as f64,
            PARAMETERS * bytes / 1e6
        );
    }
    let _ = write!(
        text,
        "\nFeatures on the network, requests of {REQUEST:.0} candidates:\n\n\
         | format | bytes a candidate | the service | one bf16 machine |\n|---|---|---|---|\n"
    );
    let rate = row("bf16", 1500).and_then(|r| r.candidates_per_s);
    for (name, candidate, request) in formats() {
        let each = candidate + request / REQUEST;
        let own = rate.map_or(String::new(), |rate| format!("{:.0} MB/s", rate * UTILISATION * each / 1e6));
        let _ = writeln!(text, "| {name} | {each:.0} | {:.2} TB/s | {own} |", SERVICE * each / 1e12);
    }
    gpus(&mut text, runs);
    text
}

/// From one thread to all of them, at the largest size.
fn threads_table(text: &mut String, runs: &[Run]) {
    for dtype in ["f32", "bf16"] {
        let rows = runs.iter().flat_map(|run| &run.rows);
        let rows = rows.filter(|r| r.op == "score" && r.backend == "cpu" && r.dtype == dtype);
        let mut points: Vec<(usize, f64)> = rows
            .filter(|r| r.shape_number('n') == Some(1500))
            .filter_map(|r| Some((r.shape_number('t')?, r.candidates_per_s?)))
            .collect();
        points.sort_by_key(|point| point.0);
        points.dedup_by_key(|point| point.0);
        let (Some(&(one, single)), true) = (points.first(), points.len() > 1) else { continue };
        if dtype == "f32" {
            text.push_str("\nWith threads, N = 1,500:\n\n| precision | threads | candidates/s | times one thread | of as many |\n|---|---|---|---|---|\n");
        }
        for (threads, rate) in points {
            let (times, more) = (rate / single, threads as f64 / one as f64);
            let _ = writeln!(
                text,
                "| {dtype} | {threads} | {rate:.0} | {times:.2} | {:.0} % |",
                100.0 * times / more
            );
        }
    }
}

/// Several GPUs, by formula: a replica on each, requests shared out, nothing between them.
fn gpus(text: &mut String, runs: &[Run]) {
    let measured = runs
        .iter()
        .flat_map(|run| &run.rows)
        .filter(|row| row.backend == "cuda" && row.dtype == "bf16")
        .filter_map(|row| row.candidates_per_s)
        .reduce(f64::max);
    let _ = write!(
        text,
        "\n## GPUs\n\nEvery GPU holds the whole model ({:.0} MB in bf16) and takes whole requests, so nothing passes between them and\n\
         `rate = GPUs × min(rate of one, link / bytes of a candidate)`. {}\n\n\
         | format | the link of one GPU carries | a service of {:.0} M candidates/s needs, for its links alone |\n|---|---|---|\n",
        PARAMETERS * 2.0 / 1e6,
        match measured {
            Some(rate) => format!("The best rate of one that was measured is {rate:.0} candidates/s."),
            None => "No GPU has been measured yet, so this is the formula and the link only.".to_owned(),
        },
        SERVICE / 1e6
    );
    for (name, candidate, request) in formats() {
        let carried = LINK / (candidate + request / REQUEST);
        let needed = (SERVICE / (carried * UTILISATION) * SPARE).ceil();
        let _ = writeln!(text, "| {name} | {:.1} M candidates/s | {needed:.0} GPUs |", carried / 1e6);
    }
    let _ = write!(
        text,
        "\nThe link is PCIe 5.0 x16, {:.0} GB/s as others measured it with pinned memory; the record of a machine with a GPU has\n\
         its own. What one GPU computes decides only where it is less than its link carries.\n",
        LINK / 1e9
    );
}
