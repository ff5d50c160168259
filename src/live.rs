//! A scorer that can be replaced while requests are in flight.
//!
//! Whoever scores holds the generation that it began with; a reload builds and warms the next one first and then puts
//! it in its place, so no request waits for a reload and none sees half of one. The old generation is freed by whoever
//! is the last to let go of it. Both are in memory until then.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::config::Widths;
use crate::{Batch, Binary, Columns, Error, Features, Request, Result, ScoreOptions, Scorer, Scores, Status};

/// One of the scorers that a [`LiveScorer`] has had.
#[derive(Debug)]
pub struct Generation {
    scorer: Scorer,
    number: u64,
}

impl Generation {
    /// The scorer.
    #[must_use]
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// Counts from 0, one a reload.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// The scorer that serves now.
#[derive(Debug)]
pub struct LiveScorer {
    current: RwLock<Arc<Generation>>,
    /// Reloads come one after the other; those who score never wait for it.
    reloading: Mutex<()>,
    max_candidates: usize,
}

impl LiveScorer {
    /// Serves with this scorer, which is warmed first.
    ///
    /// # Errors
    /// As [`LiveScorer::reload`].
    pub fn new(scorer: Scorer) -> Result<Self> {
        warm(&scorer)?;
        let max_candidates = scorer.max_candidates();
        let current = RwLock::new(Arc::new(Generation { scorer, number: 0 }));
        Ok(Self { current, reloading: Mutex::new(()), max_candidates })
    }

    /// The scorer that serves now, to be held for one call.
    #[must_use]
    pub fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Most candidates of one batch, whatever generation serves.
    #[must_use]
    pub fn max_candidates(&self) -> usize {
        self.max_candidates
    }

    /// Scores with the generation that serves now; returns its number.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub fn score(&self, batch: Batch<'_>, options: &ScoreOptions<'_>, scores: &mut Scores) -> Result<u64> {
        let generation = self.current();
        generation.scorer.score(batch, options, scores)?;
        Ok(generation.number)
    }

    /// Replaces the scorer by the one that `build` makes, once it has been made and warmed; returns the new
    /// generation's number. Until then, and after any error, the old one serves.
    ///
    /// # Errors
    /// `build` failed; the new scorer takes other inputs, tasks or smaller batches than the old one; it failed on a
    /// plain batch, or has no finite scores for it.
    pub fn reload(&self, build: impl FnOnce() -> Result<Scorer>) -> Result<u64> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let scorer = build()?;
        let old = self.current();
        check_replaces(&old.scorer, &scorer, self.max_candidates)?;
        warm(&scorer)?;
        let number = old.number + 1;
        let next = Arc::new(Generation { scorer, number });
        // The old generation is not freed under the lock: `old` still holds it.
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(number)
    }
}

/// Callers checked their requests against the old scorer; those in flight must fit the new one too.
fn check_replaces(old: &Scorer, new: &Scorer, max_candidates: usize) -> Result<()> {
    let differs = |argument, expected: String, found: String| {
        Err(Error::Argument {
            argument,
            expected: format!("{expected}, as the scorer that serves has it"),
            found,
        })
    };
    if let Some((name, wanted, seen)) = old.widths().difference(new.widths()) {
        return differs("widths", format!("{name} {wanted}"), seen.to_string());
    }
    if old.split() != new.split() {
        return differs("split", format!("{:?}", old.split()), format!("{:?}", new.split()));
    }
    if old.tasks() != new.tasks() {
        return differs("tasks", old.tasks().join(", "), new.tasks().join(", "));
    }
    if new.max_candidates() < max_candidates {
        return differs(
            "max_candidates",
            format!("at least {max_candidates}"),
            new.max_candidates().to_string(),
        );
    }
    Ok(())
}

/// Most candidates of the larger of the two batches that warm a scorer.
const WARM_CANDIDATES: usize = 256;

/// Scores plain batches, one small and one large, so that the first caller finds every page and kernel in place.
fn warm(scorer: &Scorer) -> Result<()> {
    let (once, each) =
        (scorer.split().request_widths(scorer.widths()), scorer.split().candidate_widths(scorer.widths()));
    let weights = vec![1.0; scorer.tasks().len()];
    let mut scores = Scores::default();
    for candidates in [1, scorer.max_candidates().min(WARM_CANDIDATES)] {
        let (request, candidate) = (Plain::new(once, 1), Plain::new(each, candidates));
        let request = Request { candidates, request: request.columns(), candidate: candidate.columns() };
        scorer.score(Batch { requests: &[request] }, &ScoreOptions::new(&weights), &mut scores)?;
        if let Some(row) = scores.statuses.iter().position(|&status| status == Status::NonFinite) {
            return Err(Error::Argument {
                argument: "model",
                expected: "finite scores for a plain batch".into(),
                found: format!("{} for candidate {row} of {candidates}", scores.scores[row]),
            });
        }
    }
    Ok(())
}

/// Features that differ from column to column and from row to row, all between −1 and 1.
struct Plain {
    values: Vec<f32>,
    binary: Vec<u8>,
    widths: Widths,
    rows: usize,
}

impl Plain {
    fn new(widths: Widths, rows: usize) -> Self {
        let width = widths.embeddings().into_iter().fold(widths.continuous, usize::max);
        let values = (0..rows * width).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let binary = (0..rows * widths.binary).map(|i| u8::from(i % 3 == 0)).collect();
        Self { values, binary, widths, rows }
    }

    fn columns(&self) -> Columns<'_> {
        let part = |width: usize| {
            let range: Range<usize> = 0..self.rows * width;
            Features::F32(&self.values[range])
        };
        let [user, user_eng, author] = self.widths.embeddings();
        Columns {
            continuous: part(self.widths.continuous),
            binary: Binary::Bytes(&self.binary),
            user_embedding: part(user),
            user_eng_embedding: part(user_eng),
            author_embedding: part(author),
        }
    }
}
