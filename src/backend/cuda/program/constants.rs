//! The plan's constants, packed: where each of them lies in the image of the weights.

use rayon::prelude::*;

use crate::Precision;
use crate::batch::Split;
use crate::plan::{Affine, Epilogue, GemmGroup, LayerNormGroup, Linear, Norm, Plan, Step, View};

use super::super::element;
use super::super::layout::{Image, Region};

/// Constants of every step.
pub(super) struct Constants {
    pub(super) featurize: FeaturizeConstants,
    /// By step; empty for steps that are no GEMM.
    pub(super) gemms: Vec<Vec<GemmConstants>>,
    /// By step; empty for steps that are no norm.
    pub(super) norms: Vec<Vec<NormConstants>>,
    /// Padded weight of each task.
    pub(super) head: Vec<Region>,
}

/// Constants of featurization.
pub(super) struct FeaturizeConstants {
    pub(super) batch_norm: Option<[Region; 2]>,
    pub(super) layer_norm: Option<[Region; 2]>,
    pub(super) embeddings: [Option<[Region; 2]>; 3],
    /// Maps of continuous and binary columns, and of the embeddings.
    pub(super) maps: [Option<Region>; 5],
    /// The feature of each column of `x`, where that is not the model's order.
    pub(super) order: Option<Region>,
}

/// Constants of one product.
pub(super) struct GemmConstants {
    pub(super) weight: Region,
    pub(super) scale: Option<Region>,
    pub(super) bias: Region,
    pub(super) affine: Option<[Region; 2]>,
    /// Weights times γ over the normed columns of a request, where there are any.
    pub(super) center: Option<Region>,
    pub(super) n: usize,
}

/// Constants of one norm: `valid`, γ and β.
pub(super) struct NormConstants {
    pub(super) valid: Region,
    pub(super) gamma: Region,
    pub(super) beta: Region,
}

impl Constants {
    pub(super) fn pack(plan: &Plan, precision: Precision, split: &Split, image: &mut Image) -> Self {
        let featurize = featurize(plan, split, image);
        let mut gemms = Vec::new();
        let mut norms = Vec::new();
        for step in &plan.steps {
            gemms.push(match step {
                Step::Gemm(groups) => {
                    groups.iter().map(|group| gemm(plan, precision, group, image)).collect()
                }
                _ => Vec::new(),
            });
            norms.push(match step {
                Step::LayerNorm(groups) => groups.iter().map(|group| norm(plan, group, image)).collect(),
                _ => Vec::new(),
            });
        }
        let head =
            plan.head().tasks.iter().map(|task| image.push_f32(&spread(plan, task.input, &task.weight)));
        let head = head.collect();
        Self { featurize, gemms, norms, head }
    }
}

