//! Where a run is, written down so that a later one can go on from there.
//!
//! The order makes it safe at any moment: rows reach the disk before the state that counts them, the state replaces the
//! one before in one rename, and a run that goes on cuts off what no state counts. The last state says that all rows are
//! there; only then is the output made of them, and only then does the state go.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use maskrank::records::Position;
use serde::{Deserialize, Serialize};

use super::parquet_out;
use super::rows::Line;
use crate::output::{beside, sync_folder};

const VERSION: u32 = 1;

/// Everything that a run needs to go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    version: u32,
    /// What the output depends on. A run with other settings cannot go on with this one's output.
    run: BTreeMap<String, String>,
    pub(crate) position: Position,
    pub(crate) output_bytes: u64,
    pub(crate) candidates: u64,
    /// Broken records and files cut short before the position.
    pub(crate) skipped: (u64, u64),
    /// Rows of a request that the position cuts, where only the best are written.
    pub(crate) open: Vec<Line>,
    is_complete: bool,
}

/// How the output is made of the rows that were written beside it.
#[derive(Clone, Debug)]
pub(crate) enum Making {
    /// They are the output: it gets its name.
    Renaming,
    /// They are packed, and become a Parquet file with these columns of probabilities.
    Table(Vec<String>),
}

impl Making {
    /// Makes the output, so that it appears at once and whole. Doing it again after a kill gives the same.
    fn make(&self, partial: &Path, out: &Path) -> io::Result<()> {
        match self {
            Self::Renaming => fs::rename(partial, out)?,
            Self::Table(tasks) => {
                let table = beside(out, ".table");
                parquet_out::convert(partial, &table, tasks)?;
                fs::rename(&table, out)?;
                sync_folder(out)?;
                remove(partial)?;
            }
        }
        sync_folder(out)
    }

    /// Whether `out` is what so many bytes of rows make.
    fn made(&self, out: &Path, bytes: u64) -> io::Result<bool> {
        match self {
            Self::Renaming => Ok(fs::metadata(out)?.len() == bytes),
            Self::Table(tasks) => {
                Ok(parquet_out::count(out)? == bytes / Line::packed_bytes(tasks.len()) as u64)
            }
        }
    }
}

/// The state's file, and when it was last written.
pub(crate) struct Checkpoints {
    out: PathBuf,
    making: Making,
    every: Duration,
    last: Instant,
    state: State,
}

/// How a run begins.
pub(crate) enum Start {
    /// At the first record.
    Anew,
    /// Where an earlier run was.
    From(State),
    /// An earlier run had written every row; its output has been made now.
    Complete(State),
}

impl Checkpoints {
    pub(crate) fn new(out: &Path, making: Making, every: Duration, run: BTreeMap<String, String>) -> Self {
        let state = State {
            version: VERSION,
            run,
            position: Position::default(),
            output_bytes: 0,
            candidates: 0,
            skipped: (0, 0),
            open: Vec::new(),
            is_complete: false,
        };
        Self { out: out.to_owned(), making, every, last: Instant::now(), state }
    }

    fn path(&self) -> PathBuf {
        beside(&self.out, ".state")
    }

    /// Forgets an earlier run.
    pub(crate) fn clear(&self) -> Result<(), String> {
        remove(&self.path()).map_err(|error| format!("cannot remove {}: {error}", self.path().display()))
    }

    /// Finds out where an earlier run was.
    pub(crate) fn start(&mut self) -> Result<Start, String> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Start::Anew),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        let anew = format!("remove {} to begin anew", path.display());
        let state: State =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}; {anew}", path.display()))?;
        if state.version != VERSION {
            return Err(format!(
                "{}: expected version {VERSION}, found {}; {anew}",
                path.display(),
                state.version
            ));
        }
        let names: std::collections::BTreeSet<_> = self.state.run.keys().chain(state.run.keys()).collect();
        for name in names {
            let of =
                |run: &BTreeMap<String, String>| run.get(name).cloned().unwrap_or_else(|| "nothing".into());
            let (found, expected) = (of(&self.state.run), of(&state.run));
            if found != expected {
                return Err(format!(
                    "cannot go on with another run's output: {name}: expected {expected}, found {found}; {anew}"
                ));
            }
        }
        if !state.is_complete {
            self.state = state.clone();
            return Ok(Start::From(state));
        }
        let partial = beside(&self.out, ".partial");
        let failed = |error: io::Error| format!("cannot finish {}: {error}", self.out.display());
        if partial.exists() {
            let file = File::options().write(true).open(&partial).map_err(failed)?;
            file.set_len(state.output_bytes).and_then(|()| file.sync_all()).map_err(failed)?;
            self.making.make(&partial, &self.out).map_err(failed)?;
        } else if !self.making.made(&self.out, state.output_bytes).map_err(failed)? {
            return Err(format!("{} is not what the earlier run wrote; {anew}", self.out.display()));
        }
        self.clear()?;
        Ok(Start::Complete(state))
    }

    /// Whether it is time for the next one.
    pub(crate) fn is_due(&self) -> bool {
        self.last.elapsed() >= self.every
    }

    /// Changes the state, once the rows that it counts are on the disk.
    pub(crate) fn save(&mut self, change: impl FnOnce(&mut State)) -> io::Result<()> {
        change(&mut self.state);
        let text = serde_json::to_string(&self.state)?;
        let path = self.path();
        let fresh = beside(&path, ".partial");
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&fresh, &path)?;
        sync_folder(&path)?;
        self.last = Instant::now();
        Ok(())
    }

    /// All rows are on the disk, so many bytes: makes the output of them.
    pub(crate) fn finish(mut self, output_bytes: u64) -> io::Result<()> {
        self.save(|state| (state.output_bytes, state.is_complete) = (output_bytes, true))?;
        self.making.make(&beside(&self.out, ".partial"), &self.out)?;
        remove(&self.path())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
