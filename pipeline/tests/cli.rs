//! The binary as a person uses it: a cached world on first use, a world of one's own, pages, deeds that change them.
#![cfg(feature = "cli")]

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the binary with a cache folder of the test's own; the stand-in for the model costs nothing.
fn run(cache: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_maskrank-timeline"))
        .args(arguments)
        .env("MASKRANK_CACHE", cache)
        .output()
        .expect("the binary runs")
}

fn json(cache: &Path, arguments: &[&str]) -> Value {
    let output = run(cache, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Author ids of a ranked list.
fn authors(list: &Value) -> Vec<String> {
    let posts = list["posts"].as_array().expect("posts");
    posts.iter().map(|post| post["author_id"].as_str().expect("a string").to_owned()).collect()
}

/// Post ids of the entries that a page adds, those of conversations included.
fn shown(page: &Value) -> Vec<String> {
    let mut ids = Vec::new();
    for instruction in page["instructions"].as_array().expect("instructions") {
        for entry in instruction["entries"].as_array().into_iter().flatten() {
            let content = &entry["content"];
            let items = content["items"].as_array().cloned().unwrap_or_else(|| vec![entry.clone()]);
            for item in items.iter().filter(|item| item["content"]["type"] == "post") {
                ids.push(item["content"]["id"].as_str().expect("a string").to_owned());
            }
        }
    }
    ids
}

fn cursor(page: &Value, kind: &str) -> Option<String> {
    let entries = page["instructions"].as_array()?.iter().filter_map(|i| i["entries"].as_array()).flatten();
    let mut cursors = entries.filter(|entry| entry["content"]["kind"] == kind);
    Some(cursors.next()?["content"]["value"].as_str()?.to_owned())
}

#[test]
fn the_first_command_makes_a_world_and_deeds_change_the_next_list() {
    let cache = tempfile::tempdir().expect("a folder");
    let list = ["for-you", "--viewer", "7", "--model", "none", "--json"];
    let first = json(cache.path(), &list);
    assert_eq!(first["viewer"], "7");
    let before = authors(&first);
    assert!(before.len() > 10, "{before:?}");
    for post in first["posts"].as_array().expect("posts") {
        let has_all = post["id"].is_string() && post["score"].is_number() && post["source"].is_string();
        assert!(has_all && post["reasons"].is_array(), "{post}");
    }
    let world = std::fs::read_dir(cache.path()).expect("the cache").count();
    assert_eq!(world, 1, "the world is kept");
    for (deed, author) in [("block", &before[0]), ("mute", &before[1]), ("see-fewer", &before[2])] {
        let done = run(cache.path(), &["act", "--viewer", "7", deed, author]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(!authors(&json(cache.path(), &list)).contains(author), "{deed} {author}");
    }
}

#[test]
fn a_world_of_ones_own_is_generated_read_and_paged_through() {
    let (cache, world) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let folder = world.path().join("own");
    let folder = folder.to_str().expect("UTF-8");
    let made =
        run(cache.path(), &["world", "generate", "--out", folder, "--users", "200", "--posts", "3000"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let listed =
        json(cache.path(), &["for-you", "--viewer", "3", "--world", folder, "--model", "none", "--json"]);
    assert!(!authors(&listed).is_empty());
    let mut seen = HashSet::new();
    let mut next: Option<String> = None;
    for page in 0..3 {
        let mut arguments = vec!["following", "--viewer", "3", "--world", folder, "--json", "--count", "10"];
        let cursor_text = next.take().unwrap_or_default();
        if page > 0 {
            arguments.extend(["--cursor", &cursor_text]);
        }
        let timeline = json(cache.path(), &arguments);
        let ids = shown(&timeline);
        assert!(!ids.is_empty(), "page {page}");
        assert!(ids.into_iter().all(|id| seen.insert(id)), "page {page} repeats a post");
        next = Some(cursor(&timeline, "bottom").expect("more posts"));
    }
    let foreign = next.expect("a cursor");
    let refused = run(cache.path(), &["following", "--viewer", "4", "--world", folder, "--cursor", &foreign]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cursor refused"));
    let list = json(cache.path(), &["list", "1", "--viewer", "3", "--world", folder, "--json"]);
    assert_eq!(list["id"], "list-1-timeline");
    let subscribed = json(cache.path(), &["subscribed", "--viewer", "3", "--world", folder, "--json"]);
    assert_eq!(subscribed["id"], "subscribed-timeline");
    let readable =
        run(cache.path(), &["for-you", "--viewer", "3", "--world", folder, "--model", "none", "--entries"]);
    assert!(String::from_utf8_lossy(&readable.stdout).starts_with("for_you-timeline of viewer 3"));
    assert!(
        std::fs::read_dir(cache.path()).expect("the cache").next().is_none(),
        "the cached world is not touched"
    );
}
