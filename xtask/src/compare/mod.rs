//! `cargo xtask compare A B`: what changed between two records beyond the noise.
//!
//! Two things make an unchanged program's times differ. Inside a run the machine wanders: each row carries how far the
//! medians of its own parts lie apart (`maskrank_rows::Summary::noise`), from which comes a deviation. Between runs
//! everything shifts together, and rows of one kind scatter around that shift: both are estimated from the rows
//! themselves ([`noise`]). A row is named only where it lies so far from the shift that all rows of an unchanged program
//! together would put one there in one comparison of twenty at most ([`noise::factor`]).

mod noise;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use maskrank_rows::{Limit, Row, Run, find, from_csv, read};

use noise::{Outcome, Pair};

/// What to compare.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// A record: a JSON or CSV file, or a folder of them
    a: PathBuf,
    /// Another one
    b: PathBuf,
    /// Fail where a row changed beyond the noise: for two runs of the same commit
    #[arg(long)]
    same: bool,
}

/// One record, rows by id.
#[derive(Clone, Debug, Default)]
struct Record {
    rows: BTreeMap<String, Row>,
    limits: Vec<Limit>,
    /// Highest load average at the start of its runs.
    load: Option<f64>,
}

/// Prints the comparison.
///
/// # Errors
/// A record cannot be read, or the two have no row in common; with `--same`, a row changed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let load = |path: &Path| {
        load(&if path.is_absolute() || path.exists() { path.to_owned() } else { root.join(path) })
    };
    let (a, b) = (load(&arguments.a)?, load(&arguments.b)?);
    let outcome = compare(&a, &b)?;
    print!("{}", text(&outcome, &a, &b));
    match outcome.changed.len() {
        changed if arguments.same && changed > 0 => {
            Err(format!("{changed} rows differ by more than the noise, where none should"))
        }
        _ => Ok(()),
    }
}

/// Of a folder all files' rows, the last one winning.
fn load(path: &Path) -> Result<Record, String> {
    let files = if path.is_dir() { find(path)? } else { vec![path.to_owned()] };
    let mut record = Record::default();
    for file in files {
        let run = match file.extension().is_some_and(|extension| extension == "csv") {
            true => {
                let text =
                    std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                let rows = from_csv(&text).map_err(|error| format!("{}: {error}", file.display()))?;
                Run { rows, ..Run::default() }
            }
            false => read(&file)?,
        };
        record.rows.extend(run.rows.into_iter().filter(|r| r.median_us > 0.0).map(|row| (row.id(), row)));
        record.limits.extend(run.limits);
        record.load = record.load.into_iter().chain(run.load_average).reduce(f64::max);
    }
    match record.rows.is_empty() {
        true => Err(format!("{}: no rows with a time", path.display())),
        false => Ok(record),
    }
}

fn compare(a: &Record, b: &Record) -> Result<Outcome, String> {
    let pairs: Vec<Pair> = a
        .rows
        .iter()
        .filter_map(|(id, a)| Some((id, a, b.rows.get(id)?)))
        .map(|(id, a, b)| Pair {
            id: id.clone(),
            kind: a.kind.clone(),
            a: a.median_us,
            b: b.median_us,
            deviation: noise::deviation(a).hypot(noise::deviation(b)),
        })
        .collect();
    if pairs.is_empty() {
        return Err("the records have no row in common".to_owned());
    }
    Ok(Outcome::of(pairs))
}

/// How many times as fast B's machine was at what does not depend on the program: the median of the limits' ratios.
fn machine(a: &[Limit], b: &[Limit]) -> Option<f64> {
    let same = |x: &Limit, y: &Limit| (&x.name, x.threads, &x.unit) == (&y.name, y.threads, &y.unit);
    let ratios: Vec<f64> = a
        .iter()
        .filter(|limit| limit.value > 0.0 && limit.unit != "s")
        .filter_map(|x| Some(b.iter().find(|y| same(x, y))?.value / x.value))
        .filter(|ratio| ratio.is_finite())
        .collect();
    (!ratios.is_empty()).then(|| maskrank_rows::statistics::quantile(&ratios, 0.5))
}

