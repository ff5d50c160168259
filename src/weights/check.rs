//! Weights against the layout that they are to have: names, shapes, types, values.

use rayon::prelude::*;

use super::header::shape_text;
use super::layout::{self, ExpectedTensor, Kind};
use super::{Dtype, Tensor, Weights};
use crate::config::{ModelConfig, Widths, shown, suggestion};
use crate::{Error, Result};

/// Bytes of a tensor that one task looks at.
const CHUNK: usize = 1 << 20;

impl Weights {
    /// Checks every tensor against a configuration: exact names, shapes, types, finite values, variances that are not
    /// negative, calibration ratios above 0, clamp bounds in order. What passes can be built into a plan.
    ///
    /// # Errors
    /// Names the tensor, the expected shape with the names of its dimensions, and what was found.
    pub fn check(&self, config: &ModelConfig, widths: Widths) -> Result<()> {
        self.check_all(&layout::expected(config, widths)?, |_| false)
    }

    /// Checks exactly these tensors; `known` tells the names of those that were checked elsewhere.
    pub(super) fn check_all(&self, expected: &[ExpectedTensor], known: impl Fn(&str) -> bool) -> Result<()> {
        self.check_names(expected, known)?;
        expected.iter().try_for_each(|tensor| self.check_form(tensor))?;
        let failed = expected.par_iter().map(|tensor| self.check_values(tensor)).find_first(Result::is_err);
        failed.unwrap_or(Ok(()))?;
        self.check_clamp(expected)
    }

    fn wrong(&self, tensor: &str, problem: impl Into<String>) -> Error {
        Error::weights(&self.file, tensor, problem)
    }

    fn check_names(&self, expected: &[ExpectedTensor], is_known: impl Fn(&str) -> bool) -> Result<()> {
        let known: std::collections::HashSet<&str> = expected.iter().map(|t| t.name.as_str()).collect();
        let mut unknown: Vec<&str> =
            self.names().filter(|name| !known.contains(name) && !is_known(name)).collect();
        unknown.sort_unstable();
        let missing = || expected.iter().filter(|t| !t.kind.is_optional() && self.find(&t.name).is_none());
        if let Some(tensor) = missing().next() {
            let hint = match unknown.first() {
                None => String::new(),
                Some(name) => {
                    format!(
                        "; {} tensors of the file are unknown, the first is \"{}\"",
                        unknown.len(),
                        shown(name)
                    )
                }
            };
            let shape = tensor.shape_text();
            return Err(
                self.wrong(&tensor.name, format!("expected shape {shape}, found no such tensor{hint}"))
            );
        }
        let Some(name) = unknown.first() else { return Ok(()) };
        let absent = expected.iter().map(|t| t.name.as_str()).filter(|name| self.find(name).is_none());
        let hint = suggestion(name, absent);
        Err(self.wrong(&shown(name), format!("the configuration has no such tensor{hint}")))
    }

    fn check_form(&self, expected: &ExpectedTensor) -> Result<()> {
        let Some(tensor) = self.find(&expected.name) else { return Ok(()) };
        if !tensor.shape.iter().eq(expected.dims.iter().map(|dim| &dim.len)) {
            let (wanted, found) = (expected.shape_text(), shape_text(tensor.shape));
            return Err(self.wrong(&expected.name, format!("expected shape {wanted}, found {found}")));
        }
        let (wanted, fits) = match expected.kind {
            Kind::Counter => ("I64", tensor.dtype == Dtype::I64),
            _ => ("F32, BF16 or F16", matches!(tensor.dtype, Dtype::F32 | Dtype::Bf16 | Dtype::F16)),
        };
        if fits {
            return Ok(());
        }
        Err(self.wrong(&expected.name, format!("expected the type {wanted}, found {}", tensor.dtype.name())))
    }

