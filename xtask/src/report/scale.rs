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
    let is_call = |row: &&Row| match row.op.as_str() {
        "score" => true,
        // With every column given for every candidate, as on the link below.
        "production" => !row.kind.ends_with("_once"),
        _ => false,
    };
    let measured = runs
        .iter()
        .flat_map(|run| &run.rows)
        .filter(|row| row.backend == "cuda" && row.dtype == "bf16")
        .filter(is_call)
        .filter_map(|row| row.candidates_per_s)
        .reduce(f64::max);
    let limits = runs.iter().flat_map(|run| &run.limits);
    let links = limits.filter(|limit| limit.name.ends_with("host to device") && limit.how.contains("pinned"));
    let own_link = links.map(|limit| limit.value).reduce(f64::max);
    let link = own_link.unwrap_or(LINK);
    let machines = |rate: f64| (SERVICE / (rate * UTILISATION) * SPARE).ceil();
    let _ = write!(
        text,
        "\n## GPUs\n\nEvery GPU holds the whole model ({:.0} MB in bf16) and takes whole requests, so nothing passes between them and\n\
         `rate = GPUs × min(rate of one, link / bytes of a candidate)`. {}\n\n\
         | format | the link of one GPU carries | a service of {:.0} M candidates/s needs |\n|---|---|---|\n",
        PARAMETERS * 2.0 / 1e6,
        match measured {
            Some(rate) => format!(
                "The best rate of one that was measured is {rate:.0} candidates/s: {:.0} GPUs to compute.",
                machines(rate)
            ),
            None => "No GPU has been measured yet, so this is the formula and the link only.".to_owned(),
        },
        SERVICE / 1e6
    );
    for (name, candidate, request) in formats() {
        let carried = link / (candidate + request / REQUEST);
        let needed = match measured {
            Some(rate) => format!("{:.0} GPUs", machines(rate.min(carried))),
            None => format!("{:.0} GPUs for its links alone", machines(carried)),
        };
        let _ = writeln!(text, "| {name} | {:.1} M candidates/s | {needed} |", carried / 1e6);
    }
    let _ = match own_link {
        Some(link) => writeln!(text, "\nThe link is {:.0} GB/s, measured with pinned memory.", link / 1e9),
        None => writeln!(
            text,
            "\nThe link is PCIe 5.0 x16, {:.0} GB/s as others measured it with pinned memory; the record of a machine with a GPU has\n\
             its own. What one GPU computes decides only where it is less than its link carries.",
            LINK / 1e9
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(backend: &str, op: &str, kind: &str, rate: f64) -> Row {
        Row {
            backend: backend.into(),
            op: op.into(),
            kind: kind.into(),
            dtype: "bf16".into(),
            candidates_per_s: Some(rate),
            ..Row::default()
        }
    }

    #[test]
    fn a_gpu_is_as_fast_as_the_slower_of_its_kernels_and_its_link() {
        let run = Run {
            // A kernel's own rate, and one with columns given once, are no rate of the model.
            rows: vec![
                row("cuda", "production", "graph", 6e6),
                row("cuda", "gemm_x", "kernel", 9e8),
                row("cuda", "production", "graph_1984_columns_once", 9e6),
            ],
            limits: vec![maskrank_rows::Limit {
                name: "host to device".into(),
                value: 50e9,
                unit: "B/s".into(),
                how: "device events, pinned".into(),
                ..maskrank_rows::Limit::default()
            }],
            ..Run::default()
        };
        let mut text = String::new();
        gpus(&mut text, &[run]);
        // 100 M at 60 % of 6 M and one in ten more: 31; the link carries 50e9 / 11104 = 4.5 M of f32: 41.
        assert!(text.contains("6000000 candidates/s: 31 GPUs to compute"), "{text}");
        let line =
            |format: &str| text.lines().find(|line| line.contains(format)).unwrap_or_default().to_owned();
        assert!(line("f32, every column").ends_with("4.5 M candidates/s | 41 GPUs |"), "{text}");
        assert!(line("the same with half").ends_with("| 31 GPUs |"), "{text}");
        assert!(text.contains("The link is 50 GB/s, measured"), "{text}");
    }

    /// The paper model of one machine against the record that the document shows: between its ends, where it predicts, it
    /// is off by 60 % at most.
    #[test]
    fn what_the_model_predicts_was_measured() {
        let scale = std::fs::read_to_string(crate::root().join("docs/SCALE.md")).unwrap();
        let check = scale.split("## The check").nth(1).unwrap().split("With threads").next().unwrap();
        let mut checked = 0;
        for line in check.lines().filter(|line| line.starts_with("| f32") || line.starts_with("| bf16")) {
            let ratio: f64 = line.trim_end_matches(" |").rsplit(' ').next().unwrap().parse().unwrap();
            assert!((1.0 / 1.6..=1.6).contains(&ratio), "{line}");
            checked += 1;
        }
        assert!(checked >= 4, "{checked} predictions");
    }
}