fn text(outcome: &Outcome, a: &Record, b: &Record) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "all rows together: B takes {:.3} times as long as A", outcome.shift);
    if let Some(ratio) = machine(&a.limits, &b.limits) {
        let _ = writeln!(
            text,
            "the machine's own limits, measured beside them: B's are {ratio:.3} times A's; what they do not explain of \
             the figure above, the program or other work does"
        );
    }
    for (kind, scatter) in &outcome.scatter {
        let _ = writeln!(
            text,
            "noise of {kind} rows: {:.1} % around that; of a typical row only a change beyond {:.0} % can be told from it",
            100.0 * scatter,
            100.0 * outcome.visible(kind)
        );
    }
    for (name, load) in [("A", a.load), ("B", b.load)] {
        if let Some(load) = load.filter(|&load| load > 0.5) {
            let _ = writeln!(text, "{name} was taken beside other work (load average {load})");
        }
    }
    for pair in &outcome.changed {
        let ratio = pair.b / pair.a;
        let word = if ratio < outcome.shift { "faster" } else { "slower" };
        let _ = writeln!(
            text,
            "{word}  {:<44} {:.1} us → {:.1} us: {ratio:.3} times (noise ±{:.1} %)",
            pair.id,
            pair.a,
            pair.b,
            100.0 * outcome.bound(pair)
        );
    }
    let _ = writeln!(text, "{} changed beyond the noise, {} did not", outcome.changed.len(), outcome.same);
    for (name, from, other) in [("A", a, b), ("B", b, a)] {
        let only: Vec<&str> =
            from.rows.keys().filter(|id| !other.rows.contains_key(*id)).map(String::as_str).collect();
        if !only.is_empty() {
            let _ = writeln!(text, "only in {name}: {}", only.join(", "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(medians: &[f64], noise: f64) -> Record {
        let row = |(index, &median): (usize, &f64)| Row {
            op: format!("op{index}"),
            kind: "score".into(),
            median_us: median,
            noise: Some(noise),
            ..Row::default()
        };
        let rows = medians.iter().enumerate().map(row).map(|row| (row.id(), row)).collect();
        Record { rows, ..Record::default() }
    }

    #[test]
    fn a_slower_machine_changes_no_single_row() {
        let a = record(&[10.0, 20.0, 30.0, 40.0, 50.0, 60.0], 0.01);
        let b = record(&[12.0, 24.0, 36.0, 48.0, 60.0, 72.0], 0.01);
        let outcome = compare(&a, &b).unwrap();
        assert!((outcome.shift - 1.2).abs() < 1e-9);
        assert_eq!((outcome.changed.len(), outcome.same), (0, 6));
    }

    #[test]
    fn the_one_row_that_changed_is_named() {
        let a = record(&[10.0, 20.0, 30.0, 40.0, 50.0, 60.0], 0.01);
        let b = record(&[10.0, 20.1, 29.8, 30.0, 50.2, 60.0], 0.01);
        let outcome = compare(&a, &b).unwrap();
        assert_eq!(outcome.changed.len(), 1);
        assert_eq!(outcome.changed[0].id, "op3///");
        let said = text(&outcome, &a, &b);
        assert!(
            said.contains("faster  op3") && said.contains("1 changed beyond the noise, 5 did not"),
            "{said}"
        );
        // The same difference inside a larger noise is none.
        let outcome = compare(&record(&[10.0, 40.0], 0.3), &record(&[10.0, 30.0], 0.3)).unwrap();
        assert_eq!(outcome.changed.len(), 0);
    }

    #[test]
    fn what_the_machine_did_is_told_from_what_the_program_did() {
        let limit = |value| Limit { unit: "B/s".into(), value, ..Limit::default() };
        assert_eq!(machine(&[limit(2.0)], &[limit(1.0)]), Some(0.5));
        assert_eq!(machine(&[limit(2.0)], &[]), None);
    }

    #[test]
    fn records_without_a_common_row_are_refused() {
        let b = Record { rows: BTreeMap::from([("x".to_owned(), Row::default())]), ..Record::default() };
        assert!(compare(&record(&[1.0], 0.0), &b).is_err());
    }

    /// Whoever measures a commit twice keeps the second run as `NAME-again`: nothing of the two may differ beyond the
    /// noise that the comparison estimates.
    #[test]
    fn committed_runs_of_the_same_commit_do_not_differ() {
        let folder = crate::root().join("benches/record");
        for again in find(&folder).unwrap() {
            let name = again.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Some(first) = name.strip_suffix("-again") else { continue };
            let first = again.with_file_name(format!("{first}.json"));
            let (a, b) = (load(&first).unwrap(), load(&again).unwrap());
            let outcome = compare(&a, &b).unwrap();
            assert!(outcome.changed.is_empty(), "{}:\n{}", again.display(), text(&outcome, &a, &b));
        }
    }

    /// A slowdown that is planted into the second run of a committed pair is named, and no other row is: every row of whole
    /// calls that the comparison says it can see.
    #[test]
    fn a_planted_slowdown_of_a_committed_run_is_reported() {
        let folder = crate::root().join("benches/record");
        let (mut planted, mut seen) = (0, 0);
        for again in find(&folder).unwrap() {
            let name = again.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Some(first) = name.strip_suffix("-again") else { continue };
            let (a, b) =
                (load(&again.with_file_name(format!("{first}.json"))).unwrap(), load(&again).unwrap());
            let whole: Vec<&String> =
                b.rows.iter().filter(|(_, row)| row.kind == "score").map(|(id, _)| id).collect();
            for id in whole {
                let mut slower = b.clone();
                slower.rows.get_mut(id).unwrap().median_us *= 1.3;
                let outcome = compare(&a, &slower).unwrap();
                let named: Vec<&str> = outcome.changed.iter().map(|pair| pair.id.as_str()).collect();
                assert!(named.iter().all(|other| other == id), "{id} was slowed down, {named:?} are named");
                planted += 1;
                if named == [id] {
                    seen += 1;
                    let said = text(&outcome, &a, &slower);
                    assert!(said.contains(&format!("slower  {id}")), "{said}");
                }
            }
        }
        // Some rows of a busy machine are noisier than that, and say so; most are not.
        assert!(planted > 0 && 2 * seen > planted, "{seen} of {planted} slowdowns of 30 % were reported");
        println!("{seen} of {planted} slowdowns of 30 % were reported");
    }
}
