//! Reading, decoding, scoring and writing side by side, in constant memory: a few blocks travel in a circle.
//!
//! ```text
//! reading thread ── bytes ──► decoding thread ── block ──► this thread: score ── block + scores ──► writing thread
//! (decompresses)                     ▲                                                                  │
//!                                    └────────────────────────── empty blocks ──────────────────────────┘
//! ```
//!
//! Tables have no reading thread: the system reads ahead for them.

use std::error::Error as StdError;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use indicatif::ProgressBar;
use maskrank::records::RecordBlock;
use maskrank::{Batch, Error, ScoreOptions, Scorer, Scores};

use super::checkpoint::Checkpoints;
use super::input::Input;
use super::parted::Parted;
use super::rows::Rows;
use crate::output::Sink;

/// Blocks in the circle: one is filled, one scored, one written.
const BLOCKS: usize = 3;

type Failure = Box<dyn StdError + Send + Sync>;

/// A block and what became of it.
struct Parcel {
    block: RecordBlock,
    /// The block as it is scored.
    parted: Parted,
    scores: Scores,
    input_bytes: u64,
}

/// What has been counted, earlier runs included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) candidates: u64,
    pub(crate) records_skipped: u64,
    pub(crate) files_cut: u64,
    /// The first errors of this run.
    pub(crate) errors: Vec<String>,
}

/// Where rows go.
pub(crate) struct Output {
    pub(crate) rows: Rows,
    pub(crate) sink: Sink,
    pub(crate) checkpoints: Option<Checkpoints>,
    pub(crate) bar: ProgressBar,
    /// Bytes of input that earlier runs read.
    pub(crate) input_before: u64,
}

/// Scores everything that the reader gives. `before` is what earlier runs counted.
pub(crate) fn run(
    mut reader: Input,
    batch: usize,
    scorer: &Scorer,
    options: &ScoreOptions<'_>,
    output: Output,
    before: &Counts,
) -> Result<Counts, Failure> {
    let (full_out, full_in) = sync_channel::<Result<Parcel, Error>>(BLOCKS);
    let (scored_out, scored_in) = sync_channel::<Parcel>(BLOCKS);
    let (empty_out, empty_in) = sync_channel::<Parcel>(BLOCKS);
    for _ in 0..BLOCKS {
        let block = reader.block(batch)?;
        empty_out.send(Parcel {
            block,
            parted: Parted::default(),
            scores: Scores::default(),
            input_bytes: 0,
        })?;
    }
    std::thread::scope(|scope| {
        let decoding = scope.spawn(move || {
            read(&mut reader, &empty_in, &full_out);
            let Some(skipped) = reader.skipped() else { return (0, 0, Vec::new()) };
            let errors: Vec<String> = skipped.errors.iter().map(ToString::to_string).collect();
            (skipped.records, skipped.files_cut, errors)
        });
        let writing = scope.spawn(move || write(output, before, &scored_in, &empty_out));
        let mut failure: Option<Failure> = None;
        for parcel in full_in {
            let scored = parcel.and_then(|mut parcel| {
                let Parcel { block, parted, scores, .. } = &mut parcel;
                parted.fill(block, scorer.split());
                let requests = parted.requests(block, scorer.split());
                scorer.score(Batch { requests: &requests }, options, scores)?;
                Ok(parcel)
            });
            match scored {
                Ok(parcel) => {
                    // The writer has ended only when it failed; its error is found below.
                    if scored_out.send(parcel).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    failure = Some(error.into());
                    break;
                }
            }
        }
        drop(scored_out);
        let written = writing.join().map_err(|_| "the writing thread failed")?;
        let (records, files_cut, errors) = decoding.join().map_err(|_| "the decoding thread failed")?;
        let (candidates, ending) = written?;
        if let Some(error) = failure {
            // What was scored before the broken record is kept: a later run can go on from there.
            ending.keep()?;
            return Err(error);
        }
        ending.finish()?;
        Ok(Counts {
            candidates,
            records_skipped: before.records_skipped + records,
            files_cut: before.files_cut + files_cut,
            errors,
        })
    })
}

/// Reads until the end, an error, or until nobody takes blocks any more.
fn read(reader: &mut Input, empty: &Receiver<Parcel>, full: &SyncSender<Result<Parcel, Error>>) {
    while let Ok(mut parcel) = empty.recv() {
        let read = match reader.read_into(&mut parcel.block) {
            Ok(false) => break,
            Ok(true) => {
                parcel.input_bytes = reader.input_bytes();
                Ok(parcel)
            }
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if full.send(read).is_err() || failed {
            break;
        }
    }
}

/// An output of which every row that was scored has been written.
struct Ending {
    output: Output,
    last: Option<Progress>,
}

/// What the next checkpoint says.
struct Progress {
    position: maskrank::records::Position,
    candidates: u64,
    skipped: (u64, u64),
}

fn write(
    mut output: Output,
    before: &Counts,
    scored: &Receiver<Parcel>,
    empty: &SyncSender<Parcel>,
) -> Result<(u64, Ending), Failure> {
    let mut candidates = before.candidates;
    let mut last = None;
    for parcel in scored {
        let Parcel { block, parted, scores, input_bytes } = &parcel;
        output.rows.write(block, &parted.ranges, scores, &mut output.sink)?;
        candidates += block.len() as u64;
        output.bar.set_position(output.input_before + input_bytes);
        let rate = (candidates - before.candidates) as f64 / output.bar.elapsed().as_secs_f64();
        output.bar.set_message(format!("{candidates} candidates, {rate:.0}/s"));
        let (records, files) = block.skipped_before();
        last = Some(Progress {
            position: block.next_position(),
            candidates,
            skipped: (before.records_skipped + records, before.files_cut + files),
        });
        if output.checkpoints.as_ref().is_some_and(Checkpoints::is_due) {
            checkpoint(&mut output, &mut last)?;
        }
        // The reader has ended when it no longer takes blocks.
        let _ = empty.send(parcel);
    }
    Ok((candidates, Ending { output, last }))
}

/// Rows first, then the state that counts them.
fn checkpoint(output: &mut Output, last: &mut Option<Progress>) -> std::io::Result<()> {
    let Output { rows, sink, checkpoints: Some(checkpoints), .. } = output else { return Ok(()) };
    let (Some(output_bytes), Some(progress)) = (sink.checkpoint()?, last.take()) else { return Ok(()) };
    checkpoints.save(|state| {
        state.position = progress.position;
        state.output_bytes = output_bytes;
        state.candidates = progress.candidates;
        state.skipped = progress.skipped;
        state.open = rows.open().to_vec();
    })
}

impl Ending {
    fn keep(mut self) -> std::io::Result<()> {
        checkpoint(&mut self.output, &mut self.last)?;
        self.output.sink.flush()
    }

    fn finish(mut self) -> std::io::Result<()> {
        checkpoint(&mut self.output, &mut self.last)?;
        let Output { mut rows, mut sink, checkpoints, bar, .. } = self.output;
        rows.finish(&mut sink)?;
        match (checkpoints, sink.checkpoint()?) {
            (Some(checkpoints), Some(output_bytes)) => {
                drop(sink);
                bar.set_message("making the output of the rows");
                checkpoints.finish(output_bytes)?;
            }
            _ => sink.flush()?,
        }
        bar.finish_and_clear();
        Ok(())
    }
}
