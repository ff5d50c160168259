//! Records that someone made to harm: no panic, no endless reading, no memory beyond the bound that
//! `maskrank::records` states. One test: the allocator counts for the whole process.

use std::io::{Cursor, Write};
use std::path::Path;

use maskrank::Error;
use maskrank::records::{
    BlockReader, LayoutSpec, Missing, OnBad, RandomRecords, ReadOptions, RecordBlock, RecordLayout, Schema,
    TweetIds,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[path = "records/support.rs"]
#[allow(dead_code, reason = "shared with the other tests of records, which use more of it")]
mod support;

mod common;

use common::allocator::{Counting, peak};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KIB: usize = 1024;
const CAPACITY: usize = 3;

/// Reads everything; returns what went wrong, and the most memory that was live at once beyond the start.
fn read(bytes: Vec<u8>, layout: &RecordLayout, options: ReadOptions) -> (Vec<Error>, usize) {
    peak(|| read_all(bytes, layout, options))
}

fn read_all(bytes: Vec<u8>, layout: &RecordLayout, options: ReadOptions) -> Vec<Error> {
    let stream = Cursor::new(bytes);
    let mut errors = Vec::new();
    match BlockReader::from_stream(stream, Path::new("hostile"), layout.clone(), options) {
        Err(error) => errors.push(error),
        Ok(mut reader) => {
            let mut block = RecordBlock::new(layout, CAPACITY).unwrap();
            loop {
                match reader.read_into(&mut block) {
                    Ok(true) => assert!((1..=CAPACITY).contains(&block.len())),
                    Ok(false) => break,
                    Err(error) => errors.push(error),
                }
            }
            assert!(options.on_bad == OnBad::Skip || errors.len() <= 1);
        }
    }
    errors
}

/// What the module's documentation promises.
fn bound(layout: &RecordLayout, max_record_bytes: usize) -> usize {
    2 * max_record_bytes + (CAPACITY + 1) * layout.row_bytes() + 512 * KIB
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[derive(Debug, Clone)]
struct Harm {
    /// Byte (modulo the length) and what is added to it.
    changes: Vec<(prop::sample::Index, u8)>,
    cut: Option<prop::sample::Index>,
    doubled: Option<(prop::sample::Index, prop::sample::Index)>,
}

fn harm() -> impl Strategy<Value = Harm> {
    let place = any::<prop::sample::Index>;
    let changes = prop::collection::vec((place(), 1..=255_u8), 0..6);
    (changes, prop::option::of(place()), prop::option::of((place(), place())))
        .prop_map(|(changes, cut, doubled)| Harm { changes, cut, doubled })
}

impl Harm {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        if let Some((from, to)) = self.doubled.filter(|_| !out.is_empty()) {
            let (from, to) = (from.index(out.len()), to.index(out.len()));
            let piece = out[from.min(to)..from.max(to)].to_vec();
            out.splice(from..from, piece);
        }
        for (place, delta) in self.changes.iter().filter(|_| !bytes.is_empty()) {
            let place = place.index(out.len());
            out[place] = out[place].wrapping_add(*delta);
        }
        if let Some(cut) = self.cut {
            out.truncate(cut.index(out.len() + 1));
        }
        out
    }
}

/// Where the harm is done: the outer the layer, the earlier it is seen.
#[derive(Debug, Clone, Copy)]
enum Layer {
    Example,
    Frames,
    Gzip,
    GzipOfFrames,
}

#[test]
fn hostile_bytes_never_panic_and_memory_stays_bounded() {
    let layout = support::layout();
    let good = support::records_of(&[1, 1, 2, 3, 3, 3, 3]);
    let config = Config { cases: 6000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let layers = prop::sample::select(vec![Layer::Example, Layer::Frames, Layer::Gzip, Layer::GzipOfFrames]);
    let modes = prop::sample::select(vec![
        (OnBad::Stop, Missing::Refuse),
        (OnBad::Skip, Missing::Refuse),
        (OnBad::Skip, Missing::FillZero),
    ]);
    let seen = std::cell::Cell::new((0_u32, 0_u32));
    let highest = std::cell::Cell::new(0);
    runner
        .run(
            &(harm(), layers, modes, 100..600_usize),
            |(harm, layer, (on_bad, missing), max_record_bytes)| {
                let bytes = match layer {
                    Layer::Example => {
                        let mut records = good.clone();
                        records[3] = harm.apply(&records[3]);
                        support::file_of(&records)
                    }
                    Layer::Frames => harm.apply(&support::file_of(&good)),
                    Layer::Gzip => harm.apply(&gzip(&support::file_of(&good))),
                    Layer::GzipOfFrames => gzip(&harm.apply(&support::file_of(&good))),
                };
                let options = ReadOptions { missing, on_bad, max_record_bytes };
                let (errors, peak) = read(bytes, &layout, options);
                let (fine, broken) = seen.get();
                seen.set(if errors.is_empty() { (fine + 1, broken) } else { (fine, broken + 1) });
                for error in errors {
                    prop_assert!(matches!(error, Error::Record { .. }), "{error}");
                }
                prop_assert!(peak <= bound(&layout, max_record_bytes), "{peak} bytes");
                highest.set(highest.get().max(peak));
                Ok(())
            },
        )
        .unwrap();
    let (fine, broken) = seen.get();
    assert!(
        fine > 100 && broken > 100,
        "the cases are of both kinds: {fine} read to the end, {broken} did not"
    );
    assert!(highest.get() > 64 * KIB, "the allocator counts: {highest:?}");

    claims_of_length_cost_nothing(&layout);
    bombs_cost_nothing(&layout);
    production_records_stay_below_the_bound();
}

/// A length that is only a claim allocates by what arrives of it, whatever the bound.
fn claims_of_length_cost_nothing(layout: &RecordLayout) {
    for arrived in [0, 100, 300 * KIB, 3000 * KIB] {
        let length = (1_u64 << 32).to_le_bytes();
        let mut bytes = [&length[..], &support::masked_sum(&length).to_le_bytes()].concat();
        bytes.resize(12 + arrived, 7);
        let options = ReadOptions { max_record_bytes: usize::MAX, ..ReadOptions::default() };
        let (errors, peak) = read(bytes, layout, options);
        assert!(errors.len() == 1 && errors[0].to_string().contains("the file is cut"), "{errors:?}");
        let bound = (3 * arrived).max(256 * KIB) + (CAPACITY + 1) * layout.row_bytes() + 512 * KIB;
        assert!(peak <= bound, "{arrived} bytes arrived: {peak} > {bound}");
    }
}

/// 64 MiB of zeros in 64 KiB of gzip: as frames, as one long record, and as a record above the bound.
fn bombs_cost_nothing(layout: &RecordLayout) {
    let zeros = vec![0; 64 << 20];
    let length = (zeros.len() as u64).to_le_bytes();
    let header = [&length[..], &support::masked_sum(&length).to_le_bytes()].concat();
    let bombs = [gzip(&zeros), gzip(&[header, zeros].concat())];
    for bomb in bombs {
        let options = ReadOptions { on_bad: OnBad::Skip, max_record_bytes: 4096, ..ReadOptions::default() };
        let (errors, peak) = read(bomb, layout, options);
        assert!(errors.is_empty() && peak <= bound(layout, 4096), "{peak} {errors:?}");
    }
}

/// Good records of production size, many of them: memory does not grow with the file.
fn production_records_stay_below_the_bound() {
    let schema = Schema::released();
    let spec = LayoutSpec { continuous_truncation: Some(2117), ..LayoutSpec::default() };
    let layout =
        RecordLayout::new(&schema, &spec, maskrank::config::Widths::from_schema(&schema, &spec).unwrap())
            .unwrap();
    let plan = RandomRecords { seed: 3, records: 200, records_per_request: 9, tweet_ids: TweetIds::Drawn };
    let mut examples = plan.examples(&schema).unwrap();
    let mut records = Vec::new();
    let mut example = Vec::new();
    while examples.next_into(&mut example) {
        records.push(example.clone());
    }
    let longest = records.iter().map(Vec::len).max().unwrap();
    let options = ReadOptions { max_record_bytes: longest, ..ReadOptions::default() };
    let (errors, peak) = read(gzip(&support::file_of(&records)), &layout, options);
    assert!(errors.is_empty() && peak <= bound(&layout, longest), "{peak} {errors:?}");
}
