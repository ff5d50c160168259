//! One tensor of a weights file, read in place.

use half::{bf16, f16};

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// bfloat16.
    Bf16,
    /// IEEE half.
    F16,
    /// 64-bit float; for expectations and captured data, not for weights.
    F64,
    /// 64-bit integer; only `num_batches_tracked` has it.
    I64,
}

impl Dtype {
    /// The type of that name in a safetensors header, where it is one of these.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::F32, Self::Bf16, Self::F16, Self::F64, Self::I64]
            .into_iter()
            .find(|dtype| dtype.name() == name)
    }

    /// The name in a safetensors header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::Bf16 => "BF16",
            Self::F16 => "F16",
            Self::F64 => "F64",
            Self::I64 => "I64",
        }
    }

    /// Bytes of one element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
            Self::F64 | Self::I64 => 8,
        }
    }
}

/// A tensor, borrowed from the mapping: row-major, any alignment.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Element type.
    pub dtype: Dtype,
    /// Dimensions; `[]` is a scalar.
    pub shape: &'a [usize],
    /// `shape.product() · dtype.size()` little-endian bytes.
    pub bytes: &'a [u8],
}

impl Tensor<'_> {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether a dimension is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `index` as f64.
    ///
    /// # Panics
    /// When `index` is out of range.
    #[must_use]
    pub fn value(&self, index: usize) -> f64 {
        let mut value = [0.0];
        self.read(index, &mut value);
        value[0]
    }

    /// All elements as f64.
    #[must_use]
    pub fn to_vec(&self) -> Vec<f64> {
        let mut values = vec![0.0; self.len()];
        self.read(0, &mut values);
        values
    }

    /// Elements `[start, start + into.len())` as f64; exact for every type but large `I64`.
    ///
    /// # Panics
    /// When the range is not inside the tensor.
    pub fn read(&self, start: usize, into: &mut [f64]) {
        let size = self.dtype.size();
        let bytes = &self.bytes[start * size..(start + into.len()) * size];
        let cells = into.iter_mut().zip(bytes.chunks_exact(size));
        match self.dtype {
            Dtype::F32 => cells.for_each(|(v, b)| *v = f32::from_le_bytes(array(b)).into()),
            Dtype::Bf16 => cells.for_each(|(v, b)| *v = bf16::from_le_bytes(array(b)).to_f64()),
            Dtype::F16 => cells.for_each(|(v, b)| *v = f16::from_le_bytes(array(b)).to_f64()),
            Dtype::F64 => cells.for_each(|(v, b)| *v = f64::from_le_bytes(array(b))),
            Dtype::I64 => cells.for_each(|(v, b)| *v = i64::from_le_bytes(array(b)) as f64),
        }
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("chunks_exact yields exactly N bytes")
}
