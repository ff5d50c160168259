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

    /// Goes on with the last run of the same commit, of whatever day: its rows, limits and remarks are kept, and its place.
    /// Nothing happens where there is none.
    ///
    /// # Errors
    /// A record is there and cannot be read.
    pub fn resume(&mut self) -> Result<(), String> {
        let Some((path, before)) = self.last()? else { return Ok(()) };
        self.folder = path.parent().map(Path::to_owned);
        let load_average = before.load_average.into_iter().chain(self.run.load_average).reduce(f64::max);
        self.run = Run { complete: false, load_average, command: self.run.command.clone(), ..before };
        Ok(())
    }

    /// Rows of a run of the same commit that did not come to its end, if there is one.
    ///
    /// # Errors
    /// A record is there and cannot be read.
    pub fn interrupted(&self) -> Result<Option<usize>, String> {
        Ok(self.last()?.filter(|(_, run)| !run.complete).map(|(_, run)| run.rows.len()))
    }

    /// The newest run of the same name and commit.
    fn last(&self) -> Result<Option<(PathBuf, Run)>, String> {
        let Some(machine) = self.folder.as_ref().and_then(|folder| folder.parent()) else { return Ok(None) };
        let Ok(days) = fs::read_dir(machine) else { return Ok(None) };
        let suffix = format!("-{}", self.run.commit);
        let is_own =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&suffix));
        let mut days: Vec<PathBuf> = days.flatten().map(|entry| entry.path()).filter(is_own).collect();
        days.sort();
        for day in days.into_iter().rev() {
            let path = day.join(format!("{}.json", self.run.name));
            if path.is_file() {
                let run = read(&path)?;
                return Ok((run.commit == self.run.commit).then_some((path, run)));
            }
        }
        Ok(None)
    }

    /// Whether the record can be written: before anything is measured for it.
    ///
    /// # Errors
    /// Names the folder and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let probe = folder.join(format!(".{}.probe", self.run.name));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&probe, ""))
            .and_then(|()| fs::remove_file(&probe))
            .map_err(|error| format!("cannot write records to {}: {error}", folder.display()))
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
        let mut other = Recorder::new("bench", &Place { commit: "def".into(), ..place.clone() }, true);
        other.resume().unwrap();
        assert!(other.run.rows.is_empty());
        // After midnight it goes on where it began, and nowhere else.
        let tomorrow = Place { date: "2026-11-23".into(), ..place.clone() };
        let mut later = Recorder::new("bench", &tomorrow, true);
        assert_eq!(later.interrupted().unwrap(), Some(2));
        later.resume().unwrap();
        later.run.complete = true;
        later.push(row("third")).unwrap();
        let found = records(root.path()).unwrap();
        assert_eq!((found.len(), found[0].1.rows.len()), (1, 3));
        // That one was not interrupted.
        assert_eq!(Recorder::new("bench", &place, true).interrupted().unwrap(), None);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_said_beforehand() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        Recorder::new("bench", &place, true).check().unwrap();
        fs::remove_dir_all(root.path().join("benches")).unwrap();
        fs::write(root.path().join("benches"), "a file, no folder").unwrap();
        let problem = Recorder::new("bench", &place, true).check().unwrap_err();
        assert!(problem.contains("cannot write records to") && problem.contains("some-device"), "{problem}");
        assert!(Recorder::new("bench", &place, false).check().is_ok(), "nothing is kept, nothing is written");
    }

    #[test]
    fn nothing_is_written_where_nothing_is_kept() {
        let root = tempfile::tempdir().unwrap();
        Recorder::new("bench", &place(root.path()), false).push(Row::default()).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
