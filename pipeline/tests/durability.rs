//! What was acknowledged is there after the process was killed in the middle of writing, again and again.
//!
//! Each test starts itself as a child process over the same journal. The child writes from several threads and says
//! after each write, on its standard output, what was acknowledged; the parent kills it at a moment of its choice,
//! opens the journal and looks for everything that was said.
#![cfg(all(unix, feature = "stores"))]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use maskrank_pipeline::domain::stores::{Relation, Stores};
use maskrank_pipeline::domain::{
    Dismissal, Engagement, EngagementKind, Feedback, FeedbackKind, ManualClock, Millis, Post, PostId, User,
    UserId, ViewerSettings,
};
use maskrank_pipeline::stores::{Base, Embedded, StoreOptions};

const NOW: Millis = Millis(1_700_000_000_000);
const USERS: u64 = 40;
const WRITERS: u64 = 4;

/// Most writes of one writer in one round.
const STEPS: u64 = 4_096;

/// Tells the child which round it is and where the journal lies.
const CHILD: &str = "MASKRANK_DURABILITY_CHILD";

fn open(folder: &Path) -> Stores {
    let mut base = Base::new(Some(NOW));
    for id in 1..=USERS {
        let user = User { id: UserId(id), ..User::default() };
        base.add_user(user, ViewerSettings::default()).expect("ids are unique");
    }
    let clock = Arc::new(ManualClock::new(NOW));
    // Kills are to hit folds too.
    let mut options = StoreOptions::default();
    options.fold_after = 8;
    let stores = Embedded::open(base, &folder.join("state.redb"), clock, options);
    Arc::new(stores.expect("the journal opens after every kill")).stores()
}

fn post(number: u64) -> Post {
    let id = PostId(PostId::at(NOW).0 - 4_194_304 + number);
    let created_at = id.made_at();
    Post { id, author: UserId(1 + number % USERS), created_at, conversation: id, ..Post::default() }
}

/// Makes the write of a number; whether it waited for the disk.
fn write(stores: &Stores, number: u64) -> bool {
    let viewer = UserId(1 + number % USERS);
    match number % 6 {
        0 => stores.posts.insert(post(number)).expect("commits"),
        1 => {
            let (kind, at) = (EngagementKind::Favorite, NOW);
            let (post, author) = (PostId(number), UserId(1));
            let event =
                |step| Engagement { user: UserId(1 + (number + step) % USERS), post, author, kind, at };
            stores.engagements.record(&[0, 1, 2].map(event)).expect("commits");
        }
        2 => {
            let (kind, about) = (FeedbackKind::Post, UserId(number));
            let feedback = Feedback { viewer, kind, about, post: None, at: NOW };
            stores.feedback.record_feedback(feedback).expect("commits");
        }
        3 => {
            let target = UserId(1_000 + number);
            stores.users.put(User { id: target, ..User::default() }).expect("commits");
            stores.graph.set(Relation::Block, viewer, target, true).expect("commits");
        }
        4 => {
            let dismissal = Dismissal { viewer, module: number.to_string(), at: NOW };
            stores.feedback.record_dismissal(dismissal).expect("commits");
        }
        _ => {
            stores.history.record_visit(UserId(1_000_000 + number), NOW).expect("queues");
            if (number / 6).is_multiple_of(2) {
                return false;
            }
            stores.history.flush().expect("commits");
        }
    }
    true
}

/// Whether what was acknowledged under a number is there.
fn is_there(stores: &Stores, number: u64) -> bool {
    let viewer = UserId(1 + number % USERS);
    match number % 6 {
        0 => stores.posts.get(post(number).id).is_some_and(|(found, _)| *found == post(number)),
        1 => stores.engagements.of_post(PostId(number), 4).len() == 3,
        2 => stores.feedback.feedback(viewer, Millis(0)).iter().any(|entry| entry.about == UserId(number)),
        3 => stores.graph.has(Relation::Block, viewer, UserId(1_000 + number)),
        4 => {
            let module = number.to_string();
            stores.feedback.dismissals(viewer, Millis(0)).iter().any(|entry| entry.module == module)
        }
        _ => stores.history.visits(UserId(1_000_000 + number)) == [NOW],
    }
}

/// Writes without end and says what was acknowledged.
fn write_until_killed(folder: &Path, round: u64) {
    let stores = open(folder);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let stores = &stores;
            scope.spawn(move || {
                for step in 0..STEPS {
                    let number = (round * WRITERS + writer) * STEPS + step;
                    if write(stores, number) {
                        // One call for the whole line, so that a kill does not leave half of it.
                        let line = format!("done {number}\n");
                        std::io::stdout().lock().write_all(line.as_bytes()).expect("the parent reads");
                    }
                }
            });
        }
    });
}

/// Kills a child `rounds` times, each after another number of acknowledgments.
fn kill_and_look(test: &str, rounds: u64) {
    if let Some(child) = std::env::var_os(CHILD) {
        let child = child.into_string().expect("a path of UTF-8");
        let (round, folder) = child.split_once(':').expect("round and folder");
        return write_until_killed(Path::new(folder), round.parse().expect("a number"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = BTreeSet::new();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().expect("this test has a path"))
            .args([test, "--exact", "--nocapture", "--include-ignored"])
            .env(CHILD, format!("{round}:{}", folder.path().display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        // Kill after the first acknowledgment, after some, after many.
        let wanted = 1 + (round * 37) % 101;
        let mut heard = 0;
        for line in output.lines() {
            let line = line.expect("lines are whole");
            let Some((_, number)) = line.split_once("done ") else { continue };
            acknowledged.insert(number.parse::<u64>().expect("a number"));
            heard += 1;
            if heard == wanted {
                // At no particular moment of the next commit.
                std::thread::sleep(Duration::from_micros((round * 977) % 4_000));
                child.kill().expect("the child runs");
            }
        }
        assert!(heard >= wanted, "round {round}: the child ended by itself after {heard} writes");
        child.wait().expect("the child ended");
        let stores = open(folder.path());
        // Of several engagements that were recorded together all are there or none, acknowledged or not.
        for number in (0..(round + 1) * WRITERS * STEPS).filter(|number| number % 6 == 1) {
            let there = stores.engagements.of_post(PostId(number), 4).len();
            assert!(matches!(there, 0 | 3), "round {round}: {there} of 3 engagements of write {number}");
        }
        let lost: Vec<u64> =
            acknowledged.iter().copied().filter(|&number| !is_there(&stores, number)).collect();
        assert!(
            lost.is_empty(),
            "round {round}: {} of {} are lost: {lost:?}",
            lost.len(),
            acknowledged.len()
        );
    }
    assert!(acknowledged.len() as u64 >= rounds);
    println!("{} acknowledged writes over {rounds} kills, none lost", acknowledged.len());
}

#[test]
fn what_was_acknowledged_survives_eight_kills() {
    kill_and_look("what_was_acknowledged_survives_eight_kills", 8);
}

#[test]
#[ignore = "takes a minute; run it with --ignored"]
fn what_was_acknowledged_survives_fifty_kills() {
    kill_and_look("what_was_acknowledged_survives_fifty_kills", 50);
}
