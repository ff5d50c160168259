//! Requests that outlive their caller: the features of a job live until it is scored, without being copied.

use std::fmt;
use std::sync::Arc;

use half::{bf16, f16};

use crate::batch::{Binary, Columns, Features, Request};

/// Values in memory that is shared, or was handed over: a `Vec<T>`, an `Arc<[T]>`, or whatever else gives a slice.
/// A clone shares the memory.
pub struct Values<T>(Option<Arc<dyn AsRef<[T]> + Send + Sync>>);

impl<T> Values<T> {
    /// Any owner of a slice: a mapped file, an Arrow buffer. It must give the same slice every time it is asked.
    #[must_use]
    pub fn new(owner: impl AsRef<[T]> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(owner)))
    }

    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        self.0.as_deref().map_or(&[], AsRef::as_ref)
    }
}

impl<T> Clone for Values<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.as_slice().len())
    }
}

impl<T: Send + Sync + 'static> From<Vec<T>> for Values<T> {
    fn from(values: Vec<T>) -> Self {
        Self::new(values)
    }
}

impl<T: Send + Sync + 'static> From<Arc<[T]>> for Values<T> {
    fn from(values: Arc<[T]>) -> Self {
        Self::new(values)
    }
}

/// [`Features`] that own their memory.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OwnedFeatures {
    /// 32-bit floats.
    F32(Values<f32>),
    /// bfloat16.
    Bf16(Values<bf16>),
    /// IEEE halves.
    F16(Values<f16>),
}

impl OwnedFeatures {
    fn view(&self) -> Features<'_> {
        match self {
            Self::F32(values) => Features::F32(values.as_slice()),
            Self::Bf16(values) => Features::Bf16(values.as_slice()),
            Self::F16(values) => Features::F16(values.as_slice()),
        }
    }

    fn copy_of(features: Features<'_>) -> Self {
        match features {
            Features::F32(values) => values.to_vec().into(),
            Features::Bf16(values) => values.to_vec().into(),
            Features::F16(values) => values.to_vec().into(),
        }
    }
}

impl Default for OwnedFeatures {
    fn default() -> Self {
        Self::F32(Values::default())
    }
}

macro_rules! features_from {
    ($($element:ty => $variant:ident),*) => {$(
        impl From<Vec<$element>> for OwnedFeatures {
            fn from(values: Vec<$element>) -> Self {
                Self::$variant(values.into())
            }
        }

        impl From<Arc<[$element]>> for OwnedFeatures {
            fn from(values: Arc<[$element]>) -> Self {
                Self::$variant(values.into())
            }
        }
    )*};
}

features_from!(f32 => F32, bf16 => Bf16, f16 => F16);

/// [`Binary`] features that own their memory.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OwnedBinary {
    /// One byte a feature, taken as a number.
    Bytes(Values<u8>),
    /// One bit a feature, least significant first; each row starts at a new byte.
    Bits(Values<u8>),
    /// Any numbers.
    Numbers(Values<f32>),
}

impl OwnedBinary {
    fn view(&self) -> Binary<'_> {
        match self {
            Self::Bytes(values) => Binary::Bytes(values.as_slice()),
            Self::Bits(values) => Binary::Bits(values.as_slice()),
            Self::Numbers(values) => Binary::Numbers(values.as_slice()),
        }
    }

    fn copy_of(binary: Binary<'_>) -> Self {
        match binary {
            Binary::Bytes(values) => Self::Bytes(values.to_vec().into()),
            Binary::Bits(values) => Self::Bits(values.to_vec().into()),
            Binary::Numbers(values) => Self::Numbers(values.to_vec().into()),
        }
    }
}

impl Default for OwnedBinary {
    fn default() -> Self {
        Self::Bytes(Values::default())
    }
}

/// [`Columns`] that own their memory.
#[derive(Clone, Debug, Default)]
pub struct OwnedColumns {
    /// Continuous features.
    pub continuous: OwnedFeatures,
    /// Binary features.
    pub binary: OwnedBinary,
    /// The viewer's follow embedding.
    pub user_embedding: OwnedFeatures,
    /// The viewer's engagement embedding.
    pub user_eng_embedding: OwnedFeatures,
    /// The author's embedding.
    pub author_embedding: OwnedFeatures,
}

impl OwnedColumns {
    fn view(&self) -> Columns<'_> {
        Columns {
            continuous: self.continuous.view(),
            binary: self.binary.view(),
            user_embedding: self.user_embedding.view(),
            user_eng_embedding: self.user_eng_embedding.view(),
            author_embedding: self.author_embedding.view(),
        }
    }

    fn copy_of(columns: &Columns<'_>) -> Self {
        Self {
            continuous: OwnedFeatures::copy_of(columns.continuous),
            binary: OwnedBinary::copy_of(columns.binary),
            user_embedding: OwnedFeatures::copy_of(columns.user_embedding),
            user_eng_embedding: OwnedFeatures::copy_of(columns.user_eng_embedding),
            author_embedding: OwnedFeatures::copy_of(columns.author_embedding),
        }
    }
}

/// A [`Request`] that owns its memory. A clone shares it.
#[derive(Clone, Debug, Default)]
pub struct OwnedRequest {
    /// Number of candidates; may be 0.
    pub candidates: usize,
    /// Columns given once: one row of each.
    pub request: OwnedColumns,
    /// Columns given per candidate: `candidates` rows of each.
    pub candidate: OwnedColumns,
}

impl OwnedRequest {
    /// The request as a scorer takes it.
    #[must_use]
    pub fn view(&self) -> Request<'_> {
        Request {
            candidates: self.candidates,
            request: self.request.view(),
            candidate: self.candidate.view(),
        }
    }

    /// A copy of borrowed features.
    #[must_use]
    pub fn copy_of(request: &Request<'_>) -> Self {
        Self {
            candidates: request.candidates,
            request: OwnedColumns::copy_of(&request.request),
            candidate: OwnedColumns::copy_of(&request.candidate),
        }
    }
}
