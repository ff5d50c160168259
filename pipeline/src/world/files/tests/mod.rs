//! Tests of reading and writing worlds: round trips, every kind of bad row, damaged files.

mod bad_tables;

use std::fs;
use std::path::Path;

use bad_tables::bad_tables;
use tempfile::TempDir;

use super::{FileFormat, ImportError, Manifest, World, generate, import, load};
use crate::domain::stores::Relation;
use crate::domain::{Millis, PostId, UserId};
use crate::stores::StoreOptions;
use crate::world::{LoadedWorld, WorldConfig};

const NOW: Millis = Millis(1_700_000_000_000);

fn small() -> WorldConfig {
    let mut config = WorldConfig::sized(60, 300);
    config.embedding_width = 8;
    config
}

/// The id of a post of an hour before the present.
fn id(number: u64) -> u64 {
    PostId::at(Millis(NOW.0 - 3_600_000)).0 + number
}

/// A folder with a good world of two users, two posts and something in every table.
fn good() -> Vec<(&'static str, String)> {
    let (first, second) = (id(1), id(2));
    vec![
        (
            "users",
            "{\"id\":\"1\",\"screen_name\":\"ada\"}\n\n{\"id\":2,\"screen_name\":\"bob\"}\n".to_owned(),
        ),
        ("follows", "{\"from\":\"1\",\"to\":\"2\"}\n".to_owned()),
        (
            "embeddings",
            "{\"user\":\"1\",\"follow\":[1,0.5],\"communities\":[3],\"strengths\":[1]}\n".to_owned(),
        ),
        ("lists", "{\"id\":\"7\",\"owner\":\"1\",\"members\":[\"2\"]}\n".to_owned()),
        ("topics", "{\"id\":\"4\",\"name\":\"cats\"}\n".to_owned()),
        (
            "posts",
            format!(
                "{{\"id\":\"{second}\",\"author\":\"2\",\"in_reply_to\":\"{first}\",\"in_reply_to_author\":\"1\",\"conversation\":\"{first}\"}}\n\
                 {{\"id\":\"{first}\",\"author\":\"1\",\"text\":\"hi\",\"topic\":\"4\"}}\n"
            ),
        ),
        (
            "engagements",
            format!("{{\"user\":\"1\",\"post\":\"{second}\",\"kind\":\"favorite\",\"at\":{}}}\n", NOW.0),
        ),
        ("ties", "{\"viewer\":\"1\",\"author\":\"2\",\"score\":0.5}\n".to_owned()),
        (
            "ads",
            format!(
                "{{\"id\":\"1\",\"advertiser\":\"1\",\"post\":\"{first}\",\"bid\":1.5,\"brand_safety\":\"low\"}}\n"
            ),
        ),
    ]
}

fn write_good(folder: &Path) {
    for (name, text) in good() {
        fs::write(folder.join(format!("{name}.jsonl")), text).expect("writes");
    }
}

