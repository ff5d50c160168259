//! `cargo xtask import FOLDER`: the results of a GPU suite, brought back from the machine that ran it, as records: what
//! `cargo xtask report` shows beside this machine's.
//!
//! `FOLDER` is the bundle's `results/`. Each timing part becomes a run of its own, `gpu-PART`, under the GPU's name; what the
//! summary says was not run, or failed, is kept with the first of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use maskrank_rows::{Limit, Place, Recorder, Row, from_csv};

/// Parts of the suite that write timings.
const PARTS: [&str; 4] = ["ceilings", "kernels", "model", "peers"];

/// Brings a folder of results into `benches/record/`; returns the records' paths.
///
/// # Errors
/// No timings there; a file that cannot be read or is no table of rows; rows of two devices or commits; names that are none.
pub(crate) fn run(root: &Path, results: &Path) -> Result<Vec<PathBuf>, String> {
    let nested = results.join("results");
    let results = if nested.is_dir() { nested } else { results.to_owned() };
    let outcomes = outcomes(&results.join("summary.csv"))?;
    let mut parts: Vec<(&str, Vec<Row>)> = Vec::new();
    for part in PARTS {
        let path = results.join(format!("{part}.csv"));
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let rows = from_csv(&text).map_err(|problem| format!("{}: {problem}", path.display()))?;
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.median_us > 0.0).collect();
        if !rows.is_empty() {
            parts.push((part, rows));
        }
    }
    let all = || parts.iter().flat_map(|(_, rows)| rows);
    let Some(first) = all().next().cloned() else {
        return Err(format!(
            "{}: no timings there; expected {}.csv",
            results.display(),
            PARTS.join(".csv, ")
        ));
    };
    for row in all() {
        let of = |row: &Row| (row.device.clone(), row.commit.clone());
        if of(row) != of(&first) {
            return Err(format!(
                "rows of {} at {} beside rows of {} at {}: import each by itself",
                row.device, row.commit, first.device, first.commit
            ));
        }
    }
    for (what, name) in [("commit", &first.commit), ("date", &first.date), ("device", &first.device)] {
        // They become names of folders.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_.(),/+".contains(c);
        let is_path = what != "device" && name.contains(['/', '.', ' ']);
        if name.is_empty() || name.len() > 100 || is_path || !name.chars().all(is_plain) {
            return Err(format!("{what} {name:?} is no name"));
        }
    }
    let place = Place { root: root.to_owned(), device: first.device, commit: first.commit, date: first.date };
    let mut written = Vec::new();
    for (index, (part, rows)) in parts.into_iter().enumerate() {
        let mut recorder = Recorder::new(&format!("gpu-{part}"), &place, true);
        let run = &mut recorder.run;
        run.command = format!("run.sh {part}, on {}", place.device);
        // Of this machine, not of that one.
        (run.load_average, run.threads) = (None, 0);
        run.complete = outcomes.get(part).is_none_or(|(outcome, _)| outcome == "passed");
        run.limits = if part == "ceilings" { limits(&rows) } else { Vec::new() };
        if index == 0 {
            for (part, (outcome, remark)) in &outcomes {
                match outcome.as_str() {
                    "passed" => run.notes.push(format!("{part}: passed")),
                    _ => run.absent.push(format!("{part}: {outcome}: {remark}")),
                }
            }
        }
        run.rows = rows;
        recorder.write().map_err(|error| format!("cannot write the record: {error}"))?;
        let path = place.folder().join(format!("gpu-{part}.json"));
        println!("{}: {} rows", path.display(), recorder.run.rows.len());
        written.push(path);
    }
    Ok(written)
}

/// By part, its outcome and the remark.
fn outcomes(summary: &Path) -> Result<BTreeMap<String, (String, String)>, String> {
    let Ok(text) = fs::read_to_string(summary) else { return Ok(BTreeMap::new()) };
    let mut outcomes = BTreeMap::new();
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let mut fields = line.splitn(4, ',');
        let (Some(part), Some(outcome), Some(_seconds)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(format!(
                "{}: expected part,outcome,seconds,remark, found {line:?}",
                summary.display()
            ));
        };
        let remark = fields.next().unwrap_or_default();
        outcomes.insert(part.to_owned(), (outcome.to_owned(), remark.to_owned()));
    }
    Ok(outcomes)
}

