//! What a GPU must compute right before a scorer is handed out: a few seeded candidates of the very model, through the
//! very graphs that will serve, against the CPU.
//!
//! It tells a driver, a kernel or a packing that is wrong from one that rounds. How far rounding may go depends on the
//! model, so the CPU says it: besides f32 it scores the case with inputs that were rounded to the precision, and
//! with that precision where it has it.

use std::sync::Arc;

use crate::plan::Plan;
use crate::weights::seeded::{self, SeededInputs};
use crate::{
    Batch, Binary, Columns, Device, Error, Features, Model, Outputs, Precision, Request, Result, Scores,
};

use super::{Call, Executor, Options, cpu, folding};

/// Candidates of the case: more than one, and odd.
const ROWS: usize = 5;
/// Any number; the case is the same everywhere.
const SEED: u64 = 20_230_331;

/// The case and the CPU's answer.
pub(crate) struct SelfTest {
    rows: usize,
    inputs: SeededInputs,
    request: SeededInputs,
    tasks: usize,
    logits: Vec<f32>,
    /// For each logit, how far it may be off.
    bounds: Vec<f32>,
}

impl SelfTest {
    /// Scores the case on the CPU.
    ///
    /// # Errors
    /// As the CPU backend's.
    pub(crate) fn new(model: &Model, options: &Options) -> Result<Self> {
        let rows = ROWS.min(options.max_candidates);
        let widths = model.widths();
        let inputs = seeded::inputs(options.split.candidate_widths(widths), rows, SEED);
        let request = seeded::inputs(options.split.request_widths(widths), 1, SEED + 1);
        let mut test = Self {
            rows,
            inputs,
            request,
            tasks: model.tasks().len(),
            logits: Vec::new(),
            bounds: Vec::new(),
        };
        let exact = test.on_cpu(model, options, Precision::F32)?;
        let spread = match options.precision {
            Precision::F32 => None,
            // The CPU has no tf32; f16 has as many fraction bits.
            Precision::Bf16 => Some(test.on_cpu(model, options, Precision::Bf16)?),
            Precision::Tf32 | Precision::F16 => Some(test.on_cpu(model, options, Precision::F16)?),
        };
        let far = |index: usize| spread.as_ref().map_or(0.0, |rounded| (rounded[index] - exact[index]).abs());
        let widest = (0..exact.len()).map(far).fold(0.0, f32::max);
        let unit = unit_roundoff(options.precision);
        // Two independent f32 runs may each be off by the bound of f32; rounding by some multiples of what the CPU's
        // is off anywhere in the case, or of a rounding of the logit itself.
        test.bounds = exact
            .iter()
            .map(|logit| {
                32.0 * (3e-5 + 1e-5 * logit.abs()) + 16.0 * widest + 32.0 * unit * (1.0 + logit.abs())
            })
            .collect();
        test.logits = exact;
        Ok(test)
    }

    fn on_cpu(&self, model: &Model, options: &Options, precision: Precision) -> Result<Vec<f32>> {
        // A packed model's rows are folded as its own precision wants it.
        let folding = folding(options.precision);
        let (config, weights) = (model.config(), model.weights());
        let plan = Plan::build_for(config, model.widths(), weights, cpu::ALIGN, folding, &options.split);
        let options =
            Options { precision, max_candidates: ROWS, cpu_kernel: None, adapter: None, ..options.clone() };
        let executor: Arc<dyn Executor> = cpu::build(&plan, &options, None)?;
        let mut lane = executor.lane()?;
        let mut scores = Scores::default();
        self.run(|call| {
            scores.prepare(call.batch.candidates(), self.tasks, call.outputs);
            lane.score(call, &mut scores)
        })?;
        Ok(scores.logits)
    }

    /// Gives the case to a lane.
    ///
    /// # Errors
    /// Those of `score`.
    pub(crate) fn run(&self, score: impl FnOnce(&Call<'_>) -> Result<()>) -> Result<()> {
        let request = Request {
            candidates: self.rows(),
            request: columns(&self.request),
            candidate: columns(&self.inputs),
        };
        score(&Call {
            batch: Batch { requests: &[request] },
            weights: &vec![1.0; self.tasks],
            calibrated: true,
            outputs: Outputs { logits: true, ..Outputs::default() },
        })
    }

    /// Candidates of the case.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers of a score for one lane's outputs.
    pub(crate) fn scores(&self) -> Scores {
        let mut scores = Scores::default();
        scores.prepare(self.rows(), self.tasks, Outputs { logits: true, ..Outputs::default() });
        scores
    }

    /// Compares a device's answer with the CPU's. `kernels` says what ran.
    ///
    /// # Errors
    /// [`Error::SelfTest`], with device, driver, kernel and figure.
    pub(crate) fn compare(&self, device: &Device, kernels: &str, scores: &Scores) -> Result<()> {
        let failed = |problem: String| Error::SelfTest {
            backend: device.backend,
            device: device.name.clone(),
            problem: format!("{} ({kernels}): {problem}", device.kernel),
        };
        if scores.logits.len() != self.logits.len() {
            let (expected, found) = (self.logits.len(), scores.logits.len());
            return Err(failed(format!("expected {expected} logits, found {found}")));
        }
        for (index, ((&found, &expected), &bound)) in
            scores.logits.iter().zip(&self.logits).zip(&self.bounds).enumerate()
        {
            let error = (found - expected).abs();
            // In accept form, so that a NaN is not inside; where the CPU has none itself, the GPU must agree.
            let is_inside = error <= bound || found == expected || (expected.is_nan() && found.is_nan());
            if !is_inside {
                let (row, task) = (index / self.tasks, index % self.tasks);
                return Err(failed(format!(
                    "row {row} task {task}: the CPU's logit is {expected}, found {found}, |err| {error:.1e} > bound \
                     {bound:.1e}"
                )));
            }
        }
        Ok(())
    }

    /// Compares two graphs of one device, bit by bit.
    ///
    /// # Errors
    /// [`Error::SelfTest`]: a score may not depend on the size of its batch.
    pub(crate) fn same(&self, device: &Device, kernels: &str, first: &Scores, other: &Scores) -> Result<()> {
        let bits = |scores: &Scores| scores.logits.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        match bits(first).iter().zip(bits(other)).position(|(a, b)| *a != b) {
            None => Ok(()),
            Some(at) => Err(Error::SelfTest {
                backend: device.backend,
                device: device.name.clone(),
                problem: format!(
                    "{} ({kernels}): logit {at} is {}, with the smallest graph it is {}",
                    device.kernel, other.logits[at], first.logits[at]
                ),
            }),
        }
    }
}

fn columns(inputs: &SeededInputs) -> Columns<'_> {
    Columns {
        continuous: Features::F32(&inputs.continuous),
        binary: Binary::Numbers(&inputs.binary),
        user_embedding: Features::F32(&inputs.embeddings[0]),
        user_eng_embedding: Features::F32(&inputs.embeddings[1]),
        author_embedding: Features::F32(&inputs.embeddings[2]),
    }
}

fn unit_roundoff(precision: Precision) -> f32 {
    match precision {
        Precision::F32 => 0.0,
        Precision::Bf16 => 2f32.powi(-8),
        Precision::Tf32 | Precision::F16 => 2f32.powi(-11),
    }
}
