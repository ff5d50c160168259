//! The program itself, killed in the middle of its work, or with a full disk below it.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use maskrank_pipeline::domain::stores::Relation;
use maskrank_pipeline::domain::{Clock, Millis, Platform, PostId, SystemClock, UserId};
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::service::Tokens;
use maskrank_pipeline::stores::StoreOptions;
use maskrank_pipeline::world::{self, FileFormat, World, WorldConfig};
use serde_json::json;

use crate::http::{self, Answer};

const PROGRAM: &str = env!("CARGO_BIN_EXE_maskrank-timeline");
const VIEWERS: u64 = 40;
/// What the history may lack, by contract.
const MAY_BE_MISSING: Duration = Duration::from_millis(100);
/// Ten times that on a machine that is busy with other tests: it may keep the program's threads from running.
const MAY_BE_MISSING_WHEN_BUSY: Duration = Duration::from_secs(1);

/// A small world in a folder.
fn make_world(folder: &Path) {
    world::generate(folder, WorldConfig::sized(200, 2_000), FileFormat::Parquet).expect("a world");
}

/// A running program.
struct Program {
    child: Child,
    address: SocketAddr,
    tokens: Tokens,
}

impl Program {
    /// Starts the service, through a shell that does this before.
    fn start(folder: &Path, before: &str, more: &[&str]) -> Self {
        let script = format!("{before} exec \"$0\" \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &script, PROGRAM, "serve", "--listen", "127.0.0.1:0", "--model", "none", "--world"])
            .arg(folder)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let address =
            line.split("http://").nth(1).and_then(|rest| rest.trim().trim_end_matches('/').parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        let tokens = Tokens::new(Key::open_or_create(&folder.join("key")).expect("the service's key"));
        Self { child, address, tokens }
    }

    async fn ask(&self, method: &str, path: &str, viewer: u64, body: &str) -> std::io::Result<Answer> {
        ask(self.address, &self.tokens, method, path, viewer, body).await
    }

    fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("it ends");
    }

    fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

async fn ask(
    address: SocketAddr,
    tokens: &Tokens,
    method: &str,
    path: &str,
    viewer: u64,
    body: &str,
) -> std::io::Result<Answer> {
    let token = tokens.mint(UserId(viewer), SystemClock::default().now(), Duration::from_secs(600));
    let field = format!("Bearer {token}");
    let fields = [("authorization", field.as_str()), ("content-type", "application/json")];
    let bytes = http::raw_request(address, method, path, &fields, body.as_bytes()).await?;
    // Cut short by the kill: no answer.
    http::try_parse(&bytes).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    posts: Vec<(u64, u64)>,
    muted: Vec<(u64, u64)>,
    feedback: Vec<(u64, u64)>,
    seen: Vec<(u64, u64)>,
    /// Request id of timelines by viewer, when the answer was there, and in which life of the program.
    served: BTreeMap<u64, Vec<(u64, Instant, usize)>>,
}

/// Writes and reads as one viewer until the service is gone.
async fn live(
    address: SocketAddr,
    tokens: Tokens,
    viewer: u64,
    is_over: Arc<AtomicBool>,
    heard: Arc<Mutex<Acknowledged>>,
    round: usize,
) {
    for step in 0_u64.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let other = 1 + (viewer + step) % (VIEWERS - 1);
        let other = if other >= viewer { other + 1 } else { other };
        let (method, path, body) = match step % 5 {
            0 => ("POST", "/v1/posts", json!({"text": format!("{viewer} {step}")})),
            1 => (
                "POST",
                "/v1/relationships",
                json!({"relation": "mute", "target": other.to_string(), "holds": true}),
            ),
            2 => ("POST", "/v1/feedback", json!({"kind": "post", "about": other.to_string()})),
            3 => ("POST", "/v1/impressions", json!({"posts": [newest(&heard, viewer)]})),
            // Short ones, so that no viewer's history is full before the test is over.
            _ => ("GET", "/v1/timelines/following?count=1", json!(null)),
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let Ok(answer) = ask(address, &tokens, method, path, viewer, &body).await else { return };
        let mut heard = heard.lock().expect("sound");
        match (step % 5, answer.status) {
            (0, 201) => {
                let id = answer.json()["id"].as_str().expect("an id").parse().expect("a number");
                heard.posts.push((viewer, id));
            }
            (1, 200) => heard.muted.push((viewer, other)),
            (2, 200) => heard.feedback.push((viewer, other)),
            (3, 200) => {
                let last = heard.posts.iter().rev().find(|(author, _)| *author == viewer).map(|(_, id)| *id);
                heard.seen.extend(last.map(|id| (viewer, id)));
            }
            (4, 200) => {
                let id = answer.json()["request_id"].as_str().expect("an id").parse().expect("a number");
                heard.served.entry(viewer).or_default().push((id, Instant::now(), round));
            }
            (_, 403 | 404 | 429 | 503) => {}
            other => panic!("{path}: {other:?} {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

fn newest(heard: &Mutex<Acknowledged>, viewer: u64) -> String {
    let heard = heard.lock().expect("sound");
    let last = heard.posts.iter().rev().find(|(author, _)| *author == viewer);
    last.map_or_else(|| "1".to_owned(), |(_, id)| id.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_everything_acknowledged_is_there() {
    kill_under_load(MAY_BE_MISSING_WHEN_BUSY).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "goes by the clock: for a machine that does nothing else"]
async fn after_a_kill_at_most_100_ms_of_served_history_are_missing() {
    kill_under_load(MAY_BE_MISSING).await;
}

/// Kills the program twice under load. What it had acknowledged must be there, and what it had served longer ago than
/// `may_be_missing`, going by when its answers had arrived: so it was served at least as long ago.
async fn kill_under_load(may_be_missing: Duration) {
    let folder = tempfile::tempdir().expect("a folder");
    make_world(folder.path());
    let heard = Arc::new(Mutex::new(Acknowledged::default()));
    let mut kills = Vec::new();
    for round in 0..2 {
        let mut program = Program::start(folder.path(), "", &[]);
        let is_over = Arc::new(AtomicBool::new(false));
        let lives: Vec<_> = (1..=VIEWERS)
            .step_by(5)
            .map(|viewer| {
                live(
                    program.address,
                    program.tokens.clone(),
                    viewer,
                    Arc::clone(&is_over),
                    Arc::clone(&heard),
                    round,
                )
            })
            .map(tokio::spawn)
            .collect();
        let before = heard.lock().expect("sound").posts.len();
        let start = Instant::now();
        // Long enough for some history to be older than what may be missing.
        while heard.lock().expect("sound").posts.len() < before + 40 || start.elapsed() < 2 * may_be_missing {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        kills.push(Instant::now());
        program.kill();
        is_over.store(true, Ordering::Relaxed);
        for life in lives {
            life.await.expect("no answer was wrong");
        }
    }
    let world = World::open(folder.path(), StoreOptions::default()).expect("the world opens after a kill");
    let stores = world.stores.stores();
    let heard = heard.lock().expect("sound");
    for &(author, id) in &heard.posts {
        let post = stores.posts.get(PostId(id));
        assert!(post.is_some_and(|(post, _)| post.author == UserId(author)), "post {id} of {author}");
    }
    for &(viewer, other) in &heard.muted {
        assert!(stores.graph.has(Relation::Mute, UserId(viewer), UserId(other)), "{viewer} mutes {other}");
    }
    for &(viewer, other) in &heard.feedback {
        let feedback = stores.feedback.feedback(UserId(viewer), Millis(0));
        assert!(
            feedback.iter().any(|entry| entry.about == UserId(other)),
            "feedback of {viewer} about {other}"
        );
    }
    for &(viewer, id) in &heard.seen {
        let seen = stores.history.impressions(UserId(viewer), Millis(0), usize::MAX);
        assert!(seen.contains(&PostId(id)), "{viewer} has seen {id}");
    }
    let mut counted = 0;
    for (&viewer, answers) in &heard.served {
        let served = stores.history.served(UserId(viewer), Platform::Web, Millis(0));
        for (number, &(id, at, round)) in answers.iter().enumerate() {
            // By the kill that ended its own life of the program: what arrived a moment later than that was noted is
            // not the next life's.
            let killed = kills[round];
            if at + may_be_missing < killed {
                assert!(
                    served.iter().any(|response| response.request_id == id),
                    "{viewer} was served {id}, answer {number} of {}, of which {} are there, {:?} before a kill",
                    answers.len(),
                    served.len(),
                    killed - at
                );
                counted += 1;
            }
        }
    }
    assert!(counted > 0, "some history is old enough to be judged");
    assert!(!heard.muted.is_empty() && !heard.feedback.is_empty() && !heard.seen.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_loses_none_that_were_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    make_world(folder.path());
    // The journal is made in peace; then files may not grow beyond a limit, and who tries gets an error, no signal.
    Program::start(folder.path(), "", &[]).kill();
    let size = std::fs::metadata(folder.path().join("state.redb")).expect("a journal").len();
    let limit = format!("trap '' XFSZ; ulimit -f {};", size.div_ceil(512) + 256);
    let mut program = Program::start(folder.path(), &limit, &["--stand-still"]);
    let text = "x".repeat(3_000);
    let (mut taken, mut refused) = (Vec::new(), 0);
    let viewers: Vec<u64> = (1..=VIEWERS).collect();
    for round in 0..40 {
        for &viewer in &viewers {
            let body = json!({"text": text}).to_string();
            let answer = program.ask("POST", "/v1/posts", viewer, &body).await.expect("an answer");
            match answer.status {
                201 => {
                    taken.push(answer.json()["id"].as_str().expect("an id").parse::<u64>().expect("a number"))
                }
                503 => {
                    assert_eq!(answer.code(), "storage_failed");
                    refused += 1;
                }
                403 | 429 => {}
                status => panic!("{status}: {}", String::from_utf8_lossy(&answer.body)),
            }
        }
        if refused >= 2 * viewers.len() {
            break;
        }
        assert!(round < 39, "{} posts of 3,000 letters were taken, none was refused", taken.len());
    }
    assert!(!taken.is_empty(), "some fit");
    let reader = *viewers.first().expect("viewers");
    let answer = program.ask("GET", "/v1/timelines/following", reader, "").await.expect("an answer");
    assert_eq!(answer.status, 200, "reading goes on");
    assert_eq!(program.ask("GET", "/readyz", reader, "").await.expect("an answer").status, 200);
    program.kill();
    let world = World::open(folder.path(), StoreOptions::default()).expect("the world opens again");
    let stores = world.stores.stores();
    for id in taken {
        assert!(stores.posts.get(PostId(id)).is_some(), "post {id} was acknowledged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_reload_and_end_it() {
    let folder = tempfile::tempdir().expect("a folder");
    make_world(folder.path());
    let config = folder.path().join("pipeline.yaml");
    std::fs::write(&config, "selection: {page: 5}").expect("written");
    let mut program = Program::start(folder.path(), "", &["--config", config.to_str().expect("UTF-8")]);
    let generation = async |program: &Program| {
        let ready = program.ask("GET", "/readyz", 1, "").await.expect("an answer");
        ready.json()["generation"].as_u64().expect("a number")
    };
    assert_eq!(generation(&program).await, 1);
    program.signal("-HUP");
    while generation(&program).await < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    program.signal("-TERM");
    let ended = program.child.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
    let token = Command::new(PROGRAM).args(["token", "--viewer", "7", "--world"]).arg(folder.path()).output();
    let token = String::from_utf8(token.expect("it runs").stdout).expect("text");
    assert_eq!(program.tokens.read(token.trim(), SystemClock::default().now()), Ok(UserId(7)));
}

#[test]
fn it_listens_on_this_machine_only_unless_told_otherwise() {
    let open = Command::new(PROGRAM)
        .args(["serve", "--listen", "0.0.0.0:0", "--model", "none"])
        .output()
        .expect("it runs");
    let words = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(!open.status.success() && words.contains("--public"), "{words}");
    let demo = Command::new(PROGRAM).args(["serve", "--public", "--demo"]).output().expect("it runs");
    assert!(!demo.status.success(), "tokens without a secret are for this machine only");
}
