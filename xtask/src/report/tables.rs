//! The README's tables.

use std::fmt::Write as _;

use maskrank_rows::{Row, Run};

use crate::peers::targets;

const SIZES: [usize; 4] = [1, 32, 256, 1500];

/// The section between the README's markers.
pub(super) fn readme(folder: &str, runs: &[Run], figures: &[(String, String)]) -> String {
    let first = &runs[0];
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
    for (title, path) in figures {
        let _ = write!(text, "\n![{title}]({path})\n");
    }
    text
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
    fn thousands_are_parted() {
        assert_eq!([0.0, 999.0, 1_000.0, 1_234_567.4].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
