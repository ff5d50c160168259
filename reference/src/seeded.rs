//! Weights and inputs from a seed, so that a large model can be rebuilt anywhere, bit for bit.
//!
//! Value `i` of the array called `name` comes from `u_i`, a multiple of 2⁻²⁴ in [0, 1), and `v_i = 2 · u_i − 1`:
//!
//! ```text
//! u_i = f32(mix((seed XOR fnv1a64(name)) + (i + 1) · 0x9E3779B97F4A7C15) >> 40) · 2⁻²⁴
//! ```
//!
//! with 64-bit wrapping arithmetic, and f32 arithmetic from there on.

use crate::{Kind, Tensors, Wanted};
use std::borrow::Cow;

/// A source of seeded weights, generated when asked for. It holds no clamps, affine maps or calibration ratios: those
/// keep what the configuration says.
#[derive(Clone, Copy, Debug)]
pub struct Seeded {
    /// The seed.
    pub seed: u64,
}

impl Tensors for Seeded {
    fn tensor(&self, wanted: &Wanted<'_>) -> Option<Cow<'_, [f64]>> {
        let shape: Vec<usize> = wanted.shape.iter().map(|(_, size)| *size).collect();
        let values = tensor(self.seed, wanted.name, wanted.kind, &shape)?;
        Some(values.into_iter().map(f64::from).collect())
    }
}

/// The values of one weight tensor, row-major, `shape` outermost first; `None` for [`Kind::Constant`].
///
/// Linear weight `v · f32(sqrt(6 / (out + in)))`, linear bias `v · 0.1`, norm weight `1 + v · 0.1`, norm bias
/// `v · 0.1`, running mean `v · 0.5`, running variance `0.5 + u`.
///
/// # Panics
/// When a linear weight is not `[out, in]`.
pub fn tensor(seed: u64, name: &str, kind: Kind, shape: &[usize]) -> Option<Vec<f32>> {
    let value: Box<dyn Fn(f32) -> f32> = match kind {
        Kind::LinearWeight => {
            assert_eq!(shape.len(), 2, "seeded: linear weight {name} is not [out, in]");
            let limit = (6.0 / (shape[0] + shape[1]) as f64).sqrt() as f32;
            Box::new(move |u| centred(u) * limit)
        }
        Kind::LinearBias | Kind::NormBias => Box::new(|u| centred(u) * 0.1),
        Kind::NormWeight => Box::new(|u| 1.0 + centred(u) * 0.1),
        Kind::RunningMean => Box::new(|u| centred(u) * 0.5),
        Kind::RunningVariance => Box::new(|u| 0.5 + u),
        Kind::Constant => return None,
    };
    Some(uniform(seed, name, shape.iter().product()).map(value).collect())
}

/// Continuous features, `v · v · v · 1000`; `count` is rows · width.
pub fn continuous(seed: u64, count: usize) -> Vec<f32> {
    let value = |u| {
        let v = centred(u);
        v * v * v * 1000.0
    };
    uniform(seed, "continuous", count).map(value).collect()
}

/// Binary features, 1 where `u ≥ 0.5`; `count` is rows · width.
pub fn binary(seed: u64, count: usize) -> Vec<f32> {
    uniform(seed, "binary", count).map(|u| if u >= 0.5 { 1.0 } else { 0.0 }).collect()
}

/// An embedding, `v`; `name` is `user_embedding`, `user_eng_embedding` or `author_embedding`, `count` is rows · width.
pub fn embedding(seed: u64, name: &str, count: usize) -> Vec<f32> {
    uniform(seed, name, count).map(centred).collect()
}

/// `2u − 1`, exact for a multiple of 2⁻²⁴.
fn centred(u: f32) -> f32 {
    2.0 * u - 1.0
}

/// The values `u_0, u_1, …` of the array called `name`.
fn uniform(seed: u64, name: &str, count: usize) -> impl Iterator<Item = f32> {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let base = seed ^ fnv1a64(name.as_bytes());
    (1..=count as u64).map(move |i| {
        let bits = splitmix64_mix(base.wrapping_add(i.wrapping_mul(STEP))) >> 40;
        bits as f32 / 16_777_216.0 // 24 bits, so both steps are exact
    })
}

/// The 64-bit FNV-1a hash.
///
/// ```
/// use maskrank_reference::seeded::fnv1a64;
/// assert_eq!(fnv1a64(b""), 0xcbf29ce484222325);
/// assert_eq!(fnv1a64(b"a"), 0xaf63dc4c8601ec8c);
/// ```
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The finaliser of splitmix64.
///
/// ```
/// use maskrank_reference::seeded::splitmix64_mix;
/// // the first output of splitmix64 started at 0
/// assert_eq!(splitmix64_mix(0x9E3779B97F4A7C15), 0xE220A8397B1DCDAF);
/// ```
pub fn splitmix64_mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