fn message(folder: &Path) -> String {
    load(folder, NOW).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_good_world_loads_and_imports_and_keeps_what_was_written_since() {
    let (from, world) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    write_good(from.path());
    import(from.path(), world.path(), Some(NOW)).expect("imports");
    let open = || World::open(world.path(), StoreOptions::default()).expect("opens").stores.stores();
    let stores = open();
    assert_eq!(stores.posts.get(PostId(id(2))).map(|(_, counts)| counts.favorites), Some(1));
    assert_eq!(stores.graph.targets(Relation::Follow, UserId(1)).as_slice(), [UserId(2)]);
    stores.graph.set(Relation::Mute, UserId(1), UserId(2), true).expect("sets");
    drop(stores);
    let manifest = import(from.path(), world.path(), Some(NOW)).expect("imports again");
    assert_eq!(manifest.tables, "tables-2");
    assert!(!world.path().join("tables-1").exists());
    assert!(open().graph.has(Relation::Mute, UserId(1), UserId(2)));
}

#[test]
fn every_kind_of_bad_row_is_reported_by_file_row_and_field() {
    for (table, text, expected) in bad_tables() {
        let folder = TempDir::new().expect("a folder");
        write_good(folder.path());
        fs::write(folder.path().join(format!("{table}.jsonl")), &text).expect("writes");
        let message = message(folder.path());
        for part in expected {
            assert!(message.contains(part), "{table} {text:?}: {message:?} does not say {part:?}");
        }
    }
}

#[test]
fn bad_utf8_missing_and_double_files_are_reported() {
    let folder = TempDir::new().expect("a folder");
    assert!(message(folder.path()).contains("users.parquet"));
    write_good(folder.path());
    fs::write(
        folder.path().join("topics.jsonl"),
        b"{\"id\":\"4\",\"name\":\"cats\"}\n{\"id\":\"5\",\"name\":\"\xff\"}",
    )
    .expect("writes");
    let utf8 = message(folder.path());
    assert!(utf8.contains("topics.jsonl row 2") && utf8.contains("utf-8"), "{utf8}");
    write_good(folder.path());
    fs::write(folder.path().join("users.parquet"), b"").expect("writes");
    assert!(message(folder.path()).contains("both users.parquet and users.jsonl"));
}

#[test]
fn a_bad_row_leaves_a_world_as_it_was() {
    let (from, folder) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    write_good(from.path());
    import(from.path(), folder.path(), Some(NOW)).expect("imports");
    let before = Manifest::read(folder.path()).expect("reads");
    fs::write(from.path().join("ads.jsonl"), "{}").expect("writes");
    assert!(matches!(import(from.path(), folder.path(), Some(NOW)), Err(ImportError::Row { .. })));
    assert_eq!(Manifest::read(folder.path()).expect("reads"), before);
    let names: Vec<_> = fs::read_dir(folder.path())
        .expect("lists")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names.len(), 2, "the manifest and the tables that count: {names:?}");
    let world = World::open(folder.path(), StoreOptions::default()).expect("opens");
    assert_eq!((world.stores.sizes(), world.topics.len(), world.ads.len()), ((2, 2), 1, 1));
}

#[test]
fn a_generated_world_is_the_same_in_memory_in_parquet_and_in_json_lines() {
    let memory = LoadedWorld::generate(small()).expect("the generator keeps its own rules");
    let expected = fingerprint(memory);
    for format in FileFormat::ALL {
        let folder = TempDir::new().expect("a folder");
        let manifest = generate(folder.path(), small(), format).expect("generates");
        let loaded = load(&folder.path().join(manifest.tables), NOW).expect("loads");
        assert!(fingerprint(loaded) == expected, "{format:?} gives another world");
    }
}

/// Everything that stores over a world show, as text.
fn fingerprint(world: LoadedWorld) -> String {
    use std::fmt::Write;
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use crate::domain::ManualClock;
    use crate::domain::stores::TallyKey;
    use crate::stores::Embedded;

    let mut out = format!("{:?} {:?}\n", world.topics, world.ads);
    let clock = Arc::new(ManualClock::new(world.now));
    let stores = Embedded::in_memory(world.base, clock, StoreOptions::default()).expect("opens");
    let stores = Arc::new(stores).stores();
    for user in (1..=60).map(UserId) {
        _ = writeln!(out, "{:?} {:?}", stores.users.get(user), stores.users.settings(user));
        for relation in Relation::ALL {
            _ = writeln!(out, "{:?}", stores.graph.targets(relation, user));
        }
        let dense = [
            stores.embeddings.follow(user),
            stores.embeddings.engagement(user),
            stores.embeddings.author(user),
        ];
        _ = writeln!(out, "{dense:?} {:?}", stores.embeddings.user_communities(user));
        let authors: Vec<_> = (1..=60).map(UserId).collect();
        _ = writeln!(out, "{:?}", stores.real_graph.ties(user, &authors));
        _ = writeln!(
            out,
            "{:?} {:?}",
            stores.engagements.of_user(user, 1_000),
            stores.lists.of_user(user, 100)
        );
        let mut posts = Vec::new();
        stores.posts.visit_by_author(user, &mut |post, counts| {
            _ = writeln!(out, "{post:?} {counts:?}");
            posts.push(post.id);
            ControlFlow::Continue(())
        });
        for post in posts {
            _ = writeln!(out, "{:?}", stores.embeddings.post_communities(post));
            stores.aggregates.visit_tallies(&[TallyKey::Post(post)], &mut |_, rows| {
                _ = writeln!(out, "{rows:?}");
            });
        }
    }
    out
}

