//! The whole forward pass.

use crate::featurize::featurize;
use crate::head::{affine_map, calibrate, score, sigmoid};
use crate::multi_task::{backbone, tensor_name, tower_input, towers};
use crate::{Error, Matrix, Precision, Spec, Tensors, tensors};

/// A batch of candidates. Every slice is (rows, width) with the width of the [`Spec`]; an input that the model does not
/// have is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// Number of candidates; 0 is a valid batch.
    pub rows: usize,
    /// Continuous features; non-finite values count as 0.
    pub continuous: &'a [f32],
    /// Binary features, taken as numbers.
    pub binary: &'a [f32],
    /// User embedding.
    pub user_embedding: &'a [f32],
    /// User engagement embedding.
    pub user_eng_embedding: &'a [f32],
    /// Author embedding.
    pub author_embedding: &'a [f32],
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All its outputs are finite.
    Ok,
    /// Its dense features have variance 0 under a layer norm of epsilon 0, which is 0 / 0. Its outputs are NaN.
    ZeroVariance,
    /// A logit or its score is not finite.
    NonFinite,
}

/// Everything that a forward pass computes and a test may compare.
#[derive(Clone, Debug)]
pub struct Output {
    /// Normalised dense features, (rows, continuous + binary), as stored.
    pub preprocessed: Matrix,
    /// The input row, (rows, input_dim), as stored.
    pub x: Matrix,
    /// Outputs of the backbone's mask blocks, each (rows, output_size), as stored; empty when it has none.
    pub mask_blocks: Vec<Matrix>,
    /// Output of the backbone, (rows, width), as stored; `None` under share_none.
    pub backbone: Option<Matrix>,
    /// Logits, (rows, tasks), after the affine map.
    pub logits: Matrix,
    /// Their sigmoids, (rows, tasks).
    pub probabilities: Matrix,
    /// Calibrated probabilities, (rows, tasks).
    pub calibrated_probabilities: Matrix,
    /// Weighted sum of the calibrated probabilities, (rows).
    pub score: Vec<f64>,
    /// Weighted sum of the probabilities, (rows).
    pub score_uncalibrated: Vec<f64>,
    /// What became of each candidate, (rows).
    pub status: Vec<Status>,
}

/// Scores a batch: featurize, backbone, towers, head.
///
/// `score_weights` (tasks) follow the order of [`Spec::tasks`]. With [`Precision::F64`] this is the truth; see
/// [`Precision`] for what any other one rounds.
///
/// # Errors
/// Everything in [`Error`]: a tensor or an input that is missing or has the wrong length, or an impossible spec.
pub fn forward(
    spec: &Spec,
    tensors: &dyn Tensors,
    inputs: &Inputs<'_>,
    score_weights: &[f64],
    precision: Precision,
) -> Result<Output, Error> {
    let (rows, tasks) = (inputs.rows, spec.tasks.len());
    if tasks == 0 {
        return Err(Error::Spec("no tasks".to_owned()));
    }
    if score_weights.len() != tasks {
        return Err(Error::ScoreWeights { tasks, found: score_weights.len() });
    }

    let featurized = featurize(tensors, spec, inputs)?;
    let x = featurized.x.rounded(precision); // (rows, input_dim)
    let trunk = backbone(tensors, spec, &x, precision)?;
    let tower_x = tower_input(spec.sharing, &x, trunk.as_ref().map(|trunk| &trunk.y));
    let raw_logits = towers(tensors, spec, &tower_x, precision)?; // (rows, tasks)

    let head = heads(tensors, spec)?;
    let mut logits = Vec::with_capacity(rows * tasks);
    let mut probabilities = Vec::with_capacity(rows * tasks);
    let mut calibrated = Vec::with_capacity(rows * tasks);
    for row in 0..rows {
        for (raw, head) in raw_logits.row(row).iter().zip(&head) {
            let logit = head.affine_map.map_or(*raw, |(scale, bias)| affine_map(*raw, scale, bias));
            logits.push(logit);
            probabilities.push(sigmoid(logit));
            calibrated.push(calibrate(logit, head.ratio));
        }
    }
    let scores = score(&calibrated, score_weights);
    let status = (0..rows).map(|row| {
        let logits = &logits[row * tasks..(row + 1) * tasks];
        match (featurized.zero_variance[row], logits.iter().all(|logit| logit.is_finite())) {
            (true, _) => Status::ZeroVariance,
            (false, true) if scores[row].is_finite() => Status::Ok,
            (false, _) => Status::NonFinite,
        }
    });
    let status = status.collect();
    let (backbone, mask_blocks) =
        trunk.map_or((None, Vec::new()), |trunk| (Some(trunk.y), trunk.mask_blocks));
    Ok(Output {
        preprocessed: featurized.z.rounded(precision),
        x,
        mask_blocks,
        backbone,
        score_uncalibrated: score(&probabilities, score_weights),
        logits: Matrix::new(rows, tasks, logits),
        probabilities: Matrix::new(rows, tasks, probabilities),
        calibrated_probabilities: Matrix::new(rows, tasks, calibrated),
        score: scores,
        status,
    })
}

/// The constants of one task's head.
struct Head {
    /// Scale and bias.
    affine_map: Option<(f64, f64)>,
    /// Negative over positive down-sampling rate.
    ratio: f64,
}

/// Reads every task's affine map and calibration ratio: stored values win over configured ones.
fn heads(tensors: &dyn Tensors, spec: &Spec) -> Result<Vec<Head>, Error> {
    let head = |task: &crate::spec::Task| {
        let name = tensor_name(&task.name);
        let affine_map = match task.affine_map {
            None => None,
            Some(map) => {
                let constant = |part, shape, configured| {
                    tensors::constant(tensors, &format!("_affine_maps.{name}.{part}"), shape, configured)
                };
                let scale = constant("weight", &[("outputs", 1), ("inputs", 1)], map.scale)?;
                Some((scale, constant("bias", &[("outputs", 1)], map.bias)?))
            }
        };
        let ratio = task.neg_downsampling_rate / task.pos_downsampling_rate;
        let ratio = tensors::constant(tensors, &format!("_calibrators.{name}.ratio"), &[], ratio)?;
        if !(ratio.is_finite() && ratio > 0.0) {
            return Err(Error::Spec(format!("task \"{}\" has calibration ratio {ratio}", task.name)));
        }
        Ok(Head { affine_map, ratio })
    };
    spec.tasks.iter().map(head).collect()
}
