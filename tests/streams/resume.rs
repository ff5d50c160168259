//! `score --resume`: a run that is killed at any moment, and gone on with, writes what an undisturbed one writes.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::common::random::Random;
use crate::world::{REMAINS, World, text};

/// Kills a run at so many moments, spread over its whole length, and compares every output with the undisturbed one.
fn kill(times: u32, records: usize, extension: &str, more: &[&str]) {
    let world = World::new(records);
    let [whole, killed] = ["whole", "killed"].map(|name| format!("{name}.{extension}"));
    let start = Instant::now();
    let expected = world.finish(&whole, more);
    let length = start.elapsed();
    assert!(expected.len() > records, "{} bytes", expected.len());

    let resume: Vec<&str> = more.iter().copied().chain(["--resume", "--checkpoint", "0"]).collect();
    let (mut kills, mut finished, mut resumed, mut random) = (0, 0, 0, Random(12345));
    // Few kills may all come before the first checkpoint; some must come after one.
    while kills < times || (resumed == 0 && kills < 20 * times) {
        resumed += u32::from(world.path(&format!("{killed}.state")).exists());
        let mut child = world.score(&killed, &resume).stderr(Stdio::null()).spawn().expect("spawned");
        std::thread::sleep(length.mul_f64(random.share()));
        child.kill().expect("killed, or ended before");
        let status = child.wait().expect("waited for");
        if status.code().is_none() {
            kills += 1;
            continue;
        }
        // It ended before the signal: the output is whole, and the next round begins anew.
        assert!(status.success(), "{status}");
        finished += 1;
        check(&world, &killed, &expected);
        std::fs::remove_file(world.path(&killed)).expect("removed");
    }
    let output = world.score(&killed, &resume).output().expect("the binary runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    check(&world, &killed, &expected);
    println!(
        "{killed}: killed {kills} times, of which {resumed} runs went on from a checkpoint; {finished} outputs finished \
         before"
    );
    assert!(resumed > 0, "no run ever went on from a checkpoint");
}

fn check(world: &World, name: &str, expected: &[u8]) {
    let found = std::fs::read(world.path(name)).expect("written");
    let differs = found.iter().zip(expected).position(|(a, b)| a != b);
    assert!(
        found == expected,
        "{} bytes instead of {}, the first difference at {differs:?}",
        found.len(),
        expected.len()
    );
    for rest in REMAINS {
        assert!(!world.path(&format!("{name}{rest}")).exists(), "{rest} is left");
    }
}

#[test]
fn killed_a_few_times() {
    kill(4, 4000, "csv", &[]);
}

#[test]
fn killed_a_few_times_with_only_the_best_written() {
    kill(4, 4000, "jsonl", &["--top", "2"]);
}

#[test]
fn killed_a_few_times_with_a_table_to_make() {
    kill(4, 4000, "parquet", &["--top", "2"]);
}

#[test]
#[ignore = "takes minutes; run by hand"]
fn killed_fifty_times() {
    kill(50, 20_000, "csv", &[]);
}

#[test]
#[ignore = "takes minutes; run by hand"]
fn killed_fifty_times_with_a_table_to_make() {
    kill(50, 20_000, "parquet", &[]);
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
    stop_as(world, "out.csv", more)
}

fn stop_as(world: &World, out: &str, more: &[&str]) -> std::process::Output {
    let arguments: Vec<_> = world.score(out, more).get_args().map(std::ffi::OsStr::to_owned).collect();
    let arguments = arguments.into_iter().filter(|argument| argument != "--skip-bad");
    Command::new(env!("CARGO_BIN_EXE_maskrank")).args(arguments).output().expect("the binary runs")
}

#[test]
fn a_kill_between_the_last_state_and_the_output_is_finished() {
    for extension in ["csv", "parquet"] {
        let world = World::new(500);
        let name = format!("out.{extension}");
        let stopped = |more: &[&str]| stop_as(&world, &name, more);
        assert!(!stopped(&[]).status.success());
        let [out, partial, state] = ["", ".partial", ".state"].map(|end| world.path(&format!("{name}{end}")));
        let rows = std::fs::read(&partial).expect("read");
        let left = std::fs::read_to_string(&state).expect("read");
        // What the disk holds when the process dies right before, and right after, the output is made.
        let complete = |bytes: usize| {
            let mut value: serde_json::Value = serde_json::from_str(&left).expect("JSON");
            value["is_complete"] = true.into();
            value["output_bytes"] = bytes.into();
            std::fs::write(&state, value.to_string()).expect("written");
        };
        let mut made = Vec::new();
        for is_made in [false, true] {
            complete(rows.len());
            if !is_made {
                std::fs::write(&partial, [&rows[..], b"a row that no state counts"].concat())
                    .expect("written");
                std::fs::write(world.path(&format!("{name}.table")), b"half a table").expect("written");
            }
            let output = stopped(&["--resume"]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            let found = std::fs::read(&out).expect("there");
            assert!(if is_made { found == made } else { !found.is_empty() }, "{} bytes", found.len());
            assert!(extension != "csv" || found == rows, "rows of text are the output");
            made = found;
            assert!(!partial.exists() && !state.exists());
        }
        // Rows that the output does not have: more than a row's bytes, whatever the format.
        complete(rows.len() + 1000);
        let output = stopped(&["--resume"]);
        assert!(
            text(&output.stderr).contains("is not what the earlier run wrote"),
            "{}",
            text(&output.stderr)
        );
        assert!(out.exists());
    }
}
