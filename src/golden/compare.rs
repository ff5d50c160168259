//! One case on one scorer, every output held against the truth in accept form: NaN fails.

use super::{Bound, Case};
use crate::{Outputs, Precision, Result, ScoreFrom, ScoreOptions, Scores, Status, truth};

/// The worst element of one output.
#[derive(Clone, Debug)]
pub struct Check {
    /// The output's name.
    pub name: &'static str,
    /// Row and task of the element that is worst relative to its bound.
    pub at: (usize, usize),
    /// Its error.
    pub error: f64,
    /// Its bound.
    pub bound: f64,
    /// Whether every element is inside its bound.
    pub passed: bool,
}

/// What came of a case on a scorer.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// One entry an output.
    pub checks: Vec<Check>,
    /// Largest absolute error of any logit.
    pub logit_error: f64,
    /// Largest absolute error of any score.
    pub score_error: f64,
    /// For precisions below f32: root mean square of the logits' errors over twice the same-precision reference's.
    pub rms_ratio: Option<f64>,
}

impl Comparison {
    /// Whether every output is inside its bound.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed) && self.rms_ratio.is_none_or(|ratio| ratio <= 1.0)
    }

    /// The outputs that are not, in words.
    #[must_use]
    pub fn failures(&self) -> String {
        let mut words: Vec<String> = self
            .checks
            .iter()
            .filter(|check| !check.passed)
            .map(|c| {
                format!(
                    "{} at row {} task {}: |err| {:.3e} > bound {:.3e}",
                    c.name, c.at.0, c.at.1, c.error, c.bound
                )
            })
            .collect();
        if let Some(ratio) =
            self.rms_ratio.filter(|&ratio| !matches!(ratio.partial_cmp(&1.0), Some(o) if o.is_le()))
        {
            words.push(format!("rms of logit errors is {ratio:.2} times what is allowed"));
        }
        words.join("; ")
    }
}

