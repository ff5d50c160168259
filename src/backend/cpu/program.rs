//! A plan compiled for the CPU: operations with their operands' places, weights packed, norms and biases in f32.

use std::sync::Arc;

use crate::backend::Work;
use crate::plan::{Affine, Epilogue, Norm, Plan, Step};
use crate::weights::packed::Packed;
use crate::{Backend, Error, Result, Split};

use super::element::Element;
use super::featurize::Featurizer;
use super::head::HeadOp;
use super::isa::Portable;
use super::layout::{Layout, Operand, Order};
use super::memory::Strips;
use super::micro::{Kernel, STRIP};
use super::norm::RowNorm;
use super::pack;

/// Everything that is fixed when an executor is built.
pub(super) struct Program<K: Kernel> {
    /// All weights, group after group.
    pub(super) weights: Strips<K::Stored>,
    pub(super) featurize: Featurizer,
    pub(super) norms: Vec<NormOp>,
    pub(super) gemms: Vec<GemmOp>,
    pub(super) head: HeadOp,
    /// For a thread that takes its candidates through the whole model.
    pub(super) depth_first: Schedule,
    /// For threads that share every step.
    pub(super) by_step: Schedule,
    /// Most values of a row that any operation handles, rounded up to a strip.
    pub(super) widest: usize,
    /// Columns of `x` that are multiplied once a request.
    pub(super) reused: usize,
}

/// One norm that is a step of its own.
pub(super) struct NormOp {
    pub(super) norm: RowNorm,
    /// Widths of the row's segments and the columns that they occupy.
    pub(super) segments: Vec<(usize, usize)>,
}

/// One matrix product.
pub(super) struct GemmOp {
    /// First element of its strips.
    pub(super) weights: usize,
    /// K columns, padding included.
    pub(super) depth: usize,
    /// Strips of output columns.
    pub(super) strips: usize,
    /// (32 · strips), zeros where the output has padding.
    pub(super) bias: Vec<f32>,
    /// (32 · strips); what the sums are multiplied by before the bias is added, ones where there is no scale.
    pub(super) scale: Vec<f32>,
    pub(super) epilogue: GemmEpilogue,
    /// The first columns of K, where they are multiplied once a request.
    pub(super) once: Option<Once>,
}

/// A part of K whose sums a request's candidates share.
pub(super) struct Once {
    /// Columns under a norm that is each candidate's own.
    pub(super) normed: usize,
    /// Columns after those that are the same for every candidate.
    pub(super) plain: usize,
    /// (32 · strips): weights times γ over the normed columns.
    pub(super) center: Vec<f32>,
}

pub(super) enum GemmEpilogue {
    Bias,
    Relu,
    Multiply,
    /// The norm, and the row's width without padding.
    LayerNorm(RowNorm, usize),
}

/// What runs when, and where its operands lie.
pub(super) struct Schedule {
    /// Groups that may run side by side.
    pub(super) phases: Vec<Vec<Task>>,
    /// Elements of a workspace, a candidate.
    pub(super) columns: usize,
    /// f32 columns, a candidate, that wait for a layer norm.
    pub(super) waiting: usize,
    /// Featurization's output.
    pub(super) x: Operand,
    /// Rows of requests.
    pub(super) requests: Operand,
    /// Each task's input to the head.
    pub(super) head: Vec<Operand>,
}

/// One group of a phase.
pub(super) enum Task {
    Norm { op: usize, input: Operand, output: Operand },
    Gemm { op: usize, input: Operand, output: Operand, by: Option<Operand>, waiting: usize },
}

impl Task {
    /// What the clock counts it as.
    pub(super) fn work(&self) -> Work {
        match *self {
            Self::Norm { op, .. } => Work::Norm(op),
            Self::Gemm { op, .. } => Work::Gemm(op),
        }
    }
}

