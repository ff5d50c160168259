//! The README's tables.

use std::fmt::Write as _;

use maskrank_rows::{Row, Run};

use crate::peers::targets;

const SIZES: [usize; 4] = [1, 32, 256, 1500];

/// The section between the README's markers.
pub(super) fn readme(folders: &[String], runs: &[Run], figures: &[(String, String)]) -> String {
    let first = &runs[0];
    let folder = folders.first().map_or("", String::as_str);
    let mut text = format!(
        "The production model on {}, whole calls from f32 rows to scores, answers checked first\n\
         (record: [{folder}]({folder}), {}, commit {}):\n\n",
        first.device, first.date, first.commit
    );
    let threads = runs.iter().map(|run| run.threads).max().unwrap_or(1);
    let own = |row: &&Row| row.op == "score" && row.backend == "cpu";
    // The comparison with the peers is the quieter of two measurements of the same rows, where there is one.
    let source = runs.iter().find(|run| run.name == "peers").unwrap_or(first);
    text.push_str("| precision | N = 1 | N = 32 | N = 256 | N = 1,500 | of the limit at 1,500 | largest logit error | top 50 |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    for dtype in ["f32", "bf16", "f16"] {
        let at = |n: usize| {
            let find = |run: &Run| {
                let shape = format!("n{n}_t{threads}");
                run.rows.iter().filter(own).find(|row| row.dtype == dtype && row.shape == shape).cloned()
            };
            find(source).or_else(|| runs.iter().find_map(find))
        };
        let Some(largest) = at(1500) else { continue };
        let _ = write!(text, "| {dtype} ");
        for n in SIZES {
            let cell = at(n).map_or_else(String::new, |row| match n {
                1 | 32 => format!("{:.1} ms", row.median_us / 1e3),
                _ => format!("{} candidates/s", thousands(row.candidates_per_s.unwrap_or(0.0))),
            });
            let _ = write!(text, "| {cell} ");
        }
        let is_limit = largest.baseline.starts_with("limit");
        let share =
            largest.ratio.filter(|_| is_limit).map_or(String::new(), |r| format!("{:.0} %", 100.0 * r));
        let error = largest.logit_error.map_or(String::new(), |e| format!("{e:.1e}"));
        let top = largest.top_50.map_or(String::new(), |t| format!("{t:.0}"));
        let _ = writeln!(text, "| {share} | {error} | {top} |");
    }
    if let Some(peers) = runs.iter().find(|run| run.name == "peers") {
        text.push_str(
            "\nBeside the best of PyTorch, ONNX Runtime and OpenVINO in the same run, turn by turn:\n\n",
        );
        text.push_str(&targets(&peers.rows, threads));
    }
    gpus(&mut text, &folders[1.min(folders.len())..], runs);
    for (title, path) in figures {
        let _ = write!(text, "\n![{title}]({path})\n");
    }
    text
}

/// What the GPU suite found on each GPU, the best of PyTorch beside it.
fn gpus(text: &mut String, folders: &[String], runs: &[Run]) {
    let mut devices: Vec<&str> =
        runs.iter().filter(|run| run.name == "gpu-model").map(|run| run.device.as_str()).collect();
    devices.dedup();
    for device in devices {
        let rows: Vec<&Row> =
            runs.iter().filter(|run| run.device == device).flat_map(|run| &run.rows).collect();
        let links: Vec<String> = folders.iter().map(|folder| format!("[{folder}]({folder})")).collect();
        let _ = write!(
            text,
            "\nOn {device}, device-resident rows, one graph a call (record: {}):\n\n\
             | precision | N = 1 | N = 1,500 | N = 16,384 | from the host's f32 rows, 1,500 | PyTorch's best, 1,500 | largest logit error | top 50 |\n\
             |---|---|---|---|---|---|---|---|\n",
            links.join(", ")
        );
        for dtype in ["bf16", "f16", "tf32", "f32"] {
            let at = |backend: &str, n: usize, kind: Option<&str>| {
                let is_own = |row: &&&Row| {
                    row.op == "production"
                        && row.backend == backend
                        && row.dtype == dtype
                        && row.shape_number('n') == Some(n)
                        && kind.is_none_or(|kind| row.kind == kind)
                };
                rows.iter().filter(is_own).min_by(|a, b| a.median_us.total_cmp(&b.median_us)).copied()
            };
            let Some(own) = at("cuda", 1500, Some("graph")) else { continue };
            let rate = |row: &Row| format!("{} candidates/s", thousands(row.candidates_per_s.unwrap_or(0.0)));
            let cell = |row: Option<&Row>, show: &dyn Fn(&Row) -> String| row.map_or(String::new(), show);
            let _ = writeln!(
                text,
                "| {dtype} | {} | {} | {} | {} | {} | {} | {} |",
                cell(at("cuda", 1, Some("graph")), &|row| format!("{:.0} us", row.median_us)),
                rate(own),
                cell(at("cuda", 16_384, Some("graph")), &rate),
                cell(at("cuda", 1500, Some("score_pageable_f32_rows")), &rate),
                cell(at("pytorch", 1500, None), &|row| format!(
                    "{}; ours {:.2} ×",
                    rate(row),
                    row.median_us / own.median_us
                )),
                own.logit_error.map_or(String::new(), |error| format!("{error:.1e}")),
                own.top_50.map_or(String::new(), |top| format!("{top:.0}")),
            );
        }
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_stands_beside_pytorch_s_best() {
        let row = |backend: &str, kind: &str, us: f64| Row {
            op: "production".into(),
            backend: backend.into(),
            dtype: "bf16".into(),
            shape: "n1500".into(),
            kind: kind.into(),
            median_us: us,
            top_50: Some(49.0),
            ..Row::default()
        };
        let model = Run {
            name: "gpu-model".into(),
            device: "NVIDIA H200".into(),
            rows: vec![row("cuda", "graph", 300.0).rated(1500, 1.0, 1.0)],
            ..Run::default()
        };
        let peers = Run {
            name: "gpu-peers".into(),
            rows: vec![row("pytorch", "eager", 900.0), row("pytorch", "graph", 450.0).rated(1500, 1.0, 1.0)],
            ..model.clone()
        };
        let mut text = String::new();
        gpus(&mut text, &["benches/record/x".to_owned()], &[model, peers]);
        let line = text.lines().find(|line| line.starts_with("| bf16")).unwrap();
        assert!(line.contains("| 5,000,000 candidates/s |"), "{line}");
        assert!(
            line.contains("| 3,333,333 candidates/s; ours 1.50 × |") && line.ends_with("| 49 |"),
            "{line}"
        );
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!([0.0, 999.0, 1_000.0, 1_234_567.4].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
