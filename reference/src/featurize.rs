//! Featurization: raw features to the input row `x`.

use crate::batch_norm::{BatchNorm, batch_norm};
use crate::layer_norm::{Affine, layer_norm, moments};
use crate::tensors;
use crate::{Error, Inputs, Matrix, NORM_EPSILON, Spec, Tensors};

/// What featurization computes, before anything is stored in a lower precision.
#[derive(Clone, Debug)]
pub struct Featurized {
    /// The normalised dense features `z`, (rows, continuous + binary).
    pub z: Matrix,
    /// The input row, (rows, input_dim): `z`, then the normalised embeddings.
    pub x: Matrix,
    /// For every row, whether its layer norm over the dense features is 0 / 0: epsilon 0 and variance 0.
    pub zero_variance: Vec<bool>,
}

/// Runs the whole featurization:
///
/// ```text
/// c ← log(c)                        see `log_transform`
/// c ← batch_norm(c)                 when configured
/// c ← clamp(c)                      see `clamp`
/// z = layer_norm(concat(c, binary)) when configured, with the configured epsilon
/// x = concat(z, layer_norm(user_embedding), layer_norm(user_eng_embedding), layer_norm(author_embedding))
/// ```
///
/// with the embeddings that the model has, each with a layer norm of its own.
///
/// # Errors
/// [`Error::InputLength`], [`Error::MissingTensor`], [`Error::TensorLength`], and [`Error::Spec`] when there are no
/// dense features to normalise or an embedding is 0 wide.
pub fn featurize(tensors: &dyn Tensors, spec: &Spec, inputs: &Inputs<'_>) -> Result<Featurized, Error> {
    let rows = inputs.rows;
    let mut c = log_transform(&widened("continuous", inputs.continuous, rows, spec.continuous)?);
    let mut clamp_layer = 2;
    if let Some(norm) = spec.batch_norm
        && spec.continuous > 0
    {
        let name = "_preprocessor._before_concat_layers.2.layer";
        c = batch_norm(&c, &BatchNorm::load(tensors, name, norm, ("continuous", spec.continuous))?);
    }
    if spec.batch_norm.is_some() {
        clamp_layer = 3;
    }
    let bound = |name, configured| {
        let name = format!("_preprocessor._before_concat_layers.{clamp_layer}.{name}");
        tensors::constant(tensors, &name, &[], configured)
    };
    clamp(&mut c, bound("min_value", -spec.clip_magnitude)?, bound("max_value", spec.clip_magnitude)?);

    let binary = widened("binary", inputs.binary, rows, spec.binary)?;
    let c = Matrix::new(rows, spec.continuous, c);
    let mut z = Matrix::concat(rows, &[&c, &Matrix::new(rows, spec.binary, binary)]); // (rows, dense_dim)
    let mut zero_variance = vec![false; rows];
    if let Some(norm) = spec.layer_norm {
        let width = ("dense_dim", spec.dense_dim());
        if width.1 == 0 {
            return Err(Error::Spec("a layer norm over no dense features".to_owned()));
        }
        for (row, flag) in zero_variance.iter_mut().enumerate() {
            *flag = norm.epsilon == 0.0 && moments(z.row(row)).1 == 0.0;
        }
        let affine = if norm.affine {
            Some(Affine::load(tensors, "_preprocessor.layer_norm.layer", width)?)
        } else {
            None
        };
        z = Matrix::new(rows, width.1, layer_norm(z.values(), width.1, norm.epsilon, affine.as_ref()));
    }

    let mut parts = vec![z.clone()];
    let given = [inputs.user_embedding, inputs.user_eng_embedding, inputs.author_embedding];
    for ((name, width), values) in spec.embeddings().into_iter().zip(given) {
        let values = widened(name, values, rows, width.unwrap_or(0))?;
        let Some(width) = width else { continue };
        if width == 0 {
            return Err(Error::Spec(format!("{name} is 0 wide")));
        }
        let affine = Affine::load(tensors, &format!("_{name}_layer_norm"), (name, width))?;
        parts.push(Matrix::new(rows, width, layer_norm(&values, width, NORM_EPSILON, Some(&affine))));
    }
    let x = Matrix::concat(rows, &parts.iter().collect::<Vec<_>>());
    Ok(Featurized { z, x, zero_variance })
}

/// `c ← 0` where `c` is not finite, then `c ← sign(c) · log1p(|c|)`.
///
/// Shapes: `values` of any shape, result of the same.
///
/// ```
/// use maskrank_reference::featurize::log_transform;
/// let e = std::f64::consts::E;
/// let c = log_transform(&[e - 1.0, 1.0 - e, 0.0, /**/ f64::NAN, f64::INFINITY, e * e - 1.0]);
/// for (c, expected) in c.iter().zip([1.0, -1.0, 0.0, 0.0, 0.0, 2.0]) {
///     assert!((c - expected).abs() <= 1e-15);
/// }
/// ```
pub fn log_transform(values: &[f64]) -> Vec<f64> {
    let transform = |&value: &f64| if value.is_finite() { value.abs().ln_1p().copysign(value) } else { 0.0 };
    values.iter().map(transform).collect()
}

/// `c ← min(max(c, lower), upper)` for every value of any shape; NaN stays NaN.
///
/// ```
/// let mut c = [-9.0, -1.0, 0.0, /**/ 4.0, 5.0, 6.0];
/// maskrank_reference::featurize::clamp(&mut c, -5.0, 5.0);
/// assert_eq!(c, [-5.0, -1.0, 0.0, 4.0, 5.0, 5.0]);
/// ```
pub fn clamp(values: &mut [f64], lower: f64, upper: f64) {
    for value in values {
        if *value < lower {
            *value = lower;
        }
        if *value > upper {
            *value = upper;
        }
    }
}

/// An input in f64, its length checked: (rows, width).
fn widened(name: &'static str, values: &[f32], rows: usize, width: usize) -> Result<Vec<f64>, Error> {
    if values.len() != rows * width {
        return Err(Error::InputLength { name, rows, width, found: values.len() });
    }
    Ok(values.iter().map(|&value| f64::from(value)).collect())
}
