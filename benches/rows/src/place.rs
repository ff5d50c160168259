//! Where a record belongs: machine, day, commit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The repository.
    pub root: PathBuf,
    /// The device in words.
    pub device: String,
    /// Short commit, `-dirty` after it where tracked files had changes.
    pub commit: String,
    /// Day.
    pub date: String,
}

impl Place {
    /// Here and now.
    #[must_use]
    pub fn here(root: &Path, device: &str) -> Self {
        Self { root: root.to_owned(), device: device.to_owned(), commit: commit(root), date: today() }
    }

    /// The machine's folder name: lower case, words joined by hyphens.
    #[must_use]
    pub fn machine(&self) -> String {
        let lower = self.device.to_lowercase();
        let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    }

    /// `benches/record/MACHINE/DATE-COMMIT`.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let day = format!("{}-{}", self.date, self.commit);
        self.root.join("benches/record").join(self.machine()).join(day)
    }
}

/// The short commit of a repository, or `unknown` where there is no git.
#[must_use]
pub fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    // Records themselves do not change what was measured.
    let changes = git(&["status", "--porcelain", "--untracked-files=no", "--", ".", ":!benches/record"]);
    match changes.as_deref() {
        Some("") => commit,
        _ => commit + "-dirty",
    }
}

/// Today, UTC.
#[must_use]
pub fn today() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    civil(days as i64)
}

/// Days since 1970-01-01 as year-month-day: years are counted from March, so that the leap day comes last.
fn civil(days: i64) -> String {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, date) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22")]
        {
            assert_eq!(civil(days), date);
        }
    }

    #[test]
    fn a_machine_is_a_plain_folder_name() {
        let place = Place {
            root: "/r".into(),
            device: "Intel(R) Xeon(R) Processor, 2 threads".into(),
            commit: "abc".into(),
            date: "2026-11-22".into(),
        };
        assert_eq!(place.machine(), "intel-r-xeon-r-processor-2-threads");
        assert!(place.folder().ends_with("intel-r-xeon-r-processor-2-threads/2026-11-22-abc"));
    }
}
