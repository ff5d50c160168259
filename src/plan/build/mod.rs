//! From configuration and weights to a plan.
//!
//! The model is walked once. A mask net's blocks and the towers are independent lanes; [`merge`] lets steps of the
//! same kind in different lanes share one grouped step, so that the production model runs in eight steps.
//! Weights have been checked against the configuration before, so look-ups by name cannot fail here.

mod mask_net;
mod merge;
mod mlp;

use std::sync::Arc;

use crate::batch::Split;
use crate::config::{ModelConfig, Network, Sharing, Widths};
use crate::weights::packed::folded;
use crate::weights::{Weights, names};

use super::{
    Affine, Buffer, Featurize, Folding, GemmGroup, Head, HeadTask, LayerNormGroup, Linear, Norm, Part, Plan,
    Reuse, Segment, Step, View,
};
use mask_net::Site;
use merge::merge;

/// PyTorch's epsilon, of every norm but the feature layer norm.
const EPSILON: f64 = 1e-5;

/// A matrix, and the affine of the norm that made it where the next linear layer is to fold that in.
#[derive(Clone)]
struct Value {
    view: View,
    pending: Option<Affine>,
}

struct Builder {
    weights: Arc<Weights>,
    align: usize,
    folding: Folding,
    buffers: Vec<Buffer>,
}

impl Plan {
    /// Folds a model into steps whose segments are padded to `align` columns. `x` keeps the model's order.
    ///
    /// # Panics
    /// When `weights` were not checked against `config` and `widths`, or `align` is 0.
    #[must_use]
    pub fn build(
        config: &ModelConfig,
        widths: Widths,
        weights: &Arc<Weights>,
        align: usize,
        folding: Folding,
    ) -> Self {
        Self::build_for(config, widths, weights, align, folding, &Split::default())
    }

    /// Like [`Plan::build`], with `x` ordered so that what `split` gives once a request comes first ([`Plan::reuse`]).
    /// A backend that takes such a plan writes `x` in that order; whether it computes any of it once a request is its
    /// own affair, since every operand and every weight meet through [`Plan::spread`].
    ///
    /// # Panics
    /// As [`Plan::build`]; when `split` does not fit `widths`.
    #[must_use]
    pub fn build_for(
        config: &ModelConfig,
        widths: Widths,
        weights: &Arc<Weights>,
        align: usize,
        folding: Folding,
        split: &Split,
    ) -> Self {
        let mut builder = Builder { weights: Arc::clone(weights), align, folding, buffers: Vec::new() };
        let mut steps = Vec::new();

        let mut featurize = builder.featurize(config, widths);
        let reuse = Reuse::new(split, widths, featurize.layer_norm.as_ref(), align);
        featurize.output = builder.x(widths, reuse.as_ref());
        let x = featurize.output;
        steps.push(Step::Featurize(featurize));

        let tower_input = match (&config.backbone, config.sharing) {
            (None, _) | (_, Sharing::None) => Value { view: x, pending: None },
            (Some(backbone), sharing) => {
                let foldable = config.tasks.iter().all(|task| matches!(task.tower, Network::Mlp(_)));
                let target = (sharing == Sharing::Partial).then_some(x.buffer);
                let (lane, output) = builder.network("_backbone", "backbone", backbone, x, foldable, target);
                steps.extend(lane);
                if sharing == Sharing::Partial { builder.concatenate(x, output) } else { output }
            }
        };

        let mut lanes = Vec::new();
        let mut tasks = Vec::new();
        for task in &config.tasks {
            let (lane, head) = builder.tower(task, &tower_input);
            lanes.push(lane);
            tasks.push(head);
        }
        steps.extend(merge(lanes));
        steps.push(Step::Head(Head { tasks }));
        Self { widths, align, reuse, buffers: builder.buffers, steps }
    }
}

