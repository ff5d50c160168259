//! Weights and inputs from a seed, the same bits on every machine.
//!
//! Element `i` of the tensor `name` is a pure function of seed, name and `i`, so the work splits over threads freely.

use std::collections::HashMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::encode::{Slot, lay_out};
use super::header::Entry;
use super::layout::{self, ExpectedTensor, Kind};
use super::{Dtype, Weights};
use crate::Result;
use crate::config::{EMBEDDINGS, ModelConfig, Widths};

/// Elements that one task makes.
const CHUNK: usize = 1 << 16;

/// The stream of numbers of one tensor.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    base: u64,
}

impl Stream {
    /// The stream of the tensor `name` under `seed`.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { base: seed ^ fnv }
    }

    /// `u` of element `index`: uniform in [0, 1), a multiple of 2⁻²⁴.
    #[must_use]
    pub fn unit(self, index: u64) -> f32 {
        let mut z = self.base.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // 24 bits: exact in f32.
        (z >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// `v = 2u − 1` of element `index`: uniform in [−1, 1), exact.
    #[must_use]
    pub fn signed(self, index: u64) -> f32 {
        2.0 * self.unit(index) - 1.0
    }
}

impl Weights {
    /// Seeded weights of a model: they rank without meaning, but every machine makes the same ones.
    ///
    /// # Errors
    /// The widths do not fit the configuration, or the weights would exceed 16 GiB.
    pub fn seeded(config: &ModelConfig, widths: Widths, seed: u64) -> Result<Self> {
        let expected = layout::expected(config, widths)?;
        let file = PathBuf::from(format!("weights of seed {seed}"));
        let slots: Vec<Slot> = expected
            .iter()
            .map(|tensor| Slot {
                name: tensor.name.clone(),
                dtype: if tensor.kind == Kind::Counter { Dtype::I64 } else { Dtype::F32 },
                shape: tensor.shape(),
            })
            .collect();
        let (mut bytes, ranges) = lay_out(&slots, &file)?;
        for (tensor, range) in expected.iter().zip(&ranges) {
            if tensor.kind != Kind::Counter {
                fill(tensor, seed, &mut bytes[range.clone()]);
            }
        }
        let entry =
            |(slot, range): (Slot, _)| (slot.name, Entry { dtype: slot.dtype, shape: slot.shape, range });
        let tensors: HashMap<String, Entry> = slots.into_iter().zip(ranges).map(entry).collect();
        Ok(Self::from_parts(file, bytes, tensors))
    }
}

fn fill(tensor: &ExpectedTensor, seed: u64, bytes: &mut [u8]) {
    let stream = Stream::new(seed, &tensor.name);
    match tensor.kind {
        Kind::LinearWeight => {
            let fans: usize = tensor.dims.iter().map(|dim| dim.len).sum();
            let bound = (6.0 / fans as f64).sqrt() as f32;
            each(bytes, |i| stream.signed(i) * bound);
        }
        Kind::LinearBias | Kind::NormBias => each(bytes, |i| stream.signed(i) * 0.1),
        Kind::NormWeight => each(bytes, |i| 1.0 + stream.signed(i) * 0.1),
        Kind::RunningMean => each(bytes, |i| stream.signed(i) * 0.5),
        Kind::RunningVar => each(bytes, |i| 0.5 + stream.unit(i)),
        Kind::AffineMap(value) | Kind::Ratio(value) | Kind::Clamp(value) => each(bytes, |_| value),
        Kind::Counter => {}
    }
}

fn each(bytes: &mut [u8], value: impl Fn(u64) -> f32 + Sync) {
    bytes.par_chunks_mut(4 * CHUNK).enumerate().for_each(|(chunk, bytes)| {
        let (cells, _) = bytes.as_chunks_mut::<4>();
        let first = (chunk * CHUNK) as u64;
        cells.iter_mut().zip(first..).for_each(|(cell, index)| *cell = value(index).to_le_bytes());
    });
}

/// Raw features of `rows` candidates, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct SeededInputs {
    /// (rows, continuous): `v³ · 1000`.
    pub continuous: Vec<f32>,
    /// (rows, binary): 0 or 1.
    pub binary: Vec<f32>,
    /// (rows, width) each, in the order of [`EMBEDDINGS`]; empty where the model has none.
    pub embeddings: [Vec<f32>; 3],
}

/// Seeded inputs by the same generator, under the inputs' own names.
#[must_use]
pub fn inputs(widths: Widths, rows: usize, seed: u64) -> SeededInputs {
    let make = |name: &str, width: usize, value: fn(Stream, u64) -> f32| -> Vec<f32> {
        let stream = Stream::new(seed, name);
        (0..(rows * width) as u64).into_par_iter().map(|index| value(stream, index)).collect()
    };
    let continuous = |stream: Stream, index| {
        let v = stream.signed(index);
        v * v * v * 1000.0
    };
    let binary = |stream: Stream, index| if stream.unit(index) >= 0.5 { 1.0 } else { 0.0 };
    let embedding = |at: usize| make(EMBEDDINGS[at], widths.embeddings()[at], Stream::signed);
    SeededInputs {
        continuous: make("continuous", widths.continuous, continuous),
        binary: make("binary", widths.binary, binary),
        embeddings: [embedding(0), embedding(1), embedding(2)],
    }
}
