//! What a worker thread does: takes jobs, scores them as one batch, gives each its own part.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::Answer;
use super::queue::{Entry, Queue};
use super::times::{Counters, StageTimes, add};
use crate::scorer::CallTimes;
use crate::{Batch, Error, LiveScorer, Outputs, Request, Result, ScoreOptions, Scores};

/// What all workers of a batching scorer share.
pub(super) struct Shared {
    pub(super) live: Arc<LiveScorer>,
    pub(super) queue: Arc<Queue>,
    pub(super) counters: Arc<Counters>,
}

/// Works until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    sharpen_timer();
    let (mut batch, mut expired) = (Vec::new(), Vec::new());
    let mut scores = Scores::default();
    while shared.queue.take(&mut batch, &mut expired) {
        for entry in expired.drain(..) {
            let waited = entry.since.elapsed();
            entry.promise.settle(Err(Error::Expired { waited }));
        }
        // Whose caller went away between the queue and here costs nothing either.
        batch.retain(|entry: &Entry| entry.promise.is_wanted());
        if !batch.is_empty() {
            serve(shared, &mut batch, &mut scores);
        }
    }
}

struct Scored {
    generation: u64,
    packed: Instant,
    call: CallTimes,
    returned: Instant,
}

fn serve(shared: &Shared, batch: &mut Vec<Entry>, scores: &mut Scores) {
    let taken = Instant::now();
    // A scorer that panics must take neither the thread nor the callers with it.
    let scored = catch_unwind(AssertUnwindSafe(|| score(shared, batch, scores))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        let backend = shared.live.current().scorer().device().backend;
        Err(Error::Device {
            backend,
            operation: "score a batch".into(),
            problem: format!("panicked: {text}"),
        })
    });
    let candidates: usize = batch.iter().map(|entry| entry.job.request.candidates).sum();
    add(&shared.counters.batches, 1);
    add(&shared.counters.candidates, candidates as u64);
    let merged = (batch.len(), candidates);
    let mut first = 0;
    for (index, entry) in batch.drain(..).enumerate() {
        let Entry { job, promise, since, .. } = entry;
        let rows = first..first + job.request.candidates;
        first = rows.end;
        let answer = match &scored {
            Err(error) => Err(error.duplicate()),
            Ok(scored) => Ok(Answer {
                scores: part(scores, index, rows, job.weights.len(), job.outputs),
                times: StageTimes {
                    queue: taken.saturating_duration_since(since),
                    pack: scored.packed - taken,
                    copy: scored.call.copy,
                    compute: scored.call.compute,
                    deliver: scored.returned.elapsed(),
                },
                generation: scored.generation,
                batch: merged,
            }),
        };
        promise.settle(answer);
        // The features are freed after the answer is out.
        drop(job);
    }
}

fn score(shared: &Shared, batch: &[Entry], scores: &mut Scores) -> Result<Scored> {
    let generation = shared.live.current();
    let Some(leader) = batch.first() else { return Err(Error::Stopped) };
    let requests: Vec<Request<'_>> = batch.iter().map(|entry| entry.job.request.view()).collect();
    let outputs = batch.iter().map(|entry| entry.job.outputs).fold(Outputs::default(), union);
    let options = ScoreOptions { weights: &leader.job.weights, from: leader.job.from, outputs };
    let packed = Instant::now();
    let call = generation.scorer().score_timed(Batch { requests: &requests }, &options, scores)?;
    Ok(Scored { generation: generation.number(), packed, call, returned: Instant::now() })
}

fn union(a: Outputs, b: Outputs) -> Outputs {
    Outputs {
        logits: a.logits || b.logits,
        probabilities: a.probabilities || b.probabilities,
        calibrated_probabilities: a.calibrated_probabilities || b.calibrated_probabilities,
        top_k: a.top_k.max(b.top_k),
    }
}

/// One request's part of a batch's scores, with what its caller asked for and no more.
fn part(all: &Scores, request: usize, rows: Range<usize>, tasks: usize, outputs: Outputs) -> Scores {
    let per_task = |values: &[f32], wanted: bool| match wanted {
        true => values[rows.start * tasks..rows.end * tasks].to_vec(),
        false => Vec::new(),
    };
    // Top k is a total order: the best k are the first k of any longer list.
    let (top_k, top_k_offsets) = match outputs.top_k {
        0 => (Vec::new(), Vec::new()),
        k => {
            let best = &all.top_k[all.top_k_offsets[request]..all.top_k_offsets[request + 1]];
            let best = best[..best.len().min(k)].to_vec();
            let offsets = vec![0, best.len()];
            (best, offsets)
        }
    };
    Scores {
        scores: all.scores[rows.clone()].to_vec(),
        statuses: all.statuses[rows.clone()].to_vec(),
        logits: per_task(&all.logits, outputs.logits),
        probabilities: per_task(&all.probabilities, outputs.probabilities),
        calibrated_probabilities: per_task(&all.calibrated_probabilities, outputs.calibrated_probabilities),
        top_k,
        top_k_offsets,
    }
}

/// Linux lets a sleeping thread oversleep by 50 µs to save wake-ups; a worker that waits out a delay must not.
fn sharpen_timer() {
    #[cfg(target_os = "linux")]
    {
        // Without it delays are a little longer; nothing else changes.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    }
}

/// A delay that is too long to be meant.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(60);