impl Builder {
    fn featurize(&mut self, config: &ModelConfig, widths: Widths) -> Featurize {
        let featurization = &config.featurization;
        let batch_norm =
            featurization.batch_norm.map(|norm| self.batch_norm(names::FEATURE_BATCH_NORM, norm));
        let clamp = names::clamp(featurization.batch_norm.is_some());
        let clip = f64::from(featurization.clip_magnitude);
        let layer_norm = featurization.layer_norm.map(|norm| Norm {
            epsilon: norm.epsilon,
            affine: norm.affine.then(|| self.affine(names::FEATURE_LAYER_NORM)),
        });
        let mut embeddings = [None, None, None];
        for ((norm, width), name) in
            embeddings.iter_mut().zip(widths.embeddings()).zip(crate::config::EMBEDDINGS)
        {
            if width > 0 {
                let affine = self.affine(&names::embedding_norm(name));
                *norm = Some(Norm { epsilon: EPSILON, affine: Some(affine) });
            }
        }
        Featurize {
            batch_norm,
            min_value: self.scalar(&format!("{clamp}.min_value")).unwrap_or(-clip),
            max_value: self.scalar(&format!("{clamp}.max_value")).unwrap_or(clip),
            layer_norm,
            embeddings,
            output: View { buffer: 0, first: 0, count: 0 },
        }
    }

    /// The buffer of `x`: one segment, or one for each part of its order.
    fn x(&mut self, widths: Widths, reuse: Option<&Reuse>) -> View {
        let Some(reuse) = reuse else { return self.segment("x", widths.input_dim()) };
        self.buffers.push(Buffer { name: "x".to_owned(), segments: Vec::new() });
        let buffer = self.buffers.len() - 1;
        let ends = [reuse.normed, reuse.columns(), widths.input_dim()];
        let mut from = 0;
        for end in ends {
            if end > from {
                self.buffers[buffer].push(end - from, Part::Ordered(from), self.align);
                from = end;
            }
        }
        View { buffer, first: 0, count: self.buffers[buffer].segments.len() }
    }

    fn network(
        &mut self,
        prefix: &str,
        scope: &str,
        network: &Network,
        x: View,
        foldable: bool,
        target: Option<usize>,
    ) -> (Vec<Step>, Value) {
        let input = Value { view: x, pending: None };
        match network {
            Network::Mlp(mlp) => self.mlp(prefix, scope, mlp, &input, target),
            Network::MaskNet(net) => self.mask_net(Site { prefix, scope, x, foldable, target }, net),
        }
    }

    /// A tower without its last linear layer, which belongs to the head.
    fn tower(&mut self, task: &crate::config::Task, input: &Value) -> (Vec<Step>, HeadTask) {
        let prefix = format!("_towers.{}", task.module_name());
        let (steps, last, head) = match &task.tower {
            Network::Mlp(mlp) => self.mlp_to_head(&prefix, "towers", mlp, input),
            Network::MaskNet(net) => {
                let site =
                    Site { prefix: &prefix, scope: "towers", x: input.view, foldable: true, target: None };
                let (mut steps, output) = self.mask_blocks(site, net);
                match &net.mlp {
                    None => (steps, output.clone(), mlp::LastLayer::identity(&output)),
                    Some(mlp) => {
                        let (rest, last, head) =
                            self.mlp_to_head(&format!("{prefix}._dense_layers"), "towers", mlp, &output);
                        steps.extend(rest);
                        (steps, last, head)
                    }
                }
            }
        };
        let module = task.module_name();
        let affine = task.affine_map;
        let scale = self.scalar(&format!("_affine_maps.{module}.weight"));
        let shift = self.scalar(&format!("_affine_maps.{module}.bias"));
        let ratio = self.scalar(&format!("_calibrators.{module}.ratio"));
        let head = HeadTask {
            name: task.name.clone(),
            input: last.view,
            weight: head.weight,
            bias: head.bias,
            relu: head.relu,
            scale: scale.or(affine.map(|a| a.scale.into())).unwrap_or(1.0),
            shift: shift.or(affine.map(|a| a.bias.into())).unwrap_or(0.0),
            ln_ratio: ratio.unwrap_or(task.calibration_ratio.into()).ln(),
        };
        (steps, head)
    }

    /// `x` and the backbone's output as one operand: they lie in one buffer, side by side.
    fn concatenate(&self, x: View, backbone: Value) -> Value {
        assert_eq!(backbone.view.buffer, x.buffer, "a shared-partial backbone writes beside x");
        assert_eq!(backbone.view.first, x.first + x.count, "a shared-partial backbone writes right after x");
        let view = View { buffer: x.buffer, first: x.first, count: x.count + backbone.view.count };
        let pending = backbone.pending.map(|affine| {
            let ones = self.width(x);
            Affine {
                gamma: [vec![1.0; ones], affine.gamma].concat(),
                beta: [vec![0.0; ones], affine.beta].concat(),
            }
        });
        Value { view, pending }
    }