/// What the part `ceilings` measured, as limits of the machine; the other parts measure none.
fn limits(rows: &[Row]) -> Vec<Limit> {
    let limit = |name: String, value: f64, unit: &str, how: &str| Limit {
        name,
        threads: 0,
        value,
        unit: unit.to_owned(),
        how: how.to_owned(),
    };
    let mut limits = Vec::new();
    for row in rows {
        let name = row.op.replace('_', " ");
        match row.kind.as_str() {
            "copy" => {
                let how = "device events, pinned; on the device bytes read and bytes written both count";
                limits.push(limit(name, row.gb_per_s.unwrap_or(0.0) * 1e9, "B/s", how));
            }
            "launch" => limits.push(limit(name, row.median_us * 1e-6, "s", "one small kernel")),
            "ceiling" if row.op == "ceiling_read" => {
                let name = format!("read {}", row.shape.replace("MB", " MB"));
                let how = "a kernel that does nothing else, again and again, device events";
                limits.push(limit(name, row.gb_per_s.unwrap_or(0.0) * 1e9, "B/s", how));
            }
            "ceiling" | "kernel" => {
                let (name, how) = match row.kind.as_str() {
                    "ceiling" => ("multiply rate", "mma.sync, or multiply-adds, on registers".to_owned()),
                    _ => ("best product", format!("our own, {}: no bound of the device's", row.shape)),
                };
                let name = format!("{name} {}", row.dtype);
                limits.push(limit(name, row.tflop_per_s.unwrap_or(0.0) * 1e12, "FLOP/s", &how));
            }
            _ => {}
        }
    }
    limits
}

#[cfg(test)]
#[path = "../../benches/gpu/row.rs"]
#[allow(dead_code, reason = "the suite's own writer, of which the test needs a part")]
mod suite;

#[cfg(test)]
mod tests {
    use maskrank_rows::records;

    use super::*;

    fn row(op: &str, kind: &'static str, dtype: &str, shape: &str, seconds: f64) -> suite::Row {
        suite::Row {
            device: "NVIDIA H200 (CUDA 12.8)".into(),
            op: op.into(),
            dtype: dtype.into(),
            shape: shape.into(),
            kind,
            seconds: vec![0.9 * seconds, seconds, 1.2 * seconds],
            candidates: if kind == "graph" { 1500 } else { 0 },
            bytes: match (kind, op) {
                ("copy", _) | (_, "ceiling_read") => 2e9,
                ("graph", _) => 9.62e7,
                _ => 0.0,
            },
            flops: if ["copy", "launch"].contains(&kind) || op == "ceiling_read" { 0.0 } else { 1.442e11 },
            accuracy: (kind == "graph").then_some([2.4e-2, 0.999, 49.0]),
            limit: (kind == "graph").then(|| ("limit: multiply rate 600.0 TFLOP/s".into(), Some(0.8))),
        }
    }

