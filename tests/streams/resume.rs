//! `score --resume`: a run that is killed at any moment, and gone on with, writes what an undisturbed one writes.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::world::{World, text};

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
    let output = stop(&world, &["--resume"]);
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
    let output = stop(&world, &["--resume", "--top", "3"]);
    assert!(text(&output.stderr).contains("top: expected None, found Some(3)"), "{}", text(&output.stderr));

    // Rows behind the state are cut off; rows that the state counts must be there.
    let partial = world.path("out.csv.partial");
    let mut bytes = std::fs::read(&partial).expect("read");
    let good = bytes.clone();
    bytes.extend(b"1,2,3,half a li");
    std::fs::write(&partial, &bytes).expect("written");
    let output = stop(&world, &["--resume"]);
    assert!(text(&output.stderr).contains("going on after"), "{}", text(&output.stderr));
    assert!(std::fs::read(&partial).expect("read").starts_with(&good), "no row was lost");
    std::fs::write(&partial, &good[..good.len() / 2]).expect("written");
    let output = stop(&world, &["--resume"]);
    assert!(text(&output.stderr).contains("to begin anew"), "{}", text(&output.stderr));
    std::fs::write(world.path("out.csv.state"), "{}").expect("written");
    let output = stop(&world, &["--resume"]);
    assert!(text(&output.stderr).contains("to begin anew"), "{}", text(&output.stderr));

    // Without --resume a run begins anew, whatever is there.
    assert_eq!(world.finish("out.csv", &[]), expected);
}

/// Without `--skip-bad`: the broken record in the last file ends the run, and leaves a state to go on from.
fn stop(world: &World, more: &[&str]) -> std::process::Output {
    let arguments: Vec<_> = world.score("out.csv", more).get_args().map(std::ffi::OsStr::to_owned).collect();
    let arguments = arguments.into_iter().filter(|argument| argument != "--skip-bad");
    Command::new(env!("CARGO_BIN_EXE_maskrank")).args(arguments).output().expect("the binary runs")
}

#[test]
fn a_kill_between_the_last_state_and_the_name_is_finished() {
    let world = World::new(500);
    assert!(!stop(&world, &[]).status.success());
    let (out, partial, state) =
        (world.path("out.csv"), world.path("out.csv.partial"), world.path("out.csv.state"));
    let written = std::fs::read(&partial).expect("read");
    let left = std::fs::read_to_string(&state).expect("read");
    // What the disk holds when the process dies right before, and right after, the output gets its name.
    let complete = |bytes: usize| {
        let mut value: serde_json::Value = serde_json::from_str(&left).expect("JSON");
        value["is_complete"] = true.into();
        value["output_bytes"] = bytes.into();
        std::fs::write(&state, value.to_string()).expect("written");
    };
    for before_the_rename in [true, false] {
        complete(written.len());
        if before_the_rename {
            std::fs::write(&partial, [&written[..], b"a row that no state counts"].concat())
                .expect("written");
        }
        let output = stop(&world, &["--resume"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(std::fs::read(&out).expect("there"), written);
        assert!(!partial.exists() && !state.exists());
    }
    complete(written.len() + 1);
    let output = stop(&world, &["--resume"]);
    assert!(text(&output.stderr).contains("is not what the earlier run wrote"), "{}", text(&output.stderr));
    assert!(out.exists());
}
