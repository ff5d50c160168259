//! The fuzz targets on a stable compiler: their corpora, and mutations of them, with the allocator counting. One test at
//! a time is let through, because the allocator counts for the whole process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[path = "../fuzz/targets.rs"]
#[allow(unreachable_pub, reason = "shared with the fuzzer's own crate")]
mod targets;

mod common;

use common::allocator::{Counting, peak};
use common::random::Random;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Most memory that any target may hold for an input of so many bytes.
fn bound(bytes: usize) -> usize {
    (1 << 20) + 256 * bytes
}

/// Longer than any input of a few KiB may take, on a machine that does other things too.
const HANG: Duration = Duration::from_secs(20);

/// Runs a target on an input; gives the memory that it held at most.
fn run(name: &str, target: fn(&[u8]), input: &[u8]) -> usize {
    let start = Instant::now();
    let ((), peak) = peak(|| target(input));
    assert!(peak <= bound(input.len()), "{name}: {peak} bytes for an input of {}", input.len());
    assert!(start.elapsed() < HANG, "{name}: {:?} for {} bytes", start.elapsed(), input.len());
    peak
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("readable"))).collect()
}

/// A place in something so long, and a few bytes behind it.
fn range(random: &mut Random, len: usize) -> std::ops::Range<usize> {
    let start = random.below(len + 1);
    start..start + random.below((len - start).min(64) + 1)
}

/// Bytes and numbers that parsers trip over.
const WORDS: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\x80",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"-",
    b"\n",
    b"  ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"null",
    b"1e999",
    b".nan",
    b"18446744073709551615",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\0\0\0\0\0\0\0\x80",
    b"\xff\xff\xff\xff\x0f",
    b"\x1f\x8b\x08\0",
];

const MAX_INPUT: usize = 16 << 10;

/// An input made of another one by a few small changes, or of two by cutting and joining.
fn mutate(random: &mut Random, seeds: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].1.clone();
    for _ in 0..=random.below(6) {
        let range = range(random, input.len());
        match random.below(8) {
            0 | 1 if !input.is_empty() => {
                let at = random.below(input.len());
                input[at] ^= 1 << random.below(8);
            }
            2 => drop(input.drain(range)),
            3 => {
                let copy = input[range.clone()].to_vec();
                let times = 1 + random.below(8);
                let copies = copy.repeat(times);
                input.splice(range.end..range.end, copies);
            }
            4 => {
                drop(input.splice(range.start..range.start, WORDS[random.below(WORDS.len())].iter().copied()))
            }
            5 => {
                let word = WORDS[random.below(WORDS.len())];
                for (byte, &value) in input[range.start..].iter_mut().zip(word) {
                    *byte = value;
                }
            }
            6 => {
                let other = &seeds[random.below(seeds.len())].1;
                let from = random.below(other.len() + 1);
                input.truncate(range.start);
                input.extend_from_slice(&other[from..]);
            }
            _ => input.truncate(range.start),
        }
    }
    input.truncate(MAX_INPUT);
    input
}

fn mutations(count: u64) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, target) in targets::TARGETS {
        let seeds = corpus(name);
        let (mut random, mut most, start) = (Random(0xF0_2215), 0, Instant::now());
        for index in 0..count {
            let input = mutate(&mut random, &seeds);
            let outcome = std::panic::catch_unwind(|| run(name, target, &input));
            most = most.max(outcome.unwrap_or_else(|_| panic!("{name}: input {index}: {input:?}")));
        }
        println!("{name}: {count} inputs in {:?}, at most {most} bytes held", start.elapsed());
    }
}

#[test]
fn every_corpus_passes_and_holds_something_good() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, target) in targets::TARGETS {
        let seeds = corpus(name);
        assert!(seeds.len() >= 3, "{name}: {} inputs", seeds.len());
        for (path, input) in &seeds {
            println!("{}: {} bytes held", path.display(), run(name, target, input));
        }
    }
}

#[test]
fn mutated_inputs_harm_nothing() {
    mutations(3000);
}

#[test]
#[ignore = "minutes in a release build: cargo test --release --test fuzz_corpora -- --ignored --nocapture"]
fn a_million_mutated_inputs_harm_nothing() {
    mutations(1_000_000);
}