    /// A folder as the suite leaves it, by the suite's own writer.
    fn results() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |part: &str, rows: &[suite::Row]| {
            suite::write(&folder.path().join(format!("{part}.csv")), rows).unwrap();
        };
        write(
            "ceilings",
            &[
                row("device_to_device", "copy", "bytes", "1024MiB", 5e-4),
                row("graph_start", "launch", "bf16", "n1", 8e-6),
                row("gemm_bf16_t128", "kernel", "bf16", "m8192_n4096_k4096", 4e-4),
                row("ceiling_multiply_bf16", "ceiling", "bf16", "registers", 3e-4),
                row("ceiling_read", "ceiling", "bytes", "96.2MB", 5e-4),
            ],
        );
        write(
            "model",
            &[
                row("production", "graph", "bf16", "n1500", 3e-4),
                row("production", "graph", "f32", "n1500", 3e-3),
                row("production", "score_pageable_f32_rows", "bf16", "n1500", 9e-4),
            ],
        );
        let summary = "part,outcome,seconds,remark\ngolden,passed,12,\nmodel,passed,80,\n\
                       memcheck,not run,0,compute-sanitizer is not on this machine\n";
        fs::write(folder.path().join("summary.csv"), summary).unwrap();
        folder
    }

    #[test]
    fn what_a_suite_leaves_is_a_record_that_the_report_shows() {
        let (root, results) = (tempfile::tempdir().unwrap(), results());
        let written = run(root.path(), results.path()).unwrap();
        assert_eq!(written.len(), 2);
        let all = records(&root.path().join("benches/record")).unwrap();
        assert_eq!(
            all.iter().map(|(_, run)| run.name.as_str()).collect::<Vec<_>>(),
            ["gpu-ceilings", "gpu-model"]
        );
        assert!(all.iter().all(|(_, run)| run.device == "NVIDIA H200" && run.complete));
        let ceilings = &all[0].1;
        let limit = |name: &str| ceilings.limits.iter().find(|limit| limit.name == name).unwrap().value;
        // 2e9 bytes in 0.5 ms; a start of 8 us; 144.2 GFLOP in 0.4 ms.
        for (name, expected) in [
            ("device to device", 4e12),
            ("graph start", 8e-6),
            ("best product bf16", 3.605e14),
            ("multiply rate bf16", 4.807e14),
            ("read 96.2 MB", 4e12),
        ] {
            assert!((limit(name) / expected - 1.0).abs() <= 1e-4, "{name}: {}", limit(name));
        }
        assert!(ceilings.absent.iter().any(|line| line.contains("memcheck: not run: compute-sanitizer")));
        // 1,500 candidates in 0.3 ms.
        let rate = all[1].1.rows[0].candidates_per_s.unwrap();
        assert!((rate / 5e6 - 1.0).abs() <= 1e-6, "{rate}");
        assert_eq!((all[1].1.rows[0].logit_error, all[1].1.rows[0].top_50), (Some(2.4e-2), Some(49.0)));
        let page = crate::report::page(root.path(), &all);
        for shown in [
            "NVIDIA H200",
            "maskrank cuda bf16 graph",
            "score_pageable_f32_rows",
            "not on this machine",
            "limit of the GPU, bf16",
            "limit: multiply rate 600.0 TFLOP/s</td><td>0.8000",
        ] {
            assert!(page.contains(shown), "the page has no {shown}");
        }
    }

    #[test]
    fn what_is_no_result_is_refused_by_name() {
        let (root, results) = (tempfile::tempdir().unwrap(), results());
        let refused = |part: &str, text: &str, expected: &str| {
            let path = results.path().join(format!("{part}.csv"));
            let before = fs::read_to_string(&path).unwrap_or_default();
            fs::write(&path, text).unwrap();
            let problem = run(root.path(), results.path()).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
            fs::write(&path, before).unwrap();
        };
        refused("kernels", "op,median_us\ngemm,fast\n", "kernels.csv: line 2: median_us");
        refused("kernels", "op,device,commit,median_us\ngemm,other,abc,3\n", "import each by itself");
        refused("summary", "part,outcome,seconds,remark\nmodel\n", "expected part,outcome,seconds,remark");
        let empty = tempfile::tempdir().unwrap();
        assert!(run(root.path(), empty.path()).unwrap_err().contains("no timings there"));
        let path = "device,commit,date,op,median_us\nNVIDIA H200,../../../etc,2026-11-22,production,3\n";
        fs::write(empty.path().join("model.csv"), path).unwrap();
        assert!(run(root.path(), empty.path()).unwrap_err().contains("is no name"));
        assert!(!root.path().join("benches").exists(), "nothing was written");
    }

    /// The peers' side is written by Python: its columns are ours.
    #[test]
    fn the_peers_columns_are_columns_of_rows() {
        let script = include_str!("gpu_suite/peers.py");
        let block = script.split("COLUMNS = (").nth(1).unwrap().split(')').next().unwrap();
        let header: String = block.split('"').skip(1).step_by(2).collect();
        let known = |column: &str| maskrank_rows::COLUMNS.contains(&column);
        assert!(header.split(',').count() >= 18 && header.split(',').all(known), "{header}");
    }
}
