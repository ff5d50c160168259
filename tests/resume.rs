//! `score --resume`: a run that is killed at any moment, and gone on with, writes what an undisturbed one writes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const CONFIG: &str = r"
model:
  backbone: {mlp_config: {layer_sizes: [16], final_layer_activation: true}}
  featurization_config:
    double_norm_log_config: {clip_magnitude: 5.0, layer_norm_config: {epsilon: 0.001}}
  multi_task_type: share_all
  tasks:
    recap.engagement.is_favorited: {mlp_config: {layer_sizes: [8, 1]}}
train_data:
  seg_dense_schema:
    renamed_features: {continuous: cont, binary: bin}
";
const SCHEMA: &str = r#"{"schema": [
    {"dtype": "float_list", "feature_name": "cont", "length": 12},
    {"dtype": "int64_list", "feature_name": "bin", "length": 3},
    {"dtype": "int64_list", "feature_name": "meta.user_id", "length": 1},
    {"dtype": "int64_list", "feature_name": "meta.author_id", "length": 1},
    {"dtype": "int64_list", "feature_name": "meta.tweet_id", "length": 1}]}"#;

struct World {
    folder: tempfile::TempDir,
    files: Vec<String>,
}

impl World {
    /// A model, and files of so many records: plain ones, a compressed one, one with a broken record, an empty one.
    fn new(records: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("train.yaml"), CONFIG).expect("written");
        std::fs::write(path("segdense.json"), SCHEMA).expect("written");
        let (model, train) = (path("model"), path("train.yaml"));
        run(&["random-weights", "--out", &model, "--config", &train, "--widths", "12,3", "--seed", "7"]);
        std::fs::copy(path("segdense.json"), path("model/segdense.json")).expect("copied");
        let files: Vec<String> = ["a.tfrecord", "b.tfrecord.gz", "c.tfrecord"].map(path).into();
        for (seed, file) in files.iter().enumerate() {
            let (count, seed, schema) = (records.to_string(), seed.to_string(), path("segdense.json"));
            run(&[
                "random-records",
                "--out",
                file,
                "--schema",
                &schema,
                "--records",
                &count,
                "--per-request",
                "9",
                "--seed",
                &seed,
            ]);
        }
        let mut broken = std::fs::read(&files[2]).expect("read");
        let at = broken.len() / 3;
        broken[at] ^= 4;
        std::fs::write(&files[2], broken).expect("written");
        std::fs::write(path("empty.tfrecord"), b"").expect("written");
        let mut files = files;
        files.insert(1, path("empty.tfrecord"));
        std::fs::write(path("weights.yaml"), "recap.engagement.is_favorited: 0.5\n").expect("written");
        Self { folder, files }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn score(&self, out: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maskrank"));
        command.arg("score").arg("--model").arg(self.path("model")).arg("--records").args(&self.files);
        command.arg("--weights").arg(self.path("weights.yaml")).arg("--out").arg(self.path(out));
        command.args(["--backend", "cpu", "--threads", "1", "--batch", "64", "--skip-bad"]).args(more);
        command.stdout(Stdio::null());
        command
    }