fn rounded(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// A view's values with zeros where it pads.
fn spread(plan: &Plan, view: View, values: &[f64]) -> Vec<f32> {
    let mut padded = vec![0.0; plan.padded(view)];
    plan.spread(view, &rounded(values), &mut padded);
    padded
}

fn affine(affine: Option<&Affine>, image: &mut Image) -> Option<[Region; 2]> {
    affine.map(|a| [image.push_f32(&rounded(&a.gamma)), image.push_f32(&rounded(&a.beta))])
}

fn featurize(plan: &Plan, split: &Split, image: &mut Image) -> FeaturizeConstants {
    let featurize = plan.featurize();
    let of_norm =
        |norm: &Option<Norm>, image: &mut Image| affine(norm.as_ref().and_then(|n| n.affine.as_ref()), image);
    let batch_norm = affine(featurize.batch_norm.as_ref(), image);
    let layer_norm = of_norm(&featurize.layer_norm, image);
    let embeddings = featurize.embeddings.each_ref().map(|norm| of_norm(norm, image));
    let widths = plan.widths;
    let mut map = |width: usize, ranges: &[std::ops::Range<usize>]| {
        (!ranges.is_empty()).then(|| image.push_i32(&columns(width, ranges)))
    };
    let mut maps =
        [map(widths.continuous, &split.continuous), map(widths.binary, &split.binary), None, None, None];
    for (index, width) in widths.embeddings().into_iter().enumerate() {
        if split.embeddings[index] && width > 0 {
            maps[2 + index] = map(width, std::slice::from_ref(&(0..width)));
        }
    }
    let order = plan.reuse.as_ref().map(|reuse| {
        let padding = reuse.order.len()..plan.padded(featurize.output);
        let order = reuse.order.iter().copied().chain(padding).map(|feature| feature as i32);
        image.push_i32(&order.collect::<Vec<_>>())
    });
    FeaturizeConstants { batch_norm, layer_norm, embeddings, maps, order }
}

/// Where each of a kind's columns comes from: column c of the candidate's row as c, of the request's as -1 - c.
fn columns(width: usize, once: &[std::ops::Range<usize>]) -> Vec<i32> {
    let (mut candidate, mut request) = (0, 0);
    (0..width)
        .map(|column| {
            if once.iter().any(|range| range.contains(&column)) {
                request += 1;
                -request
            } else {
                candidate += 1;
                candidate - 1
            }
        })
        .collect()
}

fn gemm(plan: &Plan, precision: Precision, group: &GemmGroup, image: &mut Image) -> GemmConstants {
    let (n, k) = (plan.padded(group.output), plan.padded(group.input));
    // Packed row r holds output feature rows[r] - 1, or zeros where that is 0: padding lies between segments too.
    let features: Vec<usize> = (1..=group.linear.out_features).collect();
    let mut rows = vec![0; n];
    plan.spread(group.output, &features, &mut rows);
    let (weight, into) = image.push(n * k * element::bytes(precision));
    pack(plan, precision, &group.linear, group.input, &rows, into);
    let (scale, bias) = group.linear.scale_and_bias();
    let mut bias = bias.to_vec();
    let mut center = None;
    if let Some(constants) = plan.reuse_constants(group, |weight| element::rounded(precision, weight)) {
        for (out, (bias, shift)) in bias.iter_mut().zip(&constants.shift).enumerate() {
            *bias += shift * scale.map_or(1.0, |scale| scale[out]);
        }
        center = Some(image.push_f32(&spread(plan, group.output, &constants.center)));
    }
    let scale = scale.map(|scale| image.push_f32(&spread(plan, group.output, scale)));
    let bias = image.push_f32(&spread(plan, group.output, &bias));
    let norm = match &group.epilogue {
        Epilogue::BiasLayerNorm(norm) => norm.affine.as_ref(),
        _ => None,
    };
    let affine = norm.map(|a| {
        [
            image.push_f32(&spread(plan, group.output, &a.gamma)),
            image.push_f32(&spread(plan, group.output, &a.beta)),
        ]
    });
    GemmConstants { weight, scale, bias, affine, center, n }
}

/// Rounds the weight into (n, k); row r holds output feature `rows[r] - 1`, or zeros where that is 0.
fn pack(plan: &Plan, precision: Precision, linear: &Linear, input: View, rows: &[usize], into: &mut [u8]) {
    let k = plan.padded(input);
    let stride = k * element::bytes(precision);
    into.par_chunks_mut(stride).zip(rows).for_each_init(
        || (vec![0.0; linear.in_features], vec![0.0; k]),
        |(row, padded), (into, &feature)| {
            if let Some(out) = feature.checked_sub(1) {
                linear.row(out, row);
                plan.spread(input, row, padded);
                element::store(precision, padded, into);
            }
        },
    );
}

fn norm(plan: &Plan, group: &LayerNormGroup, image: &mut Image) -> NormConstants {
    let ones = vec![1.0; plan.width(group.input)];
    let zeros = vec![0.0; ones.len()];
    let (gamma, beta) = match &group.norm.affine {
        Some(affine) => (&affine.gamma, &affine.beta),
        None => (&ones, &zeros),
    };
    NormConstants {
        valid: image.push_f32(&spread(plan, group.input, &ones)),
        gamma: image.push_f32(&spread(plan, group.input, gamma)),
        beta: image.push_f32(&spread(plan, group.input, beta)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_given_once_count_down_the_others_count_up() {
        assert_eq!(columns(7, &[1..3, 5..6]), [0, -1, -2, 1, 2, -3, 3]);
        assert_eq!(columns(2, std::slice::from_ref(&(0..2))), [-1, -2]);
    }
}
