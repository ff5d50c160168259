//! A folded linear layer: `W' = diag(row_scale) · W · diag(col_scale)`, rounded once, when a backend packs it.

use std::sync::Arc;

use crate::weights::packed::folded;
use crate::weights::{Tensor, Weights};

/// A linear layer of a plan, its neighbours' affines folded in. The weights stay in the mapped file.
#[derive(Clone, Debug)]
pub struct Linear {
    /// Name for messages: the tensor's own.
    pub name: String,
    /// Output features.
    pub out_features: usize,
    /// Input features.
    pub in_features: usize,
    pub(super) scale: Option<Vec<f64>>,
    pub(super) bias: Vec<f64>,
    /// The bias with the norm before the layer folded in, but not the one after it.
    pub(super) folded_bias: Vec<f64>,
    pub(super) weights: Arc<Weights>,
    pub(super) row_scale: Option<Vec<f64>>,
    pub(super) col_scale: Option<Vec<f64>>,
    /// Rows come in pairs that are exchanged: an indexing slip, for tests of who notices.
    pub(super) planted_fault: bool,
}

impl Linear {
    /// What an epilogue does to the sums first: `scale · (A · Wᵀ) + bias`, each (out_features), in f32.
    ///
    /// The scale is a batch norm's, under [`super::Folding::Epilogues`] (every precision below f32); a backend must
    /// apply it there. Under [`super::Folding::Weights`] there is none.
    #[must_use]
    pub fn scale_and_bias(&self) -> (Option<&[f64]>, &[f64]) {
        (self.scale.as_deref(), &self.bias)
    }

    /// The bias with the norm before the layer folded in: what a packed file keeps of it.
    pub(crate) fn folded_bias(&self) -> &[f64] {
        &self.folded_bias
    }

    /// What a packed file keeps beside the matrix, under this suffix.
    pub(crate) fn stored(&self, suffix: &str) -> Option<Vec<f64>> {
        self.weights.packed()?;
        self.weights.find(&folded::name(&self.name, suffix)).map(|tensor| tensor.to_vec())
    }

    /// Whether rows can be read: not where they were packed for a kernel.
    pub(crate) fn has_rows(&self) -> bool {
        self.weights.find(&self.name).is_some() || self.packed_rows().is_some()
    }

    fn packed_rows(&self) -> Option<Tensor<'_>> {
        self.weights.packed()?.rows(&self.name)
    }

    /// Row `out` of the folded weight as f64, (in_features).
    ///
    /// # Panics
    /// When `out` is not below `out_features` or `into` is not `in_features` long, or the model was packed for a kernel.
    pub fn row(&self, out: usize, into: &mut [f64]) {
        assert!(out < self.out_features, "{}: row {out} of {}", self.name, self.out_features);
        assert_eq!(into.len(), self.in_features, "{}: length of a row", self.name);
        let out = if self.planted_fault { (out ^ 1).min(self.out_features - 1) } else { out };
        if let Some(folded) = self.packed_rows() {
            // Folded and rounded when it was packed.
            folded.read(out * self.in_features, into);
            return;
        }
        self.weights.get(&self.name).read(out * self.in_features, into);
        if let Some(scale) = &self.col_scale {
            into.iter_mut().zip(scale).for_each(|(w, s)| *w *= s);
        }
        if let Some(scale) = &self.row_scale {
            into.iter_mut().for_each(|w| *w *= scale[out]);
        }
    }
}