    fn check_values(&self, expected: &ExpectedTensor) -> Result<()> {
        let Some(tensor) = self.find(&expected.name) else { return Ok(()) };
        if expected.kind == Kind::Counter {
            return Ok(());
        }
        let value_error = |index: usize, wanted: &str| {
            let found = tensor.value(index);
            Err(self.wrong(&expected.name, format!("expected {wanted} at element {index}, found {found}")))
        };
        if let Some(index) = first_non_finite(&tensor) {
            return value_error(index, "a finite value");
        }
        match expected.kind {
            Kind::RunningVar => match tensor.to_vec().iter().position(|&v| v < 0.0) {
                Some(index) => value_error(index, "a variance of at least 0"),
                None => Ok(()),
            },
            Kind::Ratio(_) if tensor.value(0) <= 0.0 => value_error(0, "a ratio above 0"),
            _ => Ok(()),
        }
    }

    /// The bounds of the clamp in order, each from the file where it holds it.
    fn check_clamp(&self, expected: &[ExpectedTensor]) -> Result<()> {
        let mut bounds = expected.iter().filter_map(|tensor| match tensor.kind {
            Kind::Clamp(value) => {
                let stored = self.find(&tensor.name).map(|stored| stored.value(0));
                Some((&tensor.name, stored.unwrap_or(value.into())))
            }
            _ => None,
        });
        let (Some((_, min)), Some((name, max))) = (bounds.next(), bounds.next()) else { return Ok(()) };
        if min <= max {
            return Ok(());
        }
        Err(self.wrong(name, format!("expected at least the lower bound {min}, found {max}")))
    }
}

/// The first element that is NaN or infinite: its exponent bits are all ones.
fn first_non_finite(tensor: &Tensor<'_>) -> Option<usize> {
    let size = tensor.dtype.size();
    let (chunk, at) = tensor
        .bytes
        .par_chunks(CHUNK)
        .enumerate()
        .find_first(|(_, bytes)| has_non_finite(tensor.dtype, bytes))
        .map(|(index, bytes)| (bytes, index * CHUNK / size))?;
    chunk.chunks(size).position(|element| has_non_finite(tensor.dtype, element)).map(|index| at + index)
}

/// No branch a value, so that it runs as fast as memory is read.
fn has_non_finite(dtype: Dtype, bytes: &[u8]) -> bool {
    fn any<const N: usize>(bytes: &[u8], is_special: impl Fn([u8; N]) -> bool) -> bool {
        let (elements, _) = bytes.as_chunks::<N>();
        elements.iter().fold(false, |found, &element| found | is_special(element))
    }
    let half = |bytes: &[u8], exponent: u16| any(bytes, |b| u16::from_le_bytes(b) & exponent == exponent);
    match dtype {
        Dtype::F32 => any(bytes, |b| u32::from_le_bytes(b) & 0x7f80_0000 == 0x7f80_0000),
        Dtype::Bf16 => half(bytes, 0x7f80),
        Dtype::F16 => half(bytes, 0x7c00),
        Dtype::F64 => any(bytes, |b| u64::from_le_bytes(b) & 0x7ff0 << 48 == 0x7ff0 << 48),
        Dtype::I64 => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_finite_values_are_found_where_they_are() {
        let mut values = vec![1.0_f32; CHUNK];
        values[3] = f32::MAX;
        values[4] = f32::MIN_POSITIVE / 4.0;
        for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN] {
            for at in [0, CHUNK / 4 - 1, CHUNK / 4, CHUNK - 1] {
                let mut values = values.clone();
                values[at] = special;
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                let shape = [values.len()];
                let tensor = Tensor { dtype: Dtype::F32, shape: &shape, bytes: &bytes };
                assert_eq!(first_non_finite(&tensor), Some(at));
            }
        }
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = Tensor { dtype: Dtype::F32, shape: &[values.len()], bytes: &bytes };
        assert_eq!(first_non_finite(&tensor), None);
        for (dtype, bits) in
            [(Dtype::Bf16, 0x7f80_u16), (Dtype::Bf16, 0xffc0), (Dtype::F16, 0x7c00), (Dtype::F16, 0xfe00)]
        {
            let bytes: Vec<u8> =
                [0x3c00, bits, 0x7b80 & 0x7b00].iter().flat_map(|v: &u16| v.to_le_bytes()).collect();
            assert_eq!(first_non_finite(&Tensor { dtype, shape: &[3], bytes: &bytes }), Some(1), "{bits:x}");
        }
    }
}