    fn finish(&self, out: &str, more: &[&str]) -> Vec<u8> {
        let output = self.score(out, more).output().expect("the binary runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        for rest in [".partial", ".state", ".state.partial"] {
            assert!(!self.path(&format!("{out}{rest}")).exists(), "{rest} is left");
        }
        std::fs::read(self.path(out)).expect("written")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(arguments: &[&str]) -> Output {
    let output =
        Command::new(env!("CARGO_BIN_EXE_maskrank")).args(arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    output
}

/// Kills a run at so many moments, spread over its whole length, and compares every output with the undisturbed one.
fn kill(times: u32, records: usize, more: &[&str]) {
    let world = World::new(records);
    let start = Instant::now();
    let expected = world.finish("whole.csv", more);
    let length = start.elapsed();
    assert!(expected.len() > records, "{} bytes", expected.len());

    let resume: Vec<&str> = more.iter().copied().chain(["--resume", "--checkpoint", "0"]).collect();
    let (mut killed, mut finished, mut resumed, mut random) = (0, 0, 0, 12345_u64);
    while killed < times {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (random >> 40) as f64 / (1_u64 << 24) as f64;
        resumed += u32::from(world.path("killed.csv.state").exists());
        let mut child = world.score("killed.csv", &resume).stderr(Stdio::null()).spawn().expect("spawned");
        std::thread::sleep(length.mul_f64(share));
        child.kill().expect("killed, or ended before");
        let status = child.wait().expect("waited for");
        if status.code().is_none() {
            killed += 1;
            continue;
        }
        // It ended before the signal: the output is whole, and the next round begins anew.
        assert!(status.success(), "{status}");
        finished += 1;
        check(&world, &expected);
        std::fs::remove_file(world.path("killed.csv")).expect("removed");
    }
    let output = world.score("killed.csv", &resume).output().expect("the binary runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    check(&world, &expected);
    println!(
        "killed {killed} times, of which {resumed} runs went on from a checkpoint; {finished} outputs finished before"
    );
    assert!(resumed > 0, "no run ever went on from a checkpoint");
}

fn check(world: &World, expected: &[u8]) {
    let found = std::fs::read(world.path("killed.csv")).expect("written");
    let differs = found.iter().zip(expected).position(|(a, b)| a != b);
    assert!(
        found == expected,
        "{} bytes instead of {}, the first difference at {differs:?}",
        found.len(),
        expected.len()
    );
    for rest in [".partial", ".state"] {
        assert!(!world.path(&format!("killed.csv{rest}")).exists(), "{rest} is left");
    }
}

#[test]
fn killed_a_few_times() {
    kill(4, 4000, &[]);
}

#[test]
fn killed_a_few_times_with_only_the_best_written() {
    kill(4, 4000, &["--top", "2", "--format", "jsonl"]);
}

#[test]
#[ignore = "takes minutes; run by hand"]
fn killed_fifty_times() {
    kill(50, 20_000, &[]);
}

#[test]
fn going_on_says_what_it_found_and_refuses_another_runs_output() {
    let world = World::new(2000);
    let expected = world.finish("whole.csv", &[]);
    // A record that stops the run in the third file leaves a state to go on from.
    let stop = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maskrank"));
        let arguments: Vec<_> =
            world.score("out.csv", more).get_args().map(std::ffi::OsStr::to_owned).collect();
        command.args(arguments.into_iter().filter(|argument| argument != "--skip-bad"));
        command.output().expect("the binary runs")
    };
    let output = stop(&["--resume"]);
    assert!(
        !output.status.success() && text(&output.stderr).contains("c.tfrecord"),
        "{}",
        text(&output.stderr)
    );
    assert!(world.path("out.csv.state").exists() && world.path("out.csv.partial").exists());
    assert!(!world.path("out.csv").exists());

    let output = world.score("out.csv", &["--resume"]).output().expect("the binary runs");
    assert!(
        text(&output.stderr).contains("skip-bad: expected false, found true"),
        "{}",
        text(&output.stderr)
    );
    let output = stop(&["--resume", "--top", "3"]);
    assert!(text(&output.stderr).contains("top: expected None, found Some(3)"), "{}", text(&output.stderr));

    // Rows behind the state are cut off; rows that the state counts must be there.
    let partial = world.path("out.csv.partial");
    let mut bytes = std::fs::read(&partial).expect("read");
    let good = bytes.clone();
    bytes.extend(b"1,2,3,half a li");
    std::fs::write(&partial, &bytes).expect("written");
    let output = stop(&["--resume"]);
    assert!(text(&output.stderr).contains("going on after"), "{}", text(&output.stderr));
    assert!(std::fs::read(&partial).expect("read").starts_with(&good), "no row was lost");
    std::fs::write(&partial, &good[..good.len() / 2]).expect("written");
    let output = stop(&["--resume"]);
    assert!(text(&output.stderr).contains("to begin anew"), "{}", text(&output.stderr));
    std::fs::write(world.path("out.csv.state"), "{}").expect("written");
    let output = stop(&["--resume"]);
    assert!(text(&output.stderr).contains("to begin anew"), "{}", text(&output.stderr));

    // Without --resume a run begins anew, whatever is there.
    assert_eq!(world.finish("out.csv", &[]), expected);
}

#[test]
fn a_kill_between_the_last_state_and_the_name_is_finished() {
    let world = World::new(500);
    let expected = world.finish("out.csv", &[]);
    // What the disk holds when the process dies right before, and right after, the rename.
    let state = |bytes: usize| {
        let mut command = world.score("other.csv", &["--resume", "--checkpoint", "0"]);
        let mut child = command.stderr(Stdio::null()).spawn().expect("spawned");
        let limit = Instant::now() + Duration::from_secs(60);
        while !world.path("other.csv.state").exists() {
            assert!(
                child.try_wait().expect("waited").is_none() && Instant::now() < limit,
                "no state was seen"
            );
        }
        child.kill().expect("killed");
        child.wait().expect("waited");
        let text = std::fs::read_to_string(world.path("other.csv.state")).expect("read");
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        value["is_complete"] = true.into();
        value["output_bytes"] = bytes.into();
        std::fs::write(world.path("out.csv.state"), value.to_string()).expect("written");
    };
    state(expected.len());
    std::fs::rename(world.path("out.csv"), world.path("out.csv.partial")).expect("renamed");
    assert_eq!(world.finish("out.csv", &["--resume"]), expected, "before the rename");
    state(expected.len());
    assert_eq!(world.finish("out.csv", &["--resume"]), expected, "after the rename");
    state(expected.len() + 1);
    let output = world.score("out.csv", &["--resume"]).output().expect("the binary runs");
    assert!(text(&output.stderr).contains("is not what the earlier run wrote"), "{}", text(&output.stderr));
    assert!(Path::new(&world.path("out.csv")).exists());
}
