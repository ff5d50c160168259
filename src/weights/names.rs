//! Names of tensors in the released layout that do not follow from a network's prefix.

/// Batch norm over the continuous features.
pub(crate) const FEATURE_BATCH_NORM: &str = "_preprocessor._before_concat_layers.2.layer";
/// Layer norm over continuous and binary features.
pub(crate) const FEATURE_LAYER_NORM: &str = "_preprocessor.layer_norm.layer";

/// The clamp: a module of the list that the batch norm, when there is one, moves by one.
pub(crate) fn clamp(has_batch_norm: bool) -> &'static str {
    if has_batch_norm {
        "_preprocessor._before_concat_layers.3"
    } else {
        "_preprocessor._before_concat_layers.2"
    }
}

/// Norm of one of [`crate::config::EMBEDDINGS`].
pub(crate) fn embedding_norm(embedding: &str) -> String {
    format!("_{embedding}_layer_norm")
}

/// Index of each linear layer of an MLP in PyTorch's module list, which also counts norms, ReLUs and dropouts.
pub(crate) fn mlp_linear_indices(mlp: &crate::config::Mlp) -> impl Iterator<Item = usize> {
    let stride = 2 + usize::from(mlp.batch_norm.is_some()) + usize::from(mlp.dropout);
    (0..mlp.layer_sizes.len()).map(move |layer| layer * stride)
}