impl<K: Kernel> Program<K> {
    /// Packs the plan's weights, or takes those of a packed file as they lie.
    pub(super) fn new(plan: &Plan, split: &Split, packed: Option<&Arc<Packed>>) -> Result<Self> {
        if !plan.align.is_multiple_of(STRIP) {
            return Err(Error::Argument {
                argument: "plan.align",
                expected: format!("a multiple of {STRIP} columns"),
                found: plan.align.to_string(),
            });
        }
        if plan.buffers.iter().any(|buffer| buffer.columns() > u32::MAX as usize / 1024) {
            return Err(Error::Unsupported {
                backend: Backend::Cpu,
                what: "a layer of more than four million features".to_owned(),
            });
        }
        let mut norms = Vec::new();
        let mut gemms = Vec::new();
        let mut ops: Vec<Vec<usize>> = Vec::new();
        let mut len = 0;
        for step in &plan.steps {
            let mut of_step = Vec::new();
            match step {
                Step::Featurize(_) | Step::Head(_) => {}
                Step::LayerNorm(groups) => {
                    for group in groups {
                        let segments = plan.segments(group.input).iter().map(|s| (s.width, s.padded));
                        let affine = group.norm.affine.as_ref().map(|affine| Affine {
                            gamma: plan.arrange(group.input, &affine.gamma),
                            beta: plan.arrange(group.input, &affine.beta),
                        });
                        let norm = RowNorm::new(&Norm { affine, ..group.norm });
                        of_step.push(norms.len());
                        norms.push(NormOp { norm, segments: segments.collect() });
                    }
                }
                Step::Gemm(groups) => {
                    for group in groups {
                        let columns = plan.padded(group.output);
                        let spread = |values: &[f64]| {
                            let narrow: Vec<f32> = values.iter().map(|&v| v as f32).collect();
                            let mut columns = vec![0.0; columns];
                            plan.spread(group.output, &narrow, &mut columns);
                            columns
                        };
                        let (scale, bias) = group.linear.scale_and_bias();
                        let mut bias = bias.to_vec();
                        let mut once = None;
                        if let Some(reuse) = plan.reuse_of(group.input) {
                            let constants = plan.reuse_constants(group, rounded::<K>).ok_or_else(|| {
                                Error::Unsupported {
                                    backend: Backend::Cpu,
                                    what: format!("{} packed for another split", group.linear.name),
                                }
                            })?;
                            for (out, (bias, shift)) in bias.iter_mut().zip(&constants.shift).enumerate() {
                                *bias += shift * scale.map_or(1.0, |scale| scale[out]);
                            }
                            let center = spread(&constants.center);
                            once = Some(Once { normed: reuse.normed, plain: reuse.plain, center });
                        }
                        let bias = spread(&bias);
                        let scale = scale.map_or_else(|| vec![1.0; columns], spread);
                        let epilogue = match &group.epilogue {
                            Epilogue::Bias => GemmEpilogue::Bias,
                            Epilogue::BiasRelu => GemmEpilogue::Relu,
                            Epilogue::BiasMultiply(_) => GemmEpilogue::Multiply,
                            Epilogue::BiasLayerNorm(norm) => {
                                GemmEpilogue::LayerNorm(RowNorm::new(norm), plan.width(group.output))
                            }
                        };
                        of_step.push(gemms.len());
                        gemms.push(GemmOp {
                            weights: len,
                            depth: plan.padded(group.input),
                            strips: columns / STRIP,
                            bias,
                            scale,
                            epilogue,
                            once,
                        });
                        len += pack::packed_len(plan, group);
                    }
                }
            }
            ops.push(of_step);
        }

        let weights = match packed {
            Some(packed) => Strips::of_packed(packed, len)?,
            None => Strips::Own(pack::pack_plan::<K>(plan, len)?),
        };

        let rounds = size_of::<K::Stored>() < size_of::<f32>();
        let widest = plan.buffers.iter().map(crate::plan::Buffer::columns).max().unwrap_or(STRIP);
        Ok(Self {
            weights,
            featurize: Featurizer::new(plan, split),
            norms,
            gemms,
            head: HeadOp::new(plan),
            depth_first: Schedule::new(plan, Order::DepthFirst, rounds, &ops),
            by_step: Schedule::new(plan, Order::ByStep, rounds, &ops),
            widest,
            reused: plan.reuse.as_ref().map_or(0, crate::plan::Reuse::columns),
        })
    }
}

/// What packing makes of a weight.
pub(super) fn rounded<K: Kernel>(weight: f64) -> f64 {
    K::Stored::widen::<Portable>(&[K::Stored::from_f64(weight); 16])[0].into()
}

impl Schedule {
    fn new(plan: &Plan, order: Order, rounds: bool, ops: &[Vec<usize>]) -> Self {
        let layout = Layout::new(plan, order, rounds);
        let mut phases: Vec<Vec<Task>> = Vec::new();
        let (mut last, mut waiting, mut most_waiting) = (None, 0, 0);
        for place in &layout.order {
            let shared = order == Order::ByStep && last == Some(place.step);
            if !shared {
                waiting = 0;
            }
            let operand = |view| layout.operand(plan, view);
            let task = match &plan.steps[place.step] {
                Step::Featurize(_) | Step::Head(_) => continue,
                Step::LayerNorm(groups) => {
                    let group = &groups[place.group];
                    Task::Norm {
                        op: ops[place.step][place.group],
                        input: operand(group.input),
                        output: operand(group.output),
                    }
                }
                Step::Gemm(groups) => {
                    let group = &groups[place.group];
                    let by = match &group.epilogue {
                        Epilogue::BiasMultiply(by) => Some(operand(*by)),
                        _ => None,
                    };
                    let output = operand(group.output);
                    let start = waiting;
                    if matches!(group.epilogue, Epilogue::BiasLayerNorm(_)) {
                        waiting += output.columns;
                    }
                    most_waiting = most_waiting.max(waiting);
                    Task::Gemm {
                        op: ops[place.step][place.group],
                        input: operand(group.input),
                        output,
                        by,
                        waiting: start,
                    }
                }
            };
            match phases.last_mut() {
                Some(phase) if shared => phase.push(task),
                _ => phases.push(vec![task]),
            }
            last = Some(place.step);
        }
        Self {
            phases,
            columns: layout.columns,
            waiting: most_waiting,
            x: layout.operand(plan, plan.featurize().output),
            requests: layout.requests,
            head: plan.head().tasks.iter().map(|task| layout.operand(plan, task.input)).collect(),
        }
    }
}
