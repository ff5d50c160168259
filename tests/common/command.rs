//! The binary under test.

use std::process::{Command, Output};

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn maskrank(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_maskrank")).args(arguments).output().expect("the binary runs")
}

/// Runs a command that must succeed; gives its standard output.
pub fn succeed(arguments: &[&str]) -> String {
    let output = maskrank(arguments);
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail with one clear line, never a panic; gives its standard error.
pub fn fail(arguments: &[&str]) -> String {
    let output = maskrank(arguments);
    let message = text(&output.stderr);
    assert!(!output.status.success(), "{arguments:?} succeeded: {}", text(&output.stdout));
    assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    assert!(output.status.code().is_some(), "{arguments:?} was killed: {message}");
    message
}