/// The good input of each corpus is accepted: otherwise mutations would only ever test the first check.
#[test]
fn good_inputs_are_accepted() {
    use maskrank::records::Schema;
    use maskrank::weights::Weights;
    use maskrank::{Model, ModelConfig, ScoreWeights};

    let good = |name: &str| {
        let found = corpus(name).into_iter().find(|(path, _)| path.file_name().is_some_and(|n| n == "good"));
        found.expect("a good input").1
    };
    let text = |name: &str| String::from_utf8(good(name)).expect("text");
    let config = ModelConfig::from_yaml(targets::CONFIG, "tiny").expect("good");
    let weights = Weights::from_bytes("good", good("weights")).expect("good");
    Model::new(config, targets::WIDTHS, weights).expect("good");
    ModelConfig::from_yaml(&text("config"), "good").expect("good");
    ScoreWeights::from_text(&text("score_weights"), "good").expect("good");
    Schema::parse(&good("schema"), Path::new("good")).expect("good");
    assert_eq!(targets::read_records(&good("records")), 1);
    assert!(targets::read_packed(&good("packed")));
}

/// Writes the corpora's good inputs anew; run after a format changes.
#[test]
#[ignore = "writes files"]
fn write_good_inputs() {
    use maskrank::{Backend, CpuKernel, Model, ModelConfig, Scorer};

    let write = |name: &str, file: &str, bytes: &[u8]| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        std::fs::create_dir_all(&path).expect("created");
        std::fs::write(path.join(file), bytes).expect("written");
    };
    let config = ModelConfig::from_yaml(targets::CONFIG, "tiny").expect("good");
    let model = Model::seeded(config, targets::WIDTHS, 1).expect("good");
    let bytes = model.weights().bytes();
    write("weights", "good", bytes);
    write("weights", "cut", &bytes[..bytes.len() - 3]);
    write("weights", "long-header", &[&u64::MAX.to_le_bytes()[..], b"{}"].concat());
    write("weights", "empty-header", &[&2_u64.to_le_bytes()[..], b"{}"].concat());

    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("model.packed");
    let builder = Scorer::builder(&model).backend(Backend::Cpu).cpu_kernel(CpuKernel::Portable);
    builder.max_candidates(1).pack(&file).expect("packed");
    let packed = std::fs::read(&file).expect("read");
    write("packed", "good", &[&[0][..], &packed].concat());
    write("packed", "repaired", &[&[1][..], &packed].concat());
    write("packed", "cut", &[&[1][..], &packed[..packed.len() - 9]].concat());

    write("config", "good", targets::CONFIG.as_bytes());
    let serial = include_bytes!("golden/serial/config.yaml");
    write("config", "serial", serial);
    write("config", "aliases", b"a: &a [1, 2]\nb: [*a, *a]\nmodel: {<<: {tasks: *a}}\n");
    write("score_weights", "good", b"recap.engagement.is_favorited: 0.5\n");
    write(
        "score_weights",
        "json",
        br#"{"scored_tweets_model_weight_fav": 0.5, "scored_tweets_model_weight_report": -369}"#,
    );
    write("score_weights", "odd", b"a: .nan\nb: 1e39\nc: [1]\n? d\n");
    write("schema", "good", targets::SCHEMA.as_bytes());
    write("schema", "empty", br#"{"schema": []}"#);
    write(
        "schema",
        "huge",
        br#"{"schema": [{"dtype": "float_list", "feature_name": "cont", "length": 9223372036854775807}]}"#,
    );

    let mut float_list = vec![0x0a, 12];
    float_list.extend([1.0_f32, -2.5, 3.0].iter().flat_map(|v| v.to_le_bytes()));
    let feature = |kind: u8, list: &[u8]| [&[kind << 3 | 2, list.len() as u8][..], list].concat();
    let entry = |name: &str, feature: Vec<u8>| {
        let inner =
            [&[0x0a, name.len() as u8][..], name.as_bytes(), &[0x12, feature.len() as u8], &feature].concat();
        [&[0x0a, inner.len() as u8][..], &inner].concat()
    };
    let int = |values: &[u8]| feature(3, &[&[0x0a, values.len() as u8][..], values].concat());
    let features = [
        entry("cont", feature(2, &float_list)),
        entry("bin", int(&[1, 0])),
        entry("meta.user_id", int(&[7])),
        entry("meta.author_id", int(&[8])),
        entry("meta.tweet_id", int(&[9])),
    ]
    .concat();
    let example = [&[0x0a, features.len() as u8][..], &features].concat();
    write("records", "good", &[&[1][..], &example].concat());
    let file = targets::framed(&example);
    write("records", "file", &[&[0][..], &file, &file, &file].concat());
    write("records", "skip", &[&[6][..], &file[..40], &file].concat());
    write("records", "missing", &[&[3][..], &example[..20]].concat());
}
