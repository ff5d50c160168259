//! The clock of a world whose present was fixed when it was generated, and which is now lived in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::domain::{Clock, Millis};

/// Added at a start: what a crash may have kept from being noted, so that the present never goes back.
const MARGIN: Duration = Duration::from_secs(5);

/// Runs at the pace of the machine's clock, from a present of its own, which it notes in a file and goes on from: a
/// generated world ages while it is served, and not while it is not.
#[derive(Debug)]
pub struct RunningClock {
    present: Millis,
    start: Instant,
    note: Option<PathBuf>,
}

impl RunningClock {
    /// A clock that starts at `present`, or where the one before it that used the same file `note` had come to.
    ///
    /// # Errors
    /// The file is there but cannot be read, or holds no time.
    pub fn new(present: Millis, note: Option<&Path>) -> io::Result<Self> {
        let noted = match note.map(fs::read_to_string) {
            Some(Ok(text)) => {
                let no_time = |error| io::Error::new(io::ErrorKind::InvalidData, error);
                Some(Millis(text.trim().parse().map_err(no_time)?) + MARGIN)
            }
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => None,
        };
        let present = noted.map_or(present, |noted| noted.max(present));
        Ok(Self { present, start: Instant::now(), note: note.map(Path::to_owned) })
    }

    /// Writes the present into the file, replacing it in one step.
    ///
    /// # Errors
    /// The disk fails.
    pub fn note(&self) -> io::Result<()> {
        let Some(path) = &self.note else { return Ok(()) };
        let draft = path.with_extension("new");
        fs::write(&draft, format!("{}\n", self.now().0))?;
        fs::rename(draft, path)
    }
}

impl Clock for RunningClock {
    fn now(&self) -> Millis {
        self.present + self.start.elapsed()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_where_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, start) = (folder.path().join("present"), Millis(1_000_000));
        let first = RunningClock::new(start, Some(&file)).expect("starts");
        assert!(first.now() >= start);
        std::thread::sleep(Duration::from_millis(2));
        let later = first.now();
        assert!(later > start, "it runs");
        first.note().expect("noted");
        let second = RunningClock::new(start, Some(&file)).expect("starts");
        assert!(second.now() >= later, "it does not go back over a restart");
        let ahead = Millis(later.0 + 1_000_000_000);
        let third = RunningClock::new(ahead, Some(&file)).expect("starts");
        assert!(third.now() >= ahead, "a world that was generated anew is ahead of the note");
        fs::write(&file, "yesterday").expect("written");
        assert!(RunningClock::new(start, Some(&file)).is_err());
    }
}
