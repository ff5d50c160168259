//! Batches that lie in a GPU's memory already: typed views by address, for callers whose features are made there.
//!
//! An address is a promise that no check can replace, so making a view is `unsafe`, and only that: whoever makes one
//! answers for the memory until the work that uses it is done. Types, lengths and the device are compared when a
//! batch is enqueued.

use std::ffi::c_void;

/// Type of the elements of a [`DeviceSlice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ElementType {
    /// 32-bit floats.
    F32,
    /// bfloat16.
    Bf16,
    /// IEEE halves.
    F16,
    /// Bytes: a number each.
    U8,
    /// Bytes of eight binary features each, least significant first; rows start at a new byte.
    Bits,
    /// 32-bit unsigned integers.
    U32,
}

impl ElementType {
    /// Bytes of an element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::Bf16 | Self::F16 => 2,
            Self::U8 | Self::Bits => 1,
        }
    }
}

/// Elements in the memory of a device, row-major and without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSlice {
    address: u64,
    len: usize,
    element: ElementType,
}

impl DeviceSlice {
    /// Nothing: an input that the model does not have, or an output that is not wanted.
    pub const EMPTY: Self = Self { address: 0, len: 0, element: ElementType::F32 };

    /// `len` elements at a device address (a `CUdeviceptr`, or what `cudaMalloc` gave).
    ///
    /// # Safety
    /// Until the work that this view is given to is done:
    /// - the memory is allocated on that device, `len` elements long;
    /// - as an input, it is initialised and nothing writes it;
    /// - as an output, nothing else reads or writes it.
    #[must_use]
    pub const unsafe fn new(address: u64, len: usize, element: ElementType) -> Self {
        Self { address, len, element }
    }

    /// The address.
    #[must_use]
    pub const fn address(&self) -> u64 {
        self.address
    }

    /// Number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Type of the elements.
    #[must_use]
    pub const fn element(&self) -> ElementType {
        self.element
    }
}

/// One matrix or row of every input, as [`crate::Columns`]; an absent input stays empty. Continuous features and
/// embeddings are of one type; binary features are `U8`, `Bits` or `F32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceColumns {
    /// Continuous features.
    pub continuous: DeviceSlice,
    /// Binary features.
    pub binary: DeviceSlice,
    /// The viewer's follow embedding.
    pub user_embedding: DeviceSlice,
    /// The viewer's engagement embedding.
    pub user_eng_embedding: DeviceSlice,
    /// The author's embedding.
    pub author_embedding: DeviceSlice,
}

impl Default for DeviceColumns {
    fn default() -> Self {
        let none = DeviceSlice::EMPTY;
        Self {
            continuous: none,
            binary: none,
            user_embedding: none,
            user_eng_embedding: none,
            author_embedding: none,
        }
    }
}

impl DeviceColumns {
    /// Names and views: continuous, binary, and the three embeddings.
    pub(crate) fn named(&self) -> [(&'static str, DeviceSlice); 5] {
        [
            ("continuous", self.continuous),
            ("binary", self.binary),
            ("user_embedding", self.user_embedding),
            ("user_eng_embedding", self.user_eng_embedding),
            ("author_embedding", self.author_embedding),
        ]
    }
}

/// A batch in device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceBatch {
    pub(crate) candidates: usize,
    pub(crate) requests: usize,
    pub(crate) candidate_request: DeviceSlice,
    pub(crate) request: DeviceColumns,
    pub(crate) candidate: DeviceColumns,
}

impl DeviceBatch {
    /// Candidates of one request: one row of `request`, `candidates` rows of `candidate`.
    #[must_use]
    pub fn one_request(candidates: usize, request: DeviceColumns, candidate: DeviceColumns) -> Self {
        Self { candidates, requests: 1, candidate_request: DeviceSlice::EMPTY, request, candidate }
    }

    /// Candidates of several requests: `requests` rows of `request`, `candidates` rows of `candidate`, and for each
    /// candidate the index of its request, `U32` (candidates).
    ///
    /// # Safety
    /// Every index is below `requests` when the work runs.
    #[must_use]
    pub unsafe fn of_requests(
        candidates: usize,
        requests: usize,
        candidate_request: DeviceSlice,
        request: DeviceColumns,
        candidate: DeviceColumns,
    ) -> Self {
        Self { candidates, requests, candidate_request, request, candidate }
    }

    /// Type of the continuous features and embeddings: that of the first that is there.
    pub(crate) fn feature_element(&self) -> ElementType {
        let all = self.request.named().into_iter().chain(self.candidate.named());
        let mut features = all.filter(|(name, slice)| *name != "binary" && !slice.is_empty());
        features.next().map_or(ElementType::F32, |(_, slice)| slice.element)
    }

    /// Type of the binary features.
    pub(crate) fn binary_element(&self) -> ElementType {
        let here = [self.request.binary, self.candidate.binary].into_iter().find(|slice| !slice.is_empty());
        here.map_or(ElementType::U8, |slice| slice.element)
    }

    /// Candidates of all requests.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.candidates
    }
}

/// Where the outputs of a batch go; an output that is not wanted is [`DeviceSlice::EMPTY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceOutputs {
    /// Weighted sums, `F32` (candidates).
    pub scores: DeviceSlice,
    /// [`crate::Status`] as numbers, `U32` (candidates).
    pub statuses: DeviceSlice,
    /// Logits after the affine map, `F32` (candidates, tasks).
    pub logits: DeviceSlice,
    /// Probabilities before calibration, `F32` (candidates, tasks).
    pub probabilities: DeviceSlice,
    /// Calibrated probabilities, `F32` (candidates, tasks).
    pub calibrated_probabilities: DeviceSlice,
}

impl Default for DeviceOutputs {
    fn default() -> Self {
        let none = DeviceSlice::EMPTY;
        Self {
            scores: none,
            statuses: none,
            logits: none,
            probabilities: none,
            calibrated_probabilities: none,
        }
    }
}

/// A caller's stream: work that is enqueued in it starts when what is before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceStream(*mut c_void);

// SAFETY: the handle is an opaque number here; the driver's streams may be used from any thread.
unsafe impl Send for DeviceStream {}
// SAFETY: as above; a shared handle can only be copied.
unsafe impl Sync for DeviceStream {}

impl DeviceStream {
    /// The legacy default stream, which every program has.
    pub const DEFAULT: Self = Self(std::ptr::null_mut());

    /// A `CUstream` (or `cudaStream_t`) of the device's primary context, which the runtime API and frameworks use.
    ///
    /// # Safety
    /// The stream lives until the call that this is given to comes back.
    #[must_use]
    pub const unsafe fn from_raw(stream: *mut c_void) -> Self {
        Self(stream)
    }

    /// The handle.
    #[must_use]
    pub const fn as_raw(self) -> *mut c_void {
        self.0
    }
}
