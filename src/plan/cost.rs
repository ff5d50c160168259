//! What a plan costs: counted from its shapes, before anything runs.

use super::{Plan, Reuse, Step};

/// Work and traffic of one step or of a whole plan.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations a candidate; a multiply-add is two. In a plan with [`super::Reuse`], without those
    /// that a request's candidates share.
    pub flops: f64,
    /// Floating-point operations a request, whatever its candidates: 0 without reuse.
    pub request_flops: f64,
    /// Weights read once a batch: elements.
    pub weights: usize,
    /// Activations read and written a candidate: elements.
    pub activations: usize,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            flops: self.flops + other.flops,
            request_flops: self.request_flops + other.request_flops,
            weights: self.weights + other.weights,
            activations: self.activations + other.activations,
        }
    }
}

impl Plan {
    /// Cost of one step.
    #[must_use]
    pub fn step_cost(&self, step: &Step) -> Cost {
        match step {
            Step::Featurize(featurize) => {
                let width = self.width(featurize.output);
                // log, multiply-add, two passes of the norm and its affine: about ten operations a feature.
                let (flops, weights, activations) = (10.0 * width as f64, 4 * width, 2 * width);
                Cost { flops, weights, activations, ..Cost::default() }
            }
            Step::LayerNorm(groups) => groups
                .iter()
                .map(|group| {
                    let width = self.width(group.input);
                    let (flops, weights, activations) = (8.0 * width as f64, 2 * width, 2 * width);
                    Cost { flops, weights, activations, ..Cost::default() }
                })
                .fold(Cost::default(), |a, b| a + b),
            Step::Gemm(groups) => groups
                .iter()
                .map(|group| {
                    let (out, inp) = (group.linear.out_features, group.linear.in_features);
                    let once = self.reuse_of(group.input).map_or(0, Reuse::columns);
                    Cost {
                        flops: 2.0 * out as f64 * (inp - once) as f64,
                        request_flops: 2.0 * out as f64 * once as f64,
                        weights: out * inp + out,
                        activations: inp - once + out,
                    }
                })
                .fold(Cost::default(), |a, b| a + b),
            Step::Head(head) => head
                .tasks
                .iter()
                .map(|task| {
                    let inp = task.weight.len();
                    let flops = 2.0 * inp as f64;
                    Cost { flops, weights: inp + 1, activations: inp + 1, ..Cost::default() }
                })
                .fold(Cost::default(), |a, b| a + b),
        }
    }

    /// Cost of the whole plan.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.steps.iter().map(|step| self.step_cost(step)).fold(Cost::default(), |a, b| a + b)
    }
}
