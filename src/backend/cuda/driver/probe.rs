//! Which GPUs are here, or the reason why none can be used: what was found, and what is needed.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;
use std::sync::Arc;

use super::library::{Absent, Code, DeviceId, Driver};

/// Oldest CUDA version of a driver that loads the kernels, 1000 · major + 10 · minor. Driver 525.
const MIN_CUDA: u32 = 12_000;
/// Oldest compute capability that the kernels run on.
const MIN_CAPABILITY: u32 = 80;

/// Attributes of `cuDeviceGetAttribute`.
const MULTIPROCESSORS: c_int = 16;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;
const SHARED_PER_BLOCK: c_int = 97;

/// Result codes with a reason of their own.
const ERROR_STUB_LIBRARY: Code = 34;
const ERROR_NO_DEVICE: Code = 100;

/// A usable GPU.
#[derive(Clone)]
pub(crate) struct Found {
    /// The driver.
    pub(crate) driver: Arc<Driver>,
    /// The driver's number for it.
    pub(crate) id: DeviceId,
    /// Its place in the driver's list.
    pub(crate) ordinal: c_int,
    /// Its name.
    pub(crate) name: String,
    /// Compute capability as 10 · major + minor.
    pub(crate) capability: u32,
    /// Multiprocessors.
    pub(crate) multiprocessors: usize,
    /// Shared memory that a block may have, bytes.
    pub(crate) shared_bytes: usize,
    /// Memory, bytes.
    pub(crate) memory: usize,
    /// CUDA version of the driver, 1000 · major + 10 · minor.
    pub(crate) cuda: u32,
}

/// Why no GPU can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The driver's library is missing or incomplete.
    Driver(Absent),
    /// The library is the toolkit's stub, there for linking only.
    Stub,
    /// The driver does not start.
    Start { problem: String },
    /// The driver is older than the kernels.
    OldDriver { cuda: u32 },
    /// The driver knows no GPU.
    NoDevice,
    /// GPUs are there, all of them too old.
    OldDevices { names: Vec<String> },
    /// No GPU's name contains what was asked for.
    NoSuchName { wanted: String, names: Vec<String> },
}

fn version(cuda: u32) -> String {
    format!("{}.{}", cuda / 1000, cuda % 1000 / 10)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = version(MIN_CUDA);
        match self {
            Self::Driver(Absent::Missing { looked_for, problem }) => write!(
                f,
                "no NVIDIA driver found (looked for {looked_for}: {problem}); needed: driver 525 or later (CUDA {needed})"
            ),
            Self::Driver(Absent::Incomplete { library, symbol }) => write!(
                f,
                "{library} has no function {symbol}: a stub, or a driver that is too old; needed: driver 525 or later (CUDA {needed})"
            ),
            Self::Stub => write!(
                f,
                "the CUDA library found is a stub for linking, not a driver; needed: driver 525 or later (CUDA {needed})"
            ),
            Self::Start { problem } => write!(f, "the NVIDIA driver does not start: {problem}"),
            Self::OldDriver { cuda } => write!(
                f,
                "the NVIDIA driver supports CUDA {}; needed: CUDA {needed} or later (driver 525)",
                version(*cuda)
            ),
            Self::NoDevice => f.write_str("the NVIDIA driver is installed but sees no GPU"),
            Self::OldDevices { names } => write!(
                f,
                "found {}; needed: compute capability {}.{} or later",
                names.join(", "),
                MIN_CAPABILITY / 10,
                MIN_CAPABILITY % 10
            ),
            Self::NoSuchName { wanted, names } => {
                write!(f, "no GPU is named like \"{wanted}\"; found {}", names.join(", "))
            }
        }
    }
}

/// Every usable GPU, in the driver's order; at least one.
pub(crate) fn find(name: Option<&str>) -> Result<Vec<Found>, Reason> {
    // Unit tests run the whole runtime on the PTX interpreter.
    #[cfg(test)]
    // SAFETY: its functions are the driver API's, linked into the program.
    let open = || unsafe { Driver::resolve("the interpreter", maskrank_ptx_driver::function) };
    #[cfg(not(test))]
    let open = Driver::open;
    find_with(open().map_err(Reason::Driver)?, name)
}

