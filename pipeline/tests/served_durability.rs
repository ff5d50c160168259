//! What was served is on disk a moment later: after a kill only the last moment may be missing.
//!
//! A test starts itself as a child process that records served responses without waiting for the disk and says each one
//! on its standard output. The parent notes when it heard of each, kills the child, and opens the journal.
#![cfg(all(unix, feature = "stores"))]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use maskrank_pipeline::domain::stores::Stores;
use maskrank_pipeline::domain::{
    ManualClock, Millis, PageKind, Platform, PostId, ServedResponse, User, UserId, ViewerSettings,
};
use maskrank_pipeline::stores::{Base, Embedded, StoreOptions};

const NOW: Millis = Millis(1_700_000_000_000);
const VIEWERS: u64 = 20;
/// Where the journal of the child lies.
const CHILD: &str = "MASKRANK_SERVED_CHILD";

fn open(folder: &Path) -> Stores {
    let mut base = Base::new(Some(NOW));
    for id in 1..=VIEWERS {
        let user = User { id: UserId(id), ..User::default() };
        base.add_user(user, ViewerSettings::default()).expect("ids are unique");
    }
    let clock = Arc::new(ManualClock::new(NOW));
    let stores = Embedded::open(base, &folder.join("state.redb"), clock, StoreOptions::default());
    Arc::new(stores.expect("the journal opens after every kill")).stores()
}

fn response(number: u64) -> ServedResponse {
    ServedResponse {
        request_id: number,
        at: NOW,
        page: PageKind::Initial,
        posts: vec![(PostId(number), None)],
        ..ServedResponse::default()
    }
}

fn viewer(number: u64) -> UserId {
    UserId(1 + number % VIEWERS)
}

/// Records responses without end, at the pace of a service, and says each.
fn serve_until_killed(folder: &Path, first: u64) {
    let stores = open(folder);
    for number in first.. {
        stores.history.record_served(viewer(number), Platform::Web, response(number)).expect("queues");
        std::io::stdout()
            .lock()
            .write_all(format!("served {number}\n").as_bytes())
            .expect("the parent reads");
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// Kills a child `rounds` times; what was heard of longer than `grace` before the kill must be there.
fn kill_and_look(test: &str, rounds: u64, grace: Duration) {
    if let Some(child) = std::env::var_os(CHILD) {
        let child = child.into_string().expect("a path of UTF-8");
        let (first, folder) = child.split_once(':').expect("number and folder");
        return serve_until_killed(Path::new(folder), first.parse().expect("a number"));
    }
    let mut longest = Duration::ZERO;
    for round in 0..rounds {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(std::env::current_exe().expect("this test has a path"))
            .args([test, "--exact", "--nocapture", "--include-ignored"])
            .env(CHILD, format!("{}:{}", round * 1_000_000, folder.path().display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let run_for = grace + Duration::from_millis(150 + (round * 97) % 211);
        let mut heard: Vec<(u64, Instant)> = Vec::new();
        let mut killed = None;
        for line in output.lines() {
            let line = line.expect("lines are whole");
            let Some((_, number)) = line.split_once("served ") else { continue };
            heard.push((number.parse().expect("a number"), Instant::now()));
            if killed.is_none() && heard[0].1.elapsed() > run_for {
                killed = Some(Instant::now());
                child.kill().expect("the child runs");
            }
        }
        let killed = killed.expect("the child ran until it was killed");
        child.wait().expect("the child ended");
        let stores = open(folder.path());
        let is_there = |number: u64| {
            let served = stores.history.served(viewer(number), Platform::Web, Millis(0));
            served.iter().any(|found| found.request_id == number)
        };
        let lost = heard.iter().filter(|(number, _)| !is_there(*number));
        let oldest = lost.map(|(_, at)| killed.saturating_duration_since(*at)).max().unwrap_or_default();
        assert!(oldest <= grace, "round {round}: something from {oldest:?} before the kill is lost");
        longest = longest.max(oldest);
        assert!(heard.len() > 100, "round {round}: only {} responses", heard.len());
    }
    println!("{rounds} kills: nothing older than {longest:?} is lost");
}

#[test]
fn what_was_served_two_seconds_before_a_kill_is_there() {
    // Generous, so that a busy machine is no failure.
    kill_and_look("what_was_served_two_seconds_before_a_kill_is_there", 2, Duration::from_secs(2));
}

#[test]
#[ignore = "measures time: run it with --ignored on a quiet machine"]
fn what_was_served_a_hundred_milliseconds_before_a_kill_is_there() {
    let test = "what_was_served_a_hundred_milliseconds_before_a_kill_is_there";
    kill_and_look(test, 50, Duration::from_millis(100));
}