pub(super) fn check(
    case: &Case,
    precision: Precision,
    run: impl Fn(&ScoreOptions<'_>, &mut Scores) -> Result<()>,
) -> Result<Comparison> {
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let outputs = Outputs { logits: true, probabilities: true, calibrated_probabilities: true, top_k: 0 };
    let options = ScoreOptions::new(&weights).with_outputs(outputs);
    let mut scores = Scores::default();
    run(&options, &mut scores)?;
    let mut raw = Scores::default();
    run(&options.with_score_from(ScoreFrom::Raw), &mut raw)?;

    let logits = case.expected("logits");
    let errors = |name: &str, found: &[f32]| -> Vec<f64> {
        let pairs = case.expected(name).iter().zip(found).filter(|(e, _)| e.is_finite());
        pairs.map(|(e, &f)| (f64::from(f) - e).abs()).collect()
    };
    let logit_errors = errors("logits", &scores.logits);
    let flavour = yardstick(case, precision, &logit_errors)?;
    let bound = Bound { rounding: 2.0 * flavour.map_or(0.0, |f| f.largest) };
    let tasks = case.score_weights.len();
    let ln_ratios: Vec<f64> = ln_ratios(case);
    let zeros = vec![0.0; tasks];
    let row = |r: usize| &logits[r * tasks..(r + 1) * tasks];

    let mut checks = Vec::new();
    let mut element = |name, found: &[f32], width: usize, bound: &dyn Fn(usize, usize) -> f64| {
        let expected = case.expected(name);
        if !expected.is_empty() || case.rows == 0 {
            checks.push(worst(name, expected, found, &scores.statuses, width, bound));
        }
    };
    element("logits", &scores.logits, tasks, &|r, t| bound.logit(row(r)[t]));
    element("probabilities", &scores.probabilities, tasks, &|r, t| bound.probability(row(r)[t], 0.0));
    element("calibrated_probabilities", &scores.calibrated_probabilities, tasks, &|r, t| {
        bound.probability(row(r)[t], ln_ratios[t])
    });
    element("score", &scores.scores, 1, &|r, _| bound.score(row(r), &ln_ratios, &case.score_weights));
    element("score_uncalibrated", &raw.scores, 1, &|r, _| bound.score(row(r), &zeros, &case.score_weights));

    Ok(Comparison {
        checks,
        logit_error: largest(&logit_errors),
        score_error: largest(&errors("score", &scores.scores)),
        rms_ratio: flavour.map(|flavour| rms(&logit_errors) / flavour.allowed_rms()),
    })
}

fn worst(
    name: &'static str,
    expected: &[f64],
    found: &[f32],
    statuses: &[Status],
    width: usize,
    bound: &dyn Fn(usize, usize) -> f64,
) -> Check {
    let mut check = Check { name, at: (0, 0), error: 0.0, bound: 0.0, passed: expected.len() == found.len() };
    let mut worst_ratio = -1.0;
    for (index, (&expected, &found)) in expected.iter().zip(found).enumerate() {
        let at = (index / width, index % width);
        if !expected.is_finite() {
            // The truth has no number here: the status must say so.
            check.passed &= statuses[at.0] != Status::Ok;
            continue;
        }
        let (error, bound) = ((f64::from(found) - expected).abs(), bound(at.0, at.1));
        check.passed &= error <= bound && statuses[at.0] == Status::Ok;
        let ratio = if error.is_nan() { f64::INFINITY } else { error / bound };
        if ratio > worst_ratio {
            worst_ratio = ratio;
            (check.at, check.error, check.bound) = (at, error, bound);
        }
    }
    check
}

/// Errors of the logits of the reference's flavour of a precision.
#[derive(Clone, Copy)]
struct Flavour {
    largest: f64,
    rms: f64,
}

impl Flavour {
    fn of(case: &Case, precision: truth::TruthPrecision) -> Result<Self> {
        let output = case.truth(precision)?;
        let pairs = case.expected("logits").iter().zip(output.logits.values()).filter(|(e, _)| e.is_finite());
        let errors: Vec<f64> = pairs.map(|(e, f)| (f - e).abs()).collect();
        Ok(Self { largest: largest(&errors), rms: rms(&errors) })
    }

    /// Twice the flavour's; the floor is what f32 sums may add to any flavour.
    fn allowed_rms(self) -> f64 {
        2.0 * self.rms + 3e-5
    }

    fn covers(self, errors: &[f64]) -> bool {
        largest(errors) <= 2.0 * self.largest && rms(errors) <= self.allowed_rms()
    }
}

/// What the errors of a precision are measured by: the reference's flavour, which breaks near-ties by exact sums, or,
/// where that does not cover them, the worst of the flavours whose near-ties fall to either side, as they may in f32.
/// Nothing for f32.
fn yardstick(case: &Case, precision: Precision, found: &[f64]) -> Result<Option<Flavour>> {
    if precision == Precision::F32 {
        return Ok(None);
    }
    let exact = truth::flavour(precision);
    let mut worst = Flavour::of(case, exact)?;
    if !worst.covers(found) {
        for tipped in exact.tipped() {
            let flavour = Flavour::of(case, tipped)?;
            worst.largest = worst.largest.max(flavour.largest);
            worst.rms = worst.rms.max(flavour.rms);
        }
    }
    Ok(Some(worst))
}

/// Logarithms of the calibration ratios, taken from the expected outputs' own model.
fn ln_ratios(case: &Case) -> Vec<f64> {
    let weights = case.model.weights();
    let ratio = |task: &crate::config::Task| {
        let stored = weights.find(&format!("_calibrators.{}.ratio", task.module_name()));
        stored.map_or(f64::from(task.calibration_ratio), |tensor| tensor.value(0)).ln()
    };
    case.model.config().tasks.iter().map(ratio).collect()
}

fn largest(errors: &[f64]) -> f64 {
    errors
        .iter()
        .fold(0.0, |largest, &error| if largest.is_nan() || error <= largest { largest } else { error })
}

fn rms(errors: &[f64]) -> f64 {
    (errors.iter().map(|e| e * e).sum::<f64>() / errors.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use maskrank_reference::head::sigmoid;

    #[test]
    fn a_nan_is_the_largest_error() {
        assert!(largest(&[1.0, f64::NAN, 2.0]).is_nan());
    }

    #[test]
    fn a_probability_bound_covers_the_logit_bound() {
        let bound = Bound { rounding: 0.01 };
        for logit in [-20.0, -3.0, 0.0, 5.0] {
            let reach = (sigmoid(logit + 0.01) - sigmoid(logit)).abs();
            assert!(bound.probability(logit, 0.0) >= reach);
        }
    }

    #[test]
    fn nan_never_passes() {
        let check = worst("logits", &[1.0], &[f32::NAN], &[Status::Ok], 1, &|_, _| 1.0);
        assert!(!check.passed);
    }
}
