//! Criterion tells its own story of every row, in several lines; ours is one line. What it prints is kept aside, and shown
//! only where something panics meanwhile.

use std::io::{Read as _, Seek as _, Write as _};

/// Runs `work` with standard output and standard error kept aside. Where that is not possible they are left alone.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let _aside = Aside::new();
    work()
}

#[cfg(unix)]
struct Aside {
    kept: std::fs::File,
    outputs: [std::os::fd::OwnedFd; 2],
}

#[cfg(unix)]
impl Aside {
    fn new() -> Option<Self> {
        let _unflushed = std::io::stdout().flush();
        let kept = tempfile::tempfile().ok()?;
        let outputs =
            [rustix::io::dup(rustix::stdio::stdout()).ok()?, rustix::io::dup(rustix::stdio::stderr()).ok()?];
        rustix::stdio::dup2_stdout(&kept).ok()?;
        // What was made so far puts things back when this fails.
        let aside = Self { kept, outputs };
        rustix::stdio::dup2_stderr(&aside.kept).ok()?;
        Some(aside)
    }
}

#[cfg(unix)]
impl Drop for Aside {
    fn drop(&mut self) {
        let _unflushed = std::io::stdout().flush();
        let _out = rustix::stdio::dup2_stdout(&self.outputs[0]);
        let _err = rustix::stdio::dup2_stderr(&self.outputs[1]);
        if std::thread::panicking() {
            let mut text = String::new();
            let read = self.kept.rewind().and_then(|()| self.kept.read_to_string(&mut text));
            if read.is_ok() {
                eprint!("{text}");
            }
        }
    }
}

#[cfg(not(unix))]
struct Aside;

#[cfg(not(unix))]
impl Aside {
    fn new() -> Option<Self> {
        None
    }
}
