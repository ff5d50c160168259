//! What comes out of a scorer.

/// What became of one candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Status {
    /// Its score is a number.
    #[default]
    Ok = 0,
    /// Its features are all equal under a layer norm with epsilon 0, so that they have no normalised form. Its
    /// score is NaN.
    ZeroVariance = 1,
    /// A feature or an intermediate value overflowed or was not a number where the model does not clean it. Its
    /// score is NaN or infinite.
    NonFinite = 2,
}

/// Which outputs a call fills besides score and status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Logits, after the affine map and before calibration.
    pub logits: bool,
    /// Probabilities before calibration.
    pub probabilities: bool,
    /// Calibrated probabilities.
    pub calibrated_probabilities: bool,
    /// The best `k` candidates of each request; 0 for none.
    pub top_k: usize,
}

/// A scorer's answer. Reused from call to call, it keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// Weighted sum a candidate, (candidates).
    pub scores: Vec<f32>,
    /// (candidates).
    pub statuses: Vec<Status>,
    /// (candidates, tasks), where asked for, else empty.
    pub logits: Vec<f32>,
    /// (candidates, tasks), where asked for, else empty.
    pub probabilities: Vec<f32>,
    /// (candidates, tasks), where asked for, else empty.
    pub calibrated_probabilities: Vec<f32>,
    /// Indices of the best candidates inside each request, best first: non-finite scores sink, ties keep the order
    /// of the batch. Request `r` holds `top_k[top_k_offsets[r]..top_k_offsets[r + 1]]`. Empty unless asked for.
    pub top_k: Vec<u32>,
    /// (requests + 1), where top k was asked for, else empty.
    pub top_k_offsets: Vec<usize>,
}
