//! Tables in and out: what is scored from Parquet and safetensors is what is scored from records, and what is written as
//! Parquet is what is written as CSV.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use maskrank::config::Widths;
use maskrank::records::{BlockReader, LayoutSpec, ReadOptions, RecordBlock, RecordLayout, Schema};
use parquet::data_type::{FloatType, Int32Type, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::parser::parse_message_type;

use crate::world::{SCHEMA, World, text};

const WIDTHS: Widths =
    Widths { continuous: 12, binary: 3, user_embedding: 0, user_eng_embedding: 0, author_embedding: 0 };

/// The records of the world's first file.
fn block(world: &World, count: usize) -> RecordBlock {
    let schema = Schema::parse(SCHEMA.as_bytes(), Path::new("schema")).expect("good");
    let renames = [("continuous", "cont"), ("binary", "bin")];
    let renames = renames.map(|(column, feature)| (column.into(), feature.into())).into();
    let layout =
        RecordLayout::new(&schema, &LayoutSpec { renames, ..Default::default() }, WIDTHS).expect("good");
    let mut block = RecordBlock::new(&layout, count).expect("room");
    let mut reader = BlockReader::new(vec![world.files[0].clone().into()], layout, ReadOptions::default());
    assert!(reader.read_into(&mut block).expect("good records"));
    assert_eq!(block.len(), count);
    block
}

fn write_safetensors(path: &Path, block: &RecordBlock, rows: std::ops::Range<usize>) {
    let part = |bytes: Vec<u8>, row: usize| bytes[rows.start * row..rows.end * row].to_vec();
    let le = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let ids = |values: &[i64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let n = rows.len();
    let tensors = [
        ("continuous", "F32", vec![n, 12], part(le(block.continuous()), 48)),
        ("binary", "U8", vec![n, 3], part(block.binary().to_vec(), 3)),
        ("user_id", "I64", vec![n], part(ids(block.user_ids()), 8)),
        ("author_id", "I64", vec![n], part(ids(block.author_ids()), 8)),
        ("tweet_id", "I64", vec![n], part(ids(block.tweet_ids()), 8)),
    ];
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
        header.insert(name.to_owned(), entry);
        data.extend(bytes);
    }
    let header = serde_json::Value::from(header).to_string();
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&length[..], header.as_bytes(), &data].concat()).expect("written");
}

/// Three-level lists, as Spark and Arrow write them; several row groups.
fn write_parquet(path: &Path, block: &RecordBlock, rows: std::ops::Range<usize>, group: usize) {
    let schema = parse_message_type(
        "message rows {
            required int64 tweet_id; required int64 user_id; required int64 author_id;
            required group continuous (LIST) { repeated group list { required float element; } }
            optional group binary (LIST) { repeated group list { optional int32 element; } }
        }",
    )
    .expect("a good schema");
    let file = std::fs::File::create(path).expect("created");
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::default()).expect("started");
    for first in rows.clone().step_by(group) {
        let end = rows.end.min(first + group);
        let repetitions = |width: usize| -> Vec<i16> {
            (first..end).flat_map(|_| (0..width).map(|i| i16::from(i > 0))).collect()
        };
        let mut out = writer.next_row_group().expect("a group");
        for ids in [block.tweet_ids(), block.user_ids(), block.author_ids()] {
            let mut column = out.next_column().expect("good").expect("a column");
            column.typed::<Int64Type>().write_batch(&ids[first..end], None, None).expect("written");
            column.close().expect("closed");
        }
        let mut column = out.next_column().expect("good").expect("a column");
        let values = &block.continuous()[first * 12..end * 12];
        let definitions = vec![1; values.len()];
        column
            .typed::<FloatType>()
            .write_batch(values, Some(&definitions), Some(&repetitions(12)))
            .expect("written");
        column.close().expect("closed");
        let mut column = out.next_column().expect("good").expect("a column");
        let values: Vec<i32> = block.binary()[first * 3..end * 3].iter().map(|&b| b.into()).collect();
        let definitions = vec![3; values.len()];
        column
            .typed::<Int32Type>()
            .write_batch(&values, Some(&definitions), Some(&repetitions(3)))
            .expect("written");
        column.close().expect("closed");
        out.close().expect("closed");
    }
    writer.close().expect("closed");
}

/// The world's first file as two tables of unequal kinds, and what its records are scored as.
fn tables(world: &mut World, count: usize) -> [Vec<String>; 2] {
    let block = block(world, count);
    let path = |name: &str| world.path(name);
    let cut = count / 3;
    write_safetensors(&path("a.safetensors"), &block, 0..cut);
    write_safetensors(&path("b.safetensors"), &block, cut..count);
    write_parquet(&path("a.parquet"), &block, 0..cut, 50);
    write_parquet(&path("b.parquet"), &block, cut..count, 7000);
    let names = |names: [&str; 2]| names.map(|name| path(name).to_string_lossy().into_owned()).to_vec();
    let tables = [names(["a.safetensors", "b.safetensors"]), names(["a.parquet", "b.safetensors"])];
    world.files.truncate(1);
    tables
}

