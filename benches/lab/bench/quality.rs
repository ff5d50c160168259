//! How good the scores are that a time belongs to.

use maskrank::{Batch, Outputs, ScoreOptions, Scorer, Scores};
use maskrank_rows::{Row, statistics};

use super::subject::{Inputs, TRUTH_ROWS, Truth};

/// Against the f64 reference, over [`TRUTH_ROWS`] candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quality {
    /// Largest absolute error of a logit.
    pub(crate) logit_error: f64,
    /// Kendall's tau of the order by score.
    pub(crate) kendall_tau: f64,
    /// How many of the best 50 are among the best 50.
    pub(crate) top_50: f64,
}

impl Quality {
    /// Of logits (rows, tasks) and scores (rows).
    pub(crate) fn of(truth: &Truth, logits: &[f32], scores: &[f32]) -> Self {
        let scores: Vec<f64> = scores.iter().take(TRUTH_ROWS).map(|&s| f64::from(s)).collect();
        let errors = truth.logits.iter().zip(logits).map(|(t, &l)| (f64::from(l) - t).abs());
        Self {
            // Not `f64::max`, which passes over a NaN.
            logit_error: errors.fold(0.0, |worst, error| if error <= worst { worst } else { error }),
            kendall_tau: statistics::kendall_tau(&truth.scores, &scores),
            top_50: statistics::top_overlap(&truth.scores, &scores, 50) as f64,
        }
    }

    /// Scores the first candidates of the inputs, in as few calls as the scorer takes.
    ///
    /// # Errors
    /// When the scorer fails.
    pub(crate) fn measure(
        scorer: &Scorer,
        inputs: &Inputs,
        weights: &[f32],
        truth: &Truth,
    ) -> Result<Self, String> {
        let outputs = Outputs { logits: true, ..Outputs::default() };
        let options = ScoreOptions::new(weights).with_outputs(outputs);
        let (mut logits, mut all) = (Vec::new(), Vec::new());
        let step = scorer.max_candidates().min(TRUTH_ROWS);
        for start in (0..TRUTH_ROWS).step_by(step) {
            let request = inputs.request(start, step.min(TRUTH_ROWS - start), scorer.split());
            let mut scores = Scores::default();
            scorer
                .score(Batch { requests: &[request] }, &options, &mut scores)
                .map_err(|error| error.to_string())?;
            logits.extend_from_slice(&scores.logits);
            all.extend_from_slice(&scores.scores);
        }
        Ok(Self::of(truth, &logits, &all))
    }

    /// Puts the figures into a row.
    pub(crate) fn fill(self, row: Row) -> Row {
        Row {
            logit_error: Some(self.logit_error),
            kendall_tau: Some(self.kendall_tau),
            top_50: Some(self.top_50),
            ..row
        }
    }
}
