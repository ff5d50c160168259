//! `cargo xtask compare A B`: what changed between two records beyond the noise.
//!
//! A row's noise is what its run measured (see `maskrank_rows::Summary::noise`). Besides, the rows that did not change
//! tell how far apart two runs of these machines lie as a whole: the median of all ratios is the *shift* between the
//! runs, and the spread of the ratios around it the noise between runs. A row counts as changed when it is further from
//! the shift than both noises together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use maskrank_rows::{Row, find, from_csv, read, statistics};

/// What to compare.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// A record: a JSON or CSV file, or a folder of them
    a: PathBuf,
    /// Another one
    b: PathBuf,
}

/// One id in both records.
#[derive(Clone, Debug, PartialEq)]
struct Pair {
    id: String,
    a: f64,
    b: f64,
    /// Relative noise of both medians together.
    noise: f64,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default)]
struct Outcome {
    /// Median of all ratios b / a.
    shift: f64,
    /// Half the width that holds two thirds of the ratios around the shift, relative.
    between: f64,
    changed: Vec<(Pair, f64)>,
    same: usize,
    only_a: Vec<String>,
    only_b: Vec<String>,
}

/// Prints the comparison.
///
/// # Errors
/// A record cannot be read, or the two have no row in common.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let load = |path: &Path| {
        load(&if path.is_absolute() || path.exists() { path.to_owned() } else { root.join(path) })
    };
    let outcome = compare(&load(&arguments.a)?, &load(&arguments.b)?)?;
    print!("{}", text(&outcome));
    Ok(())
}

/// Rows by id; of a folder all files', the last one winning.
fn load(path: &Path) -> Result<BTreeMap<String, Row>, String> {
    let files = if path.is_dir() { find(path)? } else { vec![path.to_owned()] };
    let mut rows = BTreeMap::new();
    for file in files {
        let of_file = match file.extension().is_some_and(|extension| extension == "csv") {
            true => {
                let text =
                    std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                from_csv(&text).map_err(|error| format!("{}: {error}", file.display()))?
            }
            false => read(&file)?.rows,
        };
        rows.extend(of_file.into_iter().filter(|row| row.median_us > 0.0).map(|row| (row.id(), row)));
    }
    match rows.is_empty() {
        true => Err(format!("{}: no rows with a time", path.display())),
        false => Ok(rows),
    }
}

fn compare(a: &BTreeMap<String, Row>, b: &BTreeMap<String, Row>) -> Result<Outcome, String> {
    // A record that kept no noise has at least its spread: half of p10 to p90 over the root of the samples.
    let noise = |row: &Row| {
        let spread = (row.p90_us - row.p10_us) / 2.0 / row.median_us / (row.samples.max(1) as f64).sqrt();
        row.noise.unwrap_or(spread)
    };
    let pairs: Vec<Pair> = a
        .iter()
        .filter_map(|(id, a)| Some((id, a, b.get(id)?)))
        .map(|(id, a, b)| Pair {
            id: id.clone(),
            a: a.median_us,
            b: b.median_us,
            noise: noise(a).hypot(noise(b)),
        })
        .collect();
    if pairs.is_empty() {
        return Err("the records have no row in common".to_owned());
    }
    let logs: Vec<f64> = pairs.iter().map(|pair| (pair.b / pair.a).ln()).collect();
    let shift = statistics::quantile(&logs, 0.5);
    let distances: Vec<f64> = logs.iter().map(|log| (log - shift).abs()).collect();
    // With fewer rows than this their spread says nothing.
    let between = if pairs.len() >= 5 { statistics::quantile(&distances, 2.0 / 3.0) } else { 0.0 };
    let mut outcome = Outcome { shift: shift.exp(), between, ..Outcome::default() };
    for (pair, log) in pairs.into_iter().zip(logs) {
        // Twice: about one row in twenty is beyond that by chance.
        let limit = 2.0 * pair.noise.hypot(between);
        match (log - shift).abs() > limit {
            true => outcome.changed.push((pair, log.exp())),
            false => outcome.same += 1,
        }
    }
    outcome.changed.sort_by(|x, y| x.1.total_cmp(&y.1));
    outcome.only_a = a.keys().filter(|id| !b.contains_key(*id)).cloned().collect();
    outcome.only_b = b.keys().filter(|id| !a.contains_key(*id)).cloned().collect();
    Ok(outcome)
}

fn text(outcome: &Outcome) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "all rows together: B takes {:.3} times as long as A (machine, clock or everything); rows scatter by {:.1} % \
         around that",
        outcome.shift,
        100.0 * outcome.between
    );
    for (pair, ratio) in &outcome.changed {
        let word = if *ratio < outcome.shift { "faster" } else { "slower" };
        let _ = writeln!(
            text,
            "{word}  {:<44} {:.1} us → {:.1} us: {ratio:.3} times (noise {:.1} %)",
            pair.id,
            pair.a,
            pair.b,
            100.0 * pair.noise
        );
    }
    let _ = writeln!(text, "{} changed beyond the noise, {} did not", outcome.changed.len(), outcome.same);
    for (name, ids) in [("A", &outcome.only_a), ("B", &outcome.only_b)] {
        if !ids.is_empty() {
            let _ = writeln!(text, "only in {name}: {}", ids.join(", "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(medians: &[f64], noise: f64) -> BTreeMap<String, Row> {
        let row = |(index, &median): (usize, &f64)| Row {
            op: format!("op{index}"),
            median_us: median,
            noise: Some(noise),
            ..Row::default()
        };
        medians.iter().enumerate().map(row).map(|row| (row.id(), row)).collect()
    }

    #[test]
    fn a_slower_machine_changes_no_single_row() {
        let a = rows(&[10.0, 20.0, 30.0, 40.0, 50.0, 60.0], 0.01);
        let b = rows(&[12.0, 24.0, 36.0, 48.0, 60.0, 72.0], 0.01);
        let outcome = compare(&a, &b).unwrap();
        assert!((outcome.shift - 1.2).abs() < 1e-9);
        assert_eq!((outcome.changed.len(), outcome.same), (0, 6));
    }

    #[test]
    fn the_one_row_that_changed_is_named() {
        let a = rows(&[10.0, 20.0, 30.0, 40.0, 50.0, 60.0], 0.01);
        let b = rows(&[10.0, 20.1, 29.8, 30.0, 50.2, 60.0], 0.01);
        let outcome = compare(&a, &b).unwrap();
        assert_eq!(outcome.changed.len(), 1);
        assert_eq!(outcome.changed[0].0.id, "op3///");
        assert!(text(&outcome).contains("faster  op3"), "{}", text(&outcome));
        // The same difference inside a larger noise is none.
        let outcome = compare(&rows(&[10.0, 40.0], 0.2), &rows(&[10.0, 30.0], 0.2)).unwrap();
        assert_eq!(outcome.changed.len(), 0);
    }

    #[test]
    fn records_without_a_common_row_are_refused() {
        let b = BTreeMap::from([("x".to_owned(), Row::default())]);
        assert!(compare(&rows(&[1.0], 0.0), &b).is_err());
    }
}
