//! Matrices in hostile surroundings.

use crate::Result;

use super::super::self_test::words;
use super::super::variants::Storage;
use super::wrong;
use half::{bf16, f16};

/// What lies around outputs.
pub(super) const CANARY: f32 = -12345.0;
/// Rows, and quads of a row, beside every operand.
pub(super) const MARGIN: usize = 3;

/// A matrix whose operands lie side by side, margins between them and rows after them.
#[derive(Clone, Copy)]
pub(super) struct Surrounded {
    pub(super) rows: usize,
    /// Quads of a row.
    pub(super) quads: usize,
    /// Quads before the first operand.
    pub(super) first: usize,
    /// What the margins hold.
    pub(super) fill: f64,
}

impl Surrounded {
    pub(super) fn len(&self) -> usize {
        (self.rows + MARGIN) * 4 * self.quads
    }

    /// Lays out operands, each (rows, width) in columns padded to another width with `padding`.
    pub(super) fn fill<'a>(
        &self,
        padding: f64,
        parts: impl Iterator<Item = ((&'a [f64], usize), &'a usize)>,
    ) -> Vec<f64> {
        let mut values = vec![self.fill; self.len()];
        let mut at = 4 * self.first;
        for ((operand, width), &padded) in parts {
            for row in 0..self.rows {
                let into = &mut values[row * 4 * self.quads + at..][..padded];
                into.fill(padding);
                if !operand.is_empty() {
                    into[..width].copy_from_slice(&operand[row * width..(row + 1) * width]);
                }
            }
            at += padded + 4 * MARGIN;
        }
        values
    }

    /// Takes operands of (width, padded width) out again.
    ///
    /// # Errors
    /// Padding that is not zero, or margins that are not as they were.
    pub(super) fn read(&self, values: &[f64], widths: &[(usize, usize)]) -> Result<Vec<Vec<f64>>> {
        let mut rest = values.to_vec();
        // What the storage type makes of the canary: the last row has nothing else.
        let canary = values[values.len() - 1];
        let mut groups = Vec::new();
        let mut at = 4 * self.first;
        for &(width, padded) in widths {
            let mut group = Vec::new();
            for row in 0..self.rows {
                let cells = &mut rest[row * 4 * self.quads + at..][..padded];
                if let Some(column) = cells[width..].iter().position(|&v| v != 0.0) {
                    return Err(wrong(format!("row {row}: padding column {} is not 0", width + column)));
                }
                group.extend_from_slice(&cells[..width]);
                cells.fill(canary);
            }
            groups.push(group);
            at += padded + 4 * MARGIN;
        }
        let is_canary = (canary / f64::from(CANARY) - 1.0).abs() < 0.01;
        match rest.iter().position(|&v| v != canary) {
            None if is_canary => Ok(groups),
            None => Err(wrong(format!("a canary became {canary}"))),
            Some(i) => {
                let (row, column) = (i / (4 * self.quads), i % (4 * self.quads));
                Err(wrong(format!("canary at row {row} column {column} was overwritten with {}", rest[i])))
            }
        }
    }
}

/// Values of storage type as f64.
pub(super) fn decode(storage: Storage, bytes: &[u8]) -> Vec<f64> {
    let halves = |decode: fn(u16) -> f64| {
        bytes.chunks_exact(2).map(|b| decode(u16::from_le_bytes([b[0], b[1]]))).collect()
    };
    match storage {
        Storage::F32 => words(bytes).into_iter().map(|bits| f32::from_bits(bits).into()).collect(),
        Storage::F16Native | Storage::F16Packed => halves(|bits| f16::from_bits(bits).to_f64()),
        Storage::Bf16 => halves(|bits| bf16::from_bits(bits).to_f64()),
    }
}
