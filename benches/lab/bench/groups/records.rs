//! Streaming: training records from a file, decoded in constant memory and scored, block after block.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use maskrank::records::{
    BlockReader, Compression, LayoutSpec, RandomRecords, ReadOptions, RecordBlock, RecordLayout, Schema,
    TweetIds,
};
use maskrank::{
    Backend, Batch, Binary, Columns, Features, ModelConfig, Precision, Request, ScoreOptions, Scores,
};

use super::{Planned, guess, guess_check, is_quickest, quality};
use crate::bench::subject::{self, SEED};
use crate::bench::target::{self, Setup};
use crate::bench::{Session, Target};

const RECORDS: usize = 1500;
const PER_REQUEST: usize = 500;

fn ids(session: &Session, target: &Target) -> [String; 2] {
    [
        format!("read_records/cpu/f32/n{RECORDS}"),
        format!("stream_records/{}/n{RECORDS}_t{}", target.name(), session.threads),
    ]
}

/// The CPU's f32 and bf16; of a quick run the quicker one.
fn targets(session: &Session, all: &[Target]) -> Vec<Target> {
    all.iter()
        .filter(|t| t.backend == Backend::Cpu && matches!(t.precision, Precision::F32 | Precision::Bf16))
        .filter(|t| !session.arguments.quick || is_quickest(session, t))
        .copied()
        .collect()
}

pub(super) fn plan(session: &Session, all: &[Target]) -> Vec<Planned> {
    let mut planned: Vec<Planned> = Vec::new();
    for target in &targets(session, all) {
        let [read, stream] = ids(session, target);
        let score = guess(session, target, RECORDS);
        let check = if session.arguments.words.is_empty() { 0.5 } else { guess_check(session, target) };
        planned.push(Planned::new(read, session.effort.estimate(0.05) + check));
        planned.push(Planned::new(stream, session.effort.estimate(0.05 + score) + check));
    }
    // Reading is the same for every target.
    let mut seen = BTreeSet::new();
    planned.retain(|row| session.arguments.wants(&row.id) && seen.insert(row.id.clone()));
    planned
}

/// The file of records, made once.
fn file() -> Result<PathBuf, String> {
    let path = subject::cache().join(format!("records-{RECORDS}-seed{SEED}.tfrecord"));
    if !path.is_file() {
        let records = RandomRecords {
            seed: SEED,
            records: RECORDS as u64,
            records_per_request: PER_REQUEST as u64,
            tweet_ids: TweetIds::Numbered,
        };
        let partial = path.with_extension("partial");
        std::fs::create_dir_all(subject::cache()).map_err(|error| error.to_string())?;
        records.write(&Schema::released(), &partial, Compression::None).map_err(|error| error.to_string())?;
        std::fs::rename(&partial, &path).map_err(|error| error.to_string())?;
    }
    Ok(path)
}

pub(super) fn run(session: &mut Session, all: &[Target]) -> Result<(), String> {
    for (index, target) in targets(session, all).into_iter().enumerate() {
        let [read, stream] = ids(session, &target);
        if index == 0 && session.arguments.wants(&read) {
            rows(session, &target, &read, false)?;
        }
        if session.arguments.wants(&stream) {
            rows(session, &target, &stream, true)?;
        }
    }
    Ok(())
}

fn rows(session: &mut Session, target: &Target, id: &str, score: bool) -> Result<(), String> {
    if let Err(reason) = row(session, target, id, score) {
        session.refuse(format!("{id}: {reason}"));
    }
    Ok(())
}

fn row(session: &mut Session, target: &Target, id: &str, score: bool) -> Result<(), String> {
    let text = |error: maskrank::Error| error.to_string();
    let path = file()?;
    let scorer = target.scorer(&session.case.model, &Setup::of(PER_REQUEST)).map_err(text)?;
    target::check(&session.case, &scorer, id)?;
    // The released configuration says how much of the schema's features the model takes; labels are for training.
    let config = ModelConfig::production().map_err(text)?;
    let spec = LayoutSpec { labels: Vec::new(), ..config.records.layout_spec() };
    let layout = std::sync::Arc::new(
        RecordLayout::new(&Schema::released(), &spec, session.case.model.widths()).map_err(text)?,
    );
    let mut block = RecordBlock::new(&layout, PER_REQUEST).map_err(text)?;
    let weights = session.weights();
    let (options, mut scores) = (ScoreOptions::new(&weights), Scores::default());
    let summary = session.time(id, || {
        let clock = Instant::now();
        let mut reader =
            BlockReader::new(vec![path.clone()], std::sync::Arc::clone(&layout), ReadOptions::default());
        let mut read = 0;
        while reader.read_into(&mut block).map_err(text)? {
            read += block.len();
            if !score {
                continue;
            }
            let request = Request {
                candidates: block.len(),
                request: Columns::default(),
                candidate: Columns {
                    continuous: Features::F32(block.continuous()),
                    binary: Binary::Bytes(block.binary()),
                    user_embedding: Features::F32(block.user_embedding()),
                    user_eng_embedding: Features::F32(block.user_eng_embedding()),
                    author_embedding: Features::F32(block.author_embedding()),
                },
            };
            scorer.score(Batch { requests: &[request] }, &options, &mut scores).map_err(text)?;
        }
        if read != RECORDS {
            return Err(format!("expected {RECORDS} records, read {read}"));
        }
        Ok(clock.elapsed())
    })?;
    let flops = if score { session.cost.flops * RECORDS as f64 } else { 0.0 };
    let mut row = session.row(id, scorer.device()).timed(&summary);
    if score {
        row = quality(session, target)?.0.fill(row);
    }
    row = row.rated(RECORDS, flops, std::fs::metadata(&path).map_or(0.0, |m| m.len() as f64));
    row.note = "GB/s are of the file, uncompressed and in the page cache".to_owned();
    session.push(row)
}
