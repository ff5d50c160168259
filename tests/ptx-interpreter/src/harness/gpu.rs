//! Device memory with the conveniences of a test: inputs that cannot be written, outputs that start unwritten,
//! padding that is NaN, canaries that must survive.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::memory::{Access, BufferId, Device, address};

/// Least bytes of canary after a padded output.
const CANARY: usize = 256;
/// Byte that fills canaries.
const CANARY_BYTE: u8 = 0xa5;

/// A plain number that can live in a buffer.
pub trait Plain: Copy {
    /// Little-endian bytes.
    fn write(self, out: &mut Vec<u8>);
    /// Reads from the front of `bytes`, which must hold enough.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! plain {
    ($($t:ty),*) => {$(
        impl Plain for $t {
            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn read(bytes: &[u8]) -> Self {
                let mut b = [0; size_of::<$t>()];
                b.copy_from_slice(&bytes[..size_of::<$t>()]);
                <$t>::from_le_bytes(b)
            }
        }
    )*};
}
plain!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

/// What surrounds the rows of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Elements from one row to the next; at least the width.
    pub stride: usize,
}

struct Protected {
    buffer: BufferId,
    /// Byte ranges that no kernel may change.
    ranges: Vec<std::ops::Range<usize>>,
}

/// Device memory with the conveniences of a test.
#[derive(Default)]
pub struct Gpu {
    pub(super) device: Device,
    protected: Vec<Protected>,
    /// Addresses of a module's variables, by module and entry.
    pub(super) globals: BTreeMap<(u64, String), Vec<u64>>,
}

fn bytes_of<T: Plain>(data: &[T]) -> Vec<u8> {
    let mut out = Vec::with_capacity(size_of_val(data));
    for x in data {
        x.write(&mut out);
    }
    out
}

impl Gpu {
    /// An empty device.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A buffer that kernels only read; a write is a fault.
    pub fn input<T: Plain>(&mut self, name: &str, data: &[T]) -> BufferId {
        self.device.add(name, &bytes_of(data), Access::Input)
    }

    /// A buffer with contents that kernels read and write.
    pub fn inout<T: Plain>(&mut self, name: &str, data: &[T]) -> BufferId {
        self.device.add(name, &bytes_of(data), Access::InOut)
    }

    /// A buffer of `len` elements that nobody has written: reading it first is a fault.
    pub fn output<T: Plain>(&mut self, name: &str, len: usize) -> BufferId {
        self.device.add_unwritten(name, len * size_of::<T>())
    }

    /// A `rows` x `width` input whose rows are `stride` elements apart; what lies between is all ones, a NaN.
    ///
    /// # Panics
    /// If `data` is not `rows * width` long or the stride is smaller than the width.
    pub fn input_rows<T: Plain>(
        &mut self,
        name: &str,
        data: &[T],
        width: usize,
        padding: Padding,
    ) -> BufferId {
        assert!(padding.stride >= width, "stride {} of `{name}` is below its width {width}", padding.stride);
        let gap = vec![0xff; (padding.stride - width) * size_of::<T>()];
        let mut bytes = Vec::new();
        for row in data.chunks(width.max(1)) {
            bytes.extend(bytes_of(row));
            bytes.extend_from_slice(&gap);
        }
        self.device.add(name, &bytes, Access::Input)
    }

    /// A `rows` x `width` output that nobody has written, with canaries between its rows and in an extra row after
    /// them; a launch that changes a canary fails.
    pub fn output_rows<T: Plain>(
        &mut self,
        name: &str,
        rows: usize,
        width: usize,
        padding: Padding,
    ) -> BufferId {
        let (size, stride) = (size_of::<T>(), padding.stride.max(width));
        let tail = (stride * size).max(CANARY);
        let buffer = self.device.add_unwritten(name, rows * stride * size + tail);
        let mut ranges: Vec<_> =
            (0..rows).map(|r| (r * stride + width) * size..(r + 1) * stride * size).collect();
        ranges.push(rows * stride * size..rows * stride * size + tail);
        ranges.retain(|r| !r.is_empty());
        for r in &ranges {
            self.device.fill(buffer, r.start, &vec![CANARY_BYTE; r.len()]);
        }
        self.protected.push(Protected { buffer, ranges });
        buffer
    }

    /// From now on a kernel that writes to the buffer fails, and reads of it need no bookkeeping: for an output that
    /// the host has filled and kernels only read.
    pub fn seal(&mut self, buffer: BufferId) {
        self.device.seal(buffer);
    }

    /// Gives a buffer's memory back. An access to it is a fault from then on.
    ///
    /// # Panics
    /// If the buffer has canaries: they are checked after every launch.
    pub fn free(&mut self, buffer: BufferId) {
        let protected = self.protected.iter().any(|p| p.buffer == buffer);
        assert!(!protected, "`{}` has canaries", self.device.name(buffer));
        self.device.free(buffer);
    }

    /// Some bytes of a buffer.
    ///
    /// # Panics
    /// If the range is not in the buffer.
    #[must_use]
    pub fn read_part(&self, buffer: BufferId, range: std::ops::Range<usize>) -> Vec<u8> {
        self.device.part(buffer, range)
    }

    /// Contents of a buffer, with canaries and padding.
    #[must_use]
    pub fn read<T: Plain>(&self, buffer: BufferId) -> Vec<T> {
        self.device.bytes(buffer).chunks_exact(size_of::<T>()).map(T::read).collect()
    }

    /// The `rows` x `width` elements of a padded buffer.
    #[must_use]
    pub fn read_rows<T: Plain>(
        &self,
        buffer: BufferId,
        rows: usize,
        width: usize,
        padding: Padding,
    ) -> Vec<T> {
        let all = self.read::<T>(buffer);
        all.chunks(padding.stride.max(1)).take(rows).flat_map(|r| r[..width].iter().copied()).collect()
    }

    /// Overwrites a buffer from an element on.
    pub fn write<T: Plain>(&mut self, buffer: BufferId, at: usize, data: &[T]) {
        self.device.fill(buffer, at * size_of::<T>(), &bytes_of(data));
    }

    /// First element of a range that no kernel has written, if any.
    #[must_use]
    pub fn first_unwritten<T: Plain>(
        &self,
        buffer: BufferId,
        range: std::ops::Range<usize>,
    ) -> Option<usize> {
        let size = size_of::<T>();
        self.device.first_unwritten(buffer, range.start * size..range.end * size).map(|b| b / size)
    }

    /// Device address of an element, for structs that hold pointers.
    #[must_use]
    pub fn address<T: Plain>(&self, buffer: BufferId, at: usize) -> u64 {
        address(buffer) + (at * size_of::<T>()) as u64
    }

    pub(super) fn check_canaries(&self) -> Result<()> {
        for p in &self.protected {
            let bytes = self.device.bytes(p.buffer);
            for r in &p.ranges {
                if let Some(i) = bytes[r.clone()].iter().position(|b| *b != CANARY_BYTE) {
                    let buffer = self.device.name(p.buffer).to_string();
                    return Err(Error::Canary { buffer, offset: r.start + i });
                }
            }
        }
        Ok(())
    }
}