#[test]
fn tables_score_as_records_do() {
    let mut world = World::new(500);
    let tables = tables(&mut world, 500);
    let records = world.files.clone();
    let mut both = vec![tables[0].clone(), tables[1].clone()];
    both.push(["a.parquet", "b.parquet"].map(|name| world.path(name).to_string_lossy().into_owned()).into());
    // A request that a file's end cuts is two requests: only whole outputs are comparable, so no --top here.
    for more in [&[][..], &["--format", "jsonl"], &["--batch", "7"]] {
        world.files = records.clone();
        let expected = world.finish("records.csv", more);
        for tables in &both {
            world.files.clone_from(tables);
            assert!(world.finish("tables.csv", more) == expected, "{tables:?} {more:?}");
        }
    }
    let whole = block_file(&mut world, &records);
    for batch in ["1500", "16", "1"] {
        world.files = records.clone();
        let expected = world.finish("records.csv", &["--top", "2"]);
        world.files = vec![whole.clone()];
        assert!(
            world.finish("tables.csv", &["--top", "2", "--batch", batch]) == expected,
            "batches of {batch}"
        );
    }
}

fn block_file(world: &mut World, records: &[String]) -> String {
    world.files = records.to_vec();
    let block = block(world, 500);
    let path = world.path("whole.parquet");
    write_parquet(&path, &block, 0..500, 33);
    path.to_string_lossy().into_owned()
}

#[test]
fn parquet_out_holds_what_csv_holds() {
    let mut world = World::new(300);
    world.files.truncate(1);
    for more in [&[][..], &["--top", "3"]] {
        let csv = String::from_utf8(world.finish("out.csv", more)).expect("text");
        world.finish("out.parquet", more);
        let file = std::fs::File::open(world.path("out.parquet")).expect("there");
        let reader = SerializedFileReader::new(file).expect("a Parquet file");
        let mut rows = reader.get_row_iter(None).expect("rows");
        let mut lines = csv.lines();
        let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
        for line in lines {
            let row = rows.next().expect("a row a line").expect("a good row");
            for ((name, field), cell) in row.get_column_iter().zip(line.split(',')) {
                let found = match field {
                    Field::Long(id) => id.to_string(),
                    Field::Str(status) => status.clone(),
                    Field::Float(value) => value.to_string(),
                    other => panic!("{name}: {other}"),
                };
                assert_eq!(found, cell, "{name}");
                assert!(names.contains(&name.as_str()), "{name}");
            }
            assert_eq!(row.len(), names.len());
        }
        assert!(rows.next().is_none(), "a line a row");
    }
}

#[test]
fn wrong_tables_are_named() {
    let mut world = World::new(100);
    let good = tables(&mut world, 100);
    let fail = |world: &World, more: &[&str], word: &str| {
        let output = world.score("out.csv", more).output().expect("the binary runs");
        let message = text(&output.stderr);
        assert!(!output.status.success() && message.contains(word), "expected \"{word}\" in: {message}");
        assert!(!message.contains("internal error") && output.status.code().is_some(), "{message}");
    };
    let change = |name: &str, change: &dyn Fn(&mut Vec<u8>)| -> PathBuf {
        let mut bytes = std::fs::read(world.path(name)).expect("read");
        change(&mut bytes);
        let path = world.path(&format!("changed-{name}"));
        std::fs::write(&path, bytes).expect("written");
        path
    };
    let replace = |from: &'static str, to: &'static str| {
        move |bytes: &mut Vec<u8>| {
            let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        }
    };
    let cases: Vec<(PathBuf, &str)> = vec![
        (change("a.safetensors", &|bytes| bytes.truncate(bytes.len() - 1)), "do not fit"),
        (world.path("nothing.parquet"), "nothing.parquet"),
    ];
    let mut worlds = cases;
    worlds.push((
        change("b.safetensors", &replace("\"continuous\"", "\"continuoux\"")),
        "continuous: expected",
    ));
    worlds.last_mut().expect("pushed").1 = "continuous";
    let parquet = change("b.parquet", &|bytes| {
        let half = bytes.len() / 2;
        bytes.truncate(half);
    });
    worlds.push((parquet, "changed-b.parquet"));
    for (path, word) in worlds {
        world.files = vec![path.to_string_lossy().into_owned()];
        fail(&world, &[], word);
    }
    // Every byte of a small file flipped in turn, every hundredth here: an error or another score, never a crash.
    let bytes = std::fs::read(world.path("a.parquet")).expect("read");
    for at in (0..bytes.len()).step_by(bytes.len() / 60) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x11;
        std::fs::write(world.path("flipped.parquet"), &flipped).expect("written");
        world.files = vec![world.path("flipped.parquet").to_string_lossy().into_owned()];
        let output = world.score("out.csv", &[]).output().expect("the binary runs");
        assert!(matches!(output.status.code(), Some(0 | 1)), "byte {at}: {}", text(&output.stderr));
    }
    world.files = vec![good[0][0].clone(), "x.tfrecord".into()];
    fail(&world, &[], "found both");
}

#[test]
fn tables_are_gone_on_with_after_a_kill() {
    let mut world = World::new(6000);
    let tables = tables(&mut world, 6000);
    world.files.clone_from(&tables[1]);
    let start = Instant::now();
    let expected = world.finish("whole.csv", &["--top", "2"]);
    let length = start.elapsed();
    let arguments = ["--top", "2", "--resume", "--checkpoint", "0"];
    let mut resumed = 0;
    for share in [0.9, 0.5, 0.7, 0.6, 0.8] {
        resumed += u32::from(world.path("killed.csv.state").exists());
        let mut child = world.score("killed.csv", &arguments).stderr(Stdio::null()).spawn().expect("spawned");
        std::thread::sleep(length.mul_f64(share));
        child.kill().expect("killed, or ended before");
        child.wait().expect("waited for");
    }
    assert!(resumed > 0, "no run ever went on from a checkpoint");
    let output = world.score("killed.csv", &arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(std::fs::read(world.path("killed.csv")).expect("written") == expected);
}