#[test]
fn equal_configurations_give_equal_files_and_another_seed_gives_others() {
    let write = |config: WorldConfig| {
        let folder = TempDir::new().expect("a folder");
        let tables = generate(folder.path(), config, FileFormat::Parquet).expect("generates").tables;
        let read = |name: &str| fs::read(folder.path().join(&tables).join(name)).expect("is there");
        ["users.parquet", "follows.parquet", "posts.parquet", "engagements.parquet", "ties.parquet"].map(read)
    };
    let first = write(small());
    assert!(first == write(small()));
    let mut other = small();
    other.seed = 2;
    assert!(first.iter().zip(write(other)).all(|(a, b)| *a != b));
}

#[test]
fn a_truncated_or_altered_parquet_file_is_an_error_or_a_world_but_no_panic() {
    let folder = TempDir::new().expect("a folder");
    let tables = generate(folder.path(), small(), FileFormat::Parquet).expect("generates").tables;
    let tables = folder.path().join(tables);
    for name in ["users.parquet", "posts.parquet", "embeddings.parquet"] {
        let path = tables.join(name);
        let whole = fs::read(&path).expect("is there");
        for kept in [0, 1, 4, 8, 100, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            fs::write(&path, &whole[..kept]).expect("writes");
            let message = message(&tables);
            assert!(message.contains(name), "{name} cut to {kept} bytes: {message:?}");
        }
        // SplitMix64 steps: fixed positions, spread over pages, levels, headers and footer.
        let mut state = 7_u64;
        for _ in 0..150 {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mut bytes = whole.clone();
            let position = if mixed & 1 == 0 {
                mixed as usize % whole.len()
            } else {
                whole.len() - 1 - (mixed >> 8) as usize % whole.len().min(2_000)
            };
            bytes[position] ^= 1 << (mixed >> 50 & 7);
            fs::write(&path, &bytes).expect("writes");
            // A flipped bit of a text is a good text too; what counts is that something comes back.
            if let Err(error) = load(&tables, NOW) {
                assert!(error.to_string().contains(".parquet"), "{error}");
            }
        }
        fs::write(&path, &whole).expect("writes");
    }
    assert!(load(&tables, NOW).is_ok());
}

#[test]
fn altered_json_lines_are_an_error_or_a_world_but_no_panic() {
    let folder = TempDir::new().expect("a folder");
    write_good(folder.path());
    // Values that break a rule more often than a flipped bit does.
    let hostile = [
        "-1",
        "1e999",
        "NaN",
        "null",
        "18446744073709551615",
        "\"18446744073709551616\"",
        "[]",
        "{}",
        "\"\\u0000\"",
        "0.5",
        "[1,null]",
        "\"\"",
        "true",
        "9223372036854775807",
    ];
    let mut state = 11_u64;
    let mut next = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) as usize % below
    };
    let (mut refused, mut taken) = (0, 0);
    for (name, text) in good() {
        let path = folder.path().join(format!("{name}.jsonl"));
        for round in 0..150 {
            let mut bytes = text.clone().into_bytes();
            match round % 4 {
                0 => bytes[next(text.len())] ^= 1 << next(8),
                1 => bytes.truncate(next(text.len())),
                2 => bytes.extend_from_slice(text.as_bytes()),
                _ => {
                    // A value instead of what stands behind some colon.
                    let colons: Vec<usize> = text.match_indices(':').map(|(place, _)| place + 1).collect();
                    let start = colons[next(colons.len())];
                    let end = text[start..].find([',', '}']).map_or(text.len(), |end| start + end);
                    bytes.splice(start..end, hostile[next(hostile.len())].bytes());
                }
            }
            fs::write(&path, &bytes).expect("writes");
            match load(folder.path(), NOW) {
                Ok(_) => taken += 1,
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains(".jsonl"), "{name} round {round}: {error}");
                }
            }
        }
        fs::write(&path, &text).expect("writes");
    }
    assert!(refused > 500 && taken > 50, "{refused} refused, {taken} taken");
    assert!(load(folder.path(), NOW).is_ok());
}

#[test]
fn the_documented_tables_are_the_tables() {
    let documented = include_str!("../../../../docs/FORMATS.md");
    assert!(
        documented.contains(super::describe().trim_end()),
        "write `maskrank-timeline world formats` into docs/FORMATS.md"
    );
}
