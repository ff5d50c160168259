//! Where the bytes of a weights file live while a model uses them.
//!
//! By default the file is copied once into a sealed memory file, which nothing can write, grow or shrink any more, and
//! mapped from there: what happens to the file afterwards can neither crash this process nor change a score.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use memmap2::{Mmap, MmapMut};
use rayon::prelude::*;

use crate::{Error, Result};

/// Bytes that do not change.
#[derive(Debug)]
pub(super) enum Storage {
    Mapped(Mmap),
    Owned(Vec<u8>),
    /// Some of an anonymous mapping: where a huge page begins.
    Anonymous {
        map: Mmap,
        start: usize,
        len: usize,
    },
}

impl std::ops::Deref for Storage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
            Self::Anonymous { map, start, len } => &map[*start..*start + *len],
        }
    }
}

impl Storage {
    /// A private copy of the file.
    pub(super) fn copy_of(path: &Path) -> Result<Self> {
        let (file, len) = open(path)?;
        #[cfg(target_os = "linux")]
        if let Some(sealed) = sealed_copy(&file, path)? {
            return Ok(sealed);
        }
        anonymous_copy(file, len, path)
    }

    /// The file itself, shared with whoever else maps it.
    ///
    /// # Safety
    /// Nothing may write to the file or shrink it while the storage lives.
    pub(super) unsafe fn shared(path: &Path) -> Result<Self> {
        let (file, _) = open(path)?;
        // SAFETY: the caller keeps the file as it is for as long as this mapping lives.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::io("map", path, source))?;
        Ok(Self::Mapped(map))
    }
}

/// Bytes of a huge page on x86-64 and most of AArch64.
const HUGE_PAGE: usize = 2 << 20;

/// Zeroed memory that starts at a huge page where there is one to fill: matrices are streamed whole, and with small
/// pages every few lines would touch another one.
fn anonymous(len: usize, path: &Path) -> Result<(MmapMut, usize)> {
    let failed = |source| Error::io("map", path, source);
    let huge = len >= HUGE_PAGE;
    let room = if huge { len.checked_add(HUGE_PAGE) } else { Some(len.max(1)) };
    let map =
        MmapMut::map_anon(room.ok_or_else(|| failed(io::ErrorKind::OutOfMemory.into()))?).map_err(failed)?;
    let start = if huge { map.as_ptr().align_offset(HUGE_PAGE) } else { 0 };
    #[cfg(target_os = "linux")]
    if huge {
        // Advice: small pages work too.
        let _refused = map.advise(memmap2::Advice::HugePage);
    }
    Ok((map, start))
}

impl Storage {
    /// A copy at the start of a page.
    pub(super) fn aligned(bytes: &[u8], path: &Path) -> Result<Self> {
        let (mut map, start) = anonymous(bytes.len(), path)?;
        map[start..start + bytes.len()].copy_from_slice(bytes);
        let map = map.make_read_only().map_err(|source| Error::io("map", path, source))?;
        Ok(Self::Anonymous { map, start, len: bytes.len() })
    }
}

/// Some bytes of a file, which has been seen to be as long.
pub(super) fn read_at(file: &File, offset: u64, len: usize, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    fill(file, &mut bytes, offset).map_err(|source| Error::io("read", path, source))?;
    Ok(bytes)
}

/// A private copy of some bytes of a file, and what `sum` makes of each of its chunks while they are in cache. Taken on
/// the ambient pool.
pub(super) fn copy_at(
    file: &File,
    offset: u64,
    len: usize,
    path: &Path,
    chunk: usize,
    sum: fn(&[u8]) -> u64,
) -> Result<(Storage, Vec<u64>)> {
    let (mut map, start) = anonymous(len, path)?;
    let chunks = map[start..start + len].par_chunks_mut(chunk).enumerate();
    let sums: io::Result<Vec<u64>> = chunks
        .map(|(index, into)| {
            fill(file, into, offset + (index * chunk) as u64)?;
            Ok(sum(into))
        })
        .collect();
    let sums = sums.map_err(|source| Error::io("read", path, source))?;
    let map = map.make_read_only().map_err(|source| Error::io("map", path, source))?;
    Ok((Storage::Anonymous { map, start, len }, sums))
}

#[cfg(unix)]
fn fill(file: &File, into: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, offset)
}

#[cfg(windows)]
fn fill(file: &File, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => (into, offset) = (&mut into[read..], offset + read as u64),
        }
    }
    Ok(())
}

/// Opens a regular, non-empty file, and tells its length at this moment.
pub(super) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |source| Error::io("open", path, source);
    let refuse = |found: &str| {
        Err(Error::weights(path, "header", format!("expected a regular, non-empty file, found {found}")))
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return refuse("a folder");
    }
    if !metadata.is_file() {
        return refuse("a device or pipe");
    }
    if metadata.len() == 0 {
        return refuse("an empty one");
    }
    Ok((File::open(path).map_err(failed)?, metadata.len()))
}

/// A sealed memory file with the file's bytes; `None` where the system has none to give.
#[cfg(target_os = "linux")]
fn sealed_copy(file: &File, path: &Path) -> Result<Option<Storage>> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let Ok(memory) = memfd_create("maskrank-weights", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING) else {
        return Ok(None);
    };
    let mut memory = File::from(memory);
    let copied = io::copy(&mut &*file, &mut memory).map_err(|source| Error::io("copy", path, source))?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    if fcntl_add_seals(&memory, seals).is_err() {
        return Ok(None);
    }
    if copied == 0 {
        return Err(Error::weights(
            path,
            "header",
            "expected a non-empty file, found that it shrank to nothing",
        ));
    }
    // SAFETY: the memory file is sealed above against writing, shrinking and growing, and against removing the seals,
    // so its bytes and its length stay what they are; it has no name, so nothing else can even open it.
    let map = unsafe { Mmap::map(&memory) }.map_err(|source| Error::io("map", path, source))?;
    Ok(Some(Storage::Mapped(map)))
}

/// An anonymous mapping with the file's bytes, for systems without sealed memory files.
fn anonymous_copy(file: File, len: u64, path: &Path) -> Result<Storage> {
    use std::io::Seek;

    let failed = |source| Error::io("read", path, source);
    let len = usize::try_from(len).map_err(|error| failed(io::Error::other(error)))?;
    let mut map = MmapMut::map_anon(len).map_err(|source| Error::io("map", path, source))?;
    let mut file = file;
    file.rewind().map_err(failed)?;
    file.read_exact(&mut map).map_err(failed)?;
    Ok(Storage::Mapped(map.make_read_only().map_err(|source| Error::io("map", path, source))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_copies_hold_the_files_bytes_whatever_becomes_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        fs::write(&path, [7; 10_000]).unwrap();
        let copy = Storage::copy_of(&path).unwrap();
        let anonymous = anonymous_copy(File::open(&path).unwrap(), 10_000, &path).unwrap();
        fs::write(&path, [1]).unwrap();
        assert_eq!(&*copy, [7; 10_000]);
        assert_eq!(&*anonymous, [7; 10_000]);
        assert!(anonymous_copy(File::open(&path).unwrap(), 2, &path).is_err());
    }
}