fn find_with(driver: Driver, name: Option<&str>) -> Result<Vec<Found>, Reason> {
    let driver = Arc::new(driver);
    // SAFETY: takes no pointers; flags must be 0.
    match unsafe { driver.init(0) } {
        0 => {}
        ERROR_NO_DEVICE => return Err(Reason::NoDevice),
        ERROR_STUB_LIBRARY => return Err(Reason::Stub),
        code => return Err(Reason::Start { problem: driver.describe(code) }),
    }
    let started = |code| match code {
        0 => Ok(()),
        code => Err(Reason::Start { problem: driver.describe(code) }),
    };
    let mut cuda = 0;
    // SAFETY: the pointer is to a live integer.
    started(unsafe { driver.driver_version(&raw mut cuda) })?;
    let cuda = u32::try_from(cuda).unwrap_or(0);
    if cuda < MIN_CUDA {
        return Err(Reason::OldDriver { cuda });
    }
    let mut count = 0;
    // SAFETY: the pointer is to a live integer.
    match unsafe { driver.device_count(&raw mut count) } {
        ERROR_NO_DEVICE => return Err(Reason::NoDevice),
        code => started(code)?,
    }
    let (mut usable, mut old, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for ordinal in 0..count {
        let found = device(&driver, ordinal, cuda)
            .map_err(|code| Reason::Start { problem: driver.describe(code) })?;
        let label = format!(
            "{} (compute capability {}.{})",
            found.name,
            found.capability / 10,
            found.capability % 10
        );
        if found.capability < MIN_CAPABILITY {
            old.push(label);
        } else if name.is_some_and(|part| !found.name.to_lowercase().contains(&part.to_lowercase())) {
            others.push(label);
        } else {
            usable.push(found);
        }
    }
    match (usable.is_empty(), name) {
        (false, _) => Ok(usable),
        (true, Some(wanted)) if !others.is_empty() => {
            Err(Reason::NoSuchName { wanted: wanted.to_owned(), names: others })
        }
        (true, _) if !old.is_empty() => Err(Reason::OldDevices { names: old }),
        (true, _) => Err(Reason::NoDevice),
    }
}

fn device(driver: &Arc<Driver>, ordinal: c_int, cuda: u32) -> Result<Found, Code> {
    let checked = |code: Code| if code == 0 { Ok(()) } else { Err(code) };
    let mut id = 0;
    // SAFETY: the pointer is to a live integer; `ordinal` is below the count that the driver gave.
    checked(unsafe { driver.device_get(&raw mut id, ordinal) })?;
    let mut name: [c_char; 256] = [0; 256];
    // SAFETY: the buffer is as long as stated; `id` came from the driver.
    checked(unsafe { driver.device_name(name.as_mut_ptr(), name.len() as c_int, id) })?;
    name[name.len() - 1] = 0;
    // SAFETY: the last byte is 0, so the string ends inside the buffer.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
    let attribute = |attribute| {
        let mut value = 0;
        // SAFETY: the pointer is to a live integer; `id` came from the driver.
        checked(unsafe { driver.device_attribute(&raw mut value, attribute, id) })?;
        Ok::<_, Code>(usize::try_from(value).unwrap_or(0))
    };
    let capability = (attribute(CAPABILITY_MAJOR)? * 10 + attribute(CAPABILITY_MINOR)?) as u32;
    let mut memory = 0;
    // SAFETY: the pointer is to a live integer; `id` came from the driver.
    checked(unsafe { driver.device_memory(&raw mut memory, id) })?;
    Ok(Found {
        driver: Arc::clone(driver),
        id,
        ordinal,
        name,
        capability,
        multiprocessors: attribute(MULTIPROCESSORS)?.max(1),
        shared_bytes: attribute(SHARED_PER_BLOCK)?,
        memory,
        cuda,
    })
}