    /// A folded linear layer that reads `input` and is followed by `batch_norm`.
    fn linear(&self, name: &str, input: &Value, batch_norm: Option<&Affine>) -> Linear {
        let weight_name = format!("{name}.weight");
        let [out_features, in_features] = self.weights.matrix_shape(&weight_name);
        let folded_bias = match self.weights.find(&weight_name) {
            Some(weight) => {
                let mut bias = self.weights.get(&format!("{name}.bias")).to_vec();
                if let Some(affine) = &input.pending {
                    let mut row = vec![0.0; in_features];
                    for (out, b) in bias.iter_mut().enumerate() {
                        weight.read(out * in_features, &mut row);
                        *b += row.iter().zip(&affine.beta).map(|(w, beta)| w * beta).sum::<f64>();
                    }
                }
                bias
            }
            // Packed: the matrix is not among the tensors, what was made of it is.
            None => self.weights.get(&folded::name(&weight_name, folded::BIAS)).to_vec(),
        };
        let mut bias = folded_bias.clone();
        if let Some(affine) = batch_norm {
            for ((b, gamma), beta) in bias.iter_mut().zip(&affine.gamma).zip(&affine.beta) {
                *b = *b * gamma + beta;
            }
        }
        let (row_scale, scale) = match self.folding {
            Folding::Weights => (batch_norm.map(|affine| affine.gamma.clone()), None),
            Folding::Epilogues => (None, batch_norm.map(|affine| affine.gamma.clone())),
        };
        Linear {
            name: weight_name,
            out_features,
            in_features,
            bias,
            folded_bias,
            weights: Arc::clone(&self.weights),
            row_scale,
            scale,
            col_scale: input.pending.as_ref().map(|affine| affine.gamma.clone()),
            planted_fault: false,
        }
    }

    /// A batch norm in its inference form, as one multiply-add.
    fn batch_norm(&self, name: &str, norm: crate::config::BatchNorm) -> Affine {
        let mean = self.weights.get(&format!("{name}.running_mean")).to_vec();
        let variance = self.weights.get(&format!("{name}.running_var")).to_vec();
        let mut gamma: Vec<f64> = variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt()).collect();
        if norm.affine {
            let weight = self.weights.get(&format!("{name}.weight")).to_vec();
            gamma.iter_mut().zip(&weight).for_each(|(g, w)| *g *= w);
        }
        let mut beta: Vec<f64> = mean.iter().zip(&gamma).map(|(m, g)| -m * g).collect();
        if norm.affine {
            let bias = self.weights.get(&format!("{name}.bias")).to_vec();
            beta.iter_mut().zip(&bias).for_each(|(b, add)| *b += add);
        }
        Affine { gamma, beta }
    }

    fn affine(&self, name: &str) -> Affine {
        Affine {
            gamma: self.weights.get(&format!("{name}.weight")).to_vec(),
            beta: self.weights.get(&format!("{name}.bias")).to_vec(),
        }
    }

    fn scalar(&self, name: &str) -> Option<f64> {
        self.weights.find(name).map(|tensor| tensor.value(0))
    }

    /// A new segment in the buffer of that name; lanes of one scope share their buffers.
    fn segment(&mut self, name: &str, width: usize) -> View {
        let buffer = self.buffers.iter().position(|b| b.name == name).unwrap_or_else(|| {
            self.buffers.push(Buffer { name: name.to_owned(), segments: Vec::new() });
            self.buffers.len() - 1
        });
        self.append(buffer, width)
    }

    fn append(&mut self, buffer: usize, width: usize) -> View {
        let first = self.buffers[buffer].push(width, Part::Next, self.align);
        View { buffer, first, count: 1 }
    }

    /// New consecutive segments of the same widths as another view's.
    fn segments_like(&mut self, name: &str, like: View) -> View {
        let segments: Vec<Segment> =
            self.buffers[like.buffer].segments[like.first..like.first + like.count].to_vec();
        let views: Vec<View> = segments
            .into_iter()
            .map(|segment| {
                let view = self.segment(name, segment.width);
                self.buffers[view.buffer].segments[view.first].part = segment.part;
                view
            })
            .collect();
        View { count: views.len(), ..views[0] }
    }

    fn width(&self, view: View) -> usize {
        self.buffers[view.buffer].segments[view.first..view.first + view.count].iter().map(|s| s.width).sum()
    }
}

fn gemm(group: GemmGroup) -> Step {
    Step::Gemm(vec![group])
}

fn layer_norm(group: LayerNormGroup) -> Step {
    Step::LayerNorm(vec![group])
}
