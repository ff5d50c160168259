//! Where the bytes of a weights file live while a model uses them.
//!
//! By default the file is copied once into a sealed memory file, which nothing can write, grow or shrink any more, and
//! mapped from there: what happens to the file afterwards can neither crash this process nor change a score.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use memmap2::{Mmap, MmapMut};

use crate::{Error, Result};

/// Bytes that do not change.
#[derive(Debug)]
pub(super) enum Storage {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl std::ops::Deref for Storage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
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

/// Opens a regular, non-empty file, and tells its length at this moment.
fn open(path: &Path) -> Result<(File, u64)> {
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
