//! What a request's candidates share of the products that read `x`: computed once a request.
//!
//! A product over `x` is a sum over its columns. Those that a request gives once ([`Split`]) give every candidate of
//! the request the same part of that sum, but for the feature norm, whose mean μ and scale r are the candidate's own.
//! With `t` the features before that norm, and μ' and σ' the mean and the deviation of the request's own ones,
//!
//! ```text
//! w · x = w · r (t − μ) γ + w · β
//!       = r σ' · [w · γ (t − μ') / σ']  +  r (μ' − μ) · [w · γ]  +  [w · β]
//! ```
//!
//! The first bracket is a product of a row of the request's own, of the size and the rounding of any other row; the
//! other two are constants of the weights. Measuring from the request's own mean, not from 0, leaves no cancellation.
//!
//! `x` is ordered for it: columns behind the feature norm ([`Reuse::normed`]), columns that are the same for all
//! candidates as they stand ([`Reuse::plain`]), then everything else. Both parts are whole multiples of the plan's
//! alignment, so no product gets longer; what is left over of a request's columns stays among the candidates' own.

use rayon::prelude::*;

use crate::batch::Split;
use crate::config::Widths;
use crate::weights::packed::folded;

use super::{GemmGroup, Norm, Plan, View};

/// The order of `x` under a split, where any of it is computed once a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reuse {
    /// First columns of `x`: dense features given once a request, under a norm that is each candidate's own.
    pub normed: usize,
    /// The columns after those: features and embeddings given once a request that no candidate changes.
    pub plain: usize,
    /// The input feature of each column of `x`, (input_dim).
    pub order: Vec<usize>,
    /// γ of the normed columns, in their order.
    pub gamma: Vec<f64>,
    /// β of the normed columns, in their order.
    pub beta: Vec<f64>,
}

impl Reuse {
    /// The order for a split; none where it leaves nothing worth a column of weights.
    pub(super) fn new(split: &Split, widths: Widths, norm: Option<&Norm>, align: usize) -> Option<Self> {
        let ranges = |ranges: &[std::ops::Range<usize>], base: usize| -> Vec<usize> {
            ranges.iter().cloned().flatten().map(|feature| base + feature).collect()
        };
        let mut dense = ranges(&split.continuous, 0);
        dense.extend(ranges(&split.binary, widths.continuous));
        let mut embedded = Vec::new();
        let mut column = widths.dense();
        for (width, once) in widths.embeddings().into_iter().zip(split.embeddings) {
            if once {
                embedded.extend(column..column + width);
            }
            column += width;
        }
        let (mut normed, mut plain) = match norm {
            Some(_) => (dense, embedded),
            None => (Vec::new(), [dense, embedded].concat()),
        };
        normed.truncate(normed.len() / align * align);
        plain.truncate(plain.len() / align * align);
        // Candidates keep columns of their own, so that no product is empty.
        let input_dim = widths.input_dim();
        if normed.len() + plain.len() == input_dim {
            let part = if plain.is_empty() { &mut normed } else { &mut plain };
            part.truncate(part.len() - align);
        }
        if normed.is_empty() && plain.is_empty() {
            return None;
        }
        let mut taken = vec![false; input_dim];
        normed.iter().chain(&plain).for_each(|&feature| taken[feature] = true);
        let pick = |values: &[f64]| normed.iter().map(|&feature| values[feature]).collect::<Vec<_>>();
        let affine = norm.and_then(|norm| norm.affine.as_ref());
        Some(Self {
            normed: normed.len(),
            plain: plain.len(),
            gamma: affine.map_or_else(|| vec![1.0; normed.len()], |affine| pick(&affine.gamma)),
            beta: affine.map_or_else(|| vec![0.0; normed.len()], |affine| pick(&affine.beta)),
            order: [normed, plain]
                .concat()
                .into_iter()
                .chain((0..input_dim).filter(|&f| !taken[f]))
                .collect(),
        })
    }

    /// Columns of `x` whose products are computed once a request.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.normed + self.plain
    }
}

/// What a product over `x` adds to its sums besides products of rows; (out_features) each.
#[derive(Clone, Debug, PartialEq)]
pub struct ReuseConstants {
    /// `w · γ` over the normed columns.
    pub center: Vec<f64>,
    /// `w · β` over the normed columns.
    pub shift: Vec<f64>,
}

impl Plan {
    /// How a product's operand is divided, where it starts with columns that are computed once a request.
    #[must_use]
    pub fn reuse_of(&self, input: View) -> Option<&Reuse> {
        let x = self.featurize().output;
        self.reuse.as_ref().filter(|_| input.buffer == x.buffer && input.first == x.first)
    }

    /// The constants of a product that reuses, ([`Plan::reuse_of`]); `round` is what packing does to a weight. None
    /// where the product does not reuse, or was packed for a kernel without them.
    #[must_use]
    pub fn reuse_constants(
        &self,
        group: &GemmGroup,
        round: impl Fn(f64) -> f64 + Sync,
    ) -> Option<ReuseConstants> {
        let reuse = self.reuse_of(group.input)?;
        let features = &reuse.order[..reuse.normed];
        let linear = &group.linear;
        if !linear.has_rows() {
            let (center, shift) = (linear.stored(folded::CENTER)?, linear.stored(folded::SHIFT)?);
            return Some(ReuseConstants { center, shift });
        }
        let (center, shift) = (0..linear.out_features)
            .into_par_iter()
            .map_init(
                || vec![0.0; linear.in_features],
                |row, out| {
                    linear.row(out, row);
                    let weights = features.iter().map(|&feature| round(row[feature]));
                    let affine = reuse.gamma.iter().zip(&reuse.beta);
                    weights
                        .zip(affine)
                        .fold((0.0, 0.0), |(c, s), (w, (gamma, beta))| (c + w * gamma, s + w * beta))
                },
            )
            .unzip();
        Some(ReuseConstants { center, shift })
    }
}
