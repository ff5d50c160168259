//! Runs on disk.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Limit, Place, Row, to_csv};

/// One run of a bench.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Which bench: the file's stem.
    pub name: String,
    /// What it ran on.
    pub device: String,
    /// Commit of the code.
    pub commit: String,
    /// Day.
    pub date: String,
    /// What was asked for: the command line.
    pub command: String,
    /// Threads that the runs used, where not said by the row.
    pub threads: usize,
    /// Runnable processes over one minute when it began, where the system tells: other work disturbs.
    pub load_average: Option<f64>,
    /// What the machine was measured to do at most.
    pub limits: Vec<Limit>,
    /// What could not run, and why.
    pub absent: Vec<String>,
    /// Whether it came to its end.
    pub complete: bool,
    /// The rows.
    pub rows: Vec<Row>,
    /// Remarks that hold for all rows.
    pub notes: Vec<String>,
}

/// Writes a run while it grows.
#[derive(Debug)]
pub struct Recorder {
    folder: Option<PathBuf>,
    /// What has been measured so far.
    pub run: Run,
}

impl Recorder {
    /// A run that is kept at `place`, or nowhere.
    #[must_use]
    pub fn new(name: &str, place: &Place, keep: bool) -> Self {
        let load = fs::read_to_string("/proc/loadavg").ok();
        let run = Run {
            name: name.to_owned(),
            device: place.device.clone(),
            commit: place.commit.clone(),
            date: place.date.clone(),
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            load_average: load.and_then(|text| text.split(' ').next()?.parse().ok()),
            ..Run::default()
        };
        Self { folder: keep.then(|| place.folder()), run }
    }

    /// Goes on with a run of the same commit that did not come to its end: its rows, limits and remarks are kept. Nothing
    /// happens where there is none.
    ///
    /// # Errors
    /// A record is there and cannot be read.
    pub fn resume(&mut self) -> Result<(), String> {
        let Some(path) = self.folder.as_ref().map(|folder| folder.join(format!("{}.json", self.run.name)))
        else {
            return Ok(());
        };
        if !path.is_file() {
            return Ok(());
        }
        let before = read(&path)?;
        let load_average = before.load_average.into_iter().chain(self.run.load_average).reduce(f64::max);
        self.run = Run { complete: false, load_average, command: self.run.command.clone(), ..before };
        Ok(())
    }

    /// Adds a row, with the run's own device, commit and date where it has none, and writes everything.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn push(&mut self, mut row: Row) -> std::io::Result<()> {
        for (own, of_run) in [
            (&mut row.device, &self.run.device),
            (&mut row.commit, &self.run.commit),
            (&mut row.date, &self.run.date),
        ] {
            if own.is_empty() {
                own.clone_from(of_run);
            }
        }
        self.run.rows.push(row);
        self.write()
    }

    /// Writes `NAME.csv` and `NAME.json`: each whole, or as it was before.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self) -> std::io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(&self.run)? + "\n";
        for (extension, text) in [("csv", to_csv(&self.run.rows)), ("json", json)] {
            let path = folder.join(format!("{}.{extension}", self.run.name));
            let partial = folder.join(format!(".{}.{extension}.partial", self.run.name));
            fs::write(&partial, text)?;
            fs::rename(&partial, &path)?;
        }
        Ok(())
    }

    /// Where the files are, if they are kept.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

/// Reads a run's JSON.
///
/// # Errors
/// When the file cannot be read or is no run; the message names it.
pub fn read(path: &Path) -> Result<Run, String> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// All runs under a folder, with their paths, in the order of the paths.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn records(folder: &Path) -> Result<Vec<(PathBuf, Run)>, String> {
    let mut runs = Vec::new();
    for path in find(folder)? {
        let run = read(&path)?;
        runs.push((path, run));
    }
    Ok(runs)
}

/// The JSON files under a folder, sorted.
///
/// # Errors
/// When a folder cannot be read.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(root: &Path) -> Place {
        Place {
            root: root.to_owned(),
            device: "some device".into(),
            commit: "abc".into(),
            date: "2026-11-22".into(),
        }
    }

    #[test]
    fn an_interrupted_run_keeps_what_it_measured() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let mut recorder = Recorder::new("bench", &place, true);
        recorder.push(Row { op: "score".into(), median_us: 2.0, ..Row::default() }).unwrap();
        // No end: what a kill leaves behind.
        drop(recorder);
        let found = records(root.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert!(!found[0].1.complete);
        assert_eq!(found[0].1.rows[0].median_us, 2.0);
        assert_eq!(found[0].1.rows[0].device, "some device");
        let csv = fs::read_to_string(found[0].0.with_extension("csv")).unwrap();
        assert_eq!(crate::from_csv(&csv).unwrap(), found[0].1.rows);
    }

    #[test]
    fn a_run_that_was_interrupted_goes_on_with_what_it_has() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let row = |op: &str| Row { op: op.into(), median_us: 2.0, ..Row::default() };
        Recorder::new("bench", &place, true).push(row("first")).unwrap();
        let mut again = Recorder::new("bench", &place, true);
        again.resume().unwrap();
        again.push(row("second")).unwrap();
        let rows = records(root.path()).unwrap().remove(0).1.rows;
        assert_eq!(rows.iter().map(|row| row.op.as_str()).collect::<Vec<_>>(), ["first", "second"]);
        // Of another commit nothing is taken.
        let mut other = Recorder::new("bench", &Place { commit: "def".into(), ..place }, true);
        other.resume().unwrap();
        assert!(other.run.rows.is_empty());
    }

    #[test]
    fn nothing_is_written_where_nothing_is_kept() {
        let root = tempfile::tempdir().unwrap();
        Recorder::new("bench", &place(root.path()), false).push(Row::default()).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
