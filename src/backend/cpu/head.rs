//! Logits to scores: each task's last dot product in f32, then sigmoid, calibration and weighted sum from the logit.

use std::marker::PhantomData;
use std::ops::Range;

use crate::plan::Plan;
use crate::scores::{Outputs, Scores, Status};

use super::element::Element;
use super::isa::{Isa, Work};
use super::layout::Operand;
use super::memory::Shared;
use super::panel::Workspace;

/// All tasks of a plan.
#[derive(Debug)]
pub(super) struct HeadOp {
    tasks: Vec<Task>,
}

#[derive(Debug)]
struct Task {
    /// Over the input's columns; zeros where those have padding.
    weight: Vec<f32>,
    bias: f32,
    relu: bool,
    scale: f64,
    shift: f64,
    ln_ratio: f64,
}

/// Where a call's answers go; each row is one thread's.
#[derive(Clone, Copy)]
pub(super) struct Sink {
    scores: Shared<f32>,
    pub(super) statuses: Shared<Status>,
    logits: Option<Shared<f32>>,
    probabilities: Option<Shared<f32>>,
    calibrated: Option<Shared<f32>>,
}

impl Sink {
    /// # Panics
    /// When `scores` was not sized for `candidates` of `tasks`.
    pub(super) fn new(scores: &mut Scores, outputs: Outputs, candidates: usize, tasks: usize) -> Self {
        assert_eq!(scores.scores.len(), candidates, "scores are sized by the caller");
        assert_eq!(scores.statuses.len(), candidates, "statuses are sized by the caller");
        let optional = |asked: bool, values: &mut Vec<f32>| {
            let expected = if asked { candidates * tasks } else { 0 };
            assert_eq!(values.len(), expected, "outputs are sized by the caller");
            asked.then(|| Shared::new(values))
        };
        Self {
            logits: optional(outputs.logits, &mut scores.logits),
            probabilities: optional(outputs.probabilities, &mut scores.probabilities),
            calibrated: optional(outputs.calibrated_probabilities, &mut scores.calibrated_probabilities),
            scores: Shared::new(&mut scores.scores),
            statuses: Shared::new(&mut scores.statuses),
        }
    }
}

impl HeadOp {
    pub(super) fn new(plan: &Plan) -> Self {
        let task = |task: &crate::plan::HeadTask| {
            let narrow: Vec<f32> = task.weight.iter().map(|&w| w as f32).collect();
            let mut weight = vec![0.0; plan.padded(task.input)];
            plan.spread(task.input, &narrow, &mut weight);
            Task {
                weight,
                bias: task.bias as f32,
                relu: task.relu,
                scale: task.scale,
                shift: task.shift,
                ln_ratio: task.ln_ratio,
            }
        };
        Self { tasks: plan.head().tasks.iter().map(task).collect() }
    }

    pub(super) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Scores rows `rows` of a workspace, which are candidates `[first, ..)` of the batch.
    ///
    /// # Safety
    /// The inputs' rows are written, and these candidates' places in the sink are this thread's.
    #[expect(clippy::too_many_arguments, reason = "inputs, weights and where the answers go")]
    pub(super) unsafe fn rows<I: Isa, E: Element>(
        &self,
        isa: I,
        workspace: &Workspace<E>,
        inputs: &[Operand],
        rows: Range<usize>,
        first: usize,
        weights: &[f32],
        calibrated: bool,
        sink: &Sink,
    ) {
        for (index, row) in rows.enumerate() {
            let candidate = first + index;
            let mut score = 0.0;
            for (t, ((task, input), &weight)) in self.tasks.iter().zip(inputs).zip(weights).enumerate() {
                let logit = isa.run(Logit::<I, E> { task, workspace, input: *input, row, isa: PhantomData });
                let mapped = task.scale.mul_add(f64::from(logit), task.shift);
                let probability = sigmoid(mapped);
                let corrected =
                    if task.ln_ratio == 0.0 { probability } else { sigmoid(mapped + task.ln_ratio) };
                score += f64::from(weight) * if calibrated { corrected } else { probability };
                let at = candidate * self.tasks.len() + t;
                let values = [
                    (sink.logits, mapped as f32),
                    (sink.probabilities, probability as f32),
                    (sink.calibrated, corrected as f32),
                ];
                for (place, value) in values {
                    if let Some(place) = place {
                        // SAFETY: the caller's promise about the sink.
                        unsafe { *place.at(at) = value };
                    }
                }
            }
            let score = score as f32;
            // SAFETY: the caller's promise about the sink.
            unsafe {
                let status = sink.statuses.at(candidate);
                if *status == Status::ZeroVariance {
                    *sink.scores.at(candidate) = f32::NAN;
                } else {
                    *status = if score.is_finite() { Status::Ok } else { Status::NonFinite };
                    *sink.scores.at(candidate) = score;
                }
            }
        }
    }
}

/// One logit; whoever makes one promises that the row of the input is written.
struct Logit<'a, I, E> {
    task: &'a Task,
    workspace: &'a Workspace<E>,
    input: Operand,
    row: usize,
    isa: PhantomData<I>,
}

impl<I: Isa, E: Element> Work for Logit<'_, I, E> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        // SAFETY: the maker's promise.
        unsafe { self.task.logit::<I, E>(self.workspace, self.input, self.row) }
    }
}

impl Task {
    /// # Safety
    /// The row of the input is written.
    #[inline(always)]
    unsafe fn logit<I: Isa, E: Element>(&self, workspace: &Workspace<E>, input: Operand, row: usize) -> f32 {
        let mut lanes = [0.0f32; 16];
        for (run, weights) in self.weight.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: the weights are as many as the input's columns; the caller's promise.
            let values = unsafe { workspace.load::<I>(input, row, run * 16) };
            for ((lane, value), weight) in lanes.iter_mut().zip(values).zip(weights) {
                *lane = I::mul_add(value, *weight, *lane);
            }
        }
        let mut width = 8;
        while width > 0 {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
            width /= 2;
        }
        let logit = lanes[0] + self.bias;
        // Not `max`: a NaN must stay one.
        if self.relu && logit < 0.0 { 0.0 } else { logit }
    }
}

/// Without cancellation on either side: relative accuracy holds down to the smallest probability.
fn sigmoid(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
}
