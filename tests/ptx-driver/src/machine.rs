//! A driver whose one GPU is the PTX interpreter.
//!
//! It refuses machine code, as a driver does with machine code of another GPU, so the loader goes on to PTX. Device
//! memory starts poisoned; a fault of the interpreter (a race, a read of unwritten or foreign memory) fails the
//! stream, and its text becomes the driver's description of the error.
//!
//! Streams are lazy: nothing runs before somebody waits for it, and of other streams only as much as an event asks
//! for. So memory that is reused, changed or freed too early, and an order between streams that nothing enforces,
//! give wrong results here every time. `faults` makes calls fail, and counts what is alive. The driver's functions are in
//! `functions`; here is what they work on.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::{CString, c_int};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use maskrank_ptx::{Arg, BufferId, Gpu, Launch, Module};

use crate::{Address, Code, Handle};

pub(crate) const SUCCESS: Code = 0;
/// `CUDA_ERROR_LAUNCH_FAILED`.
pub const ERROR_LAUNCH: Code = 719;

/// Compute capability that the GPU has: one whose machine code is tried and refused, and all of whose PTX is loadable.
pub const CAPABILITY: u32 = 100;
/// Addresses from here on are said to be memory of a second GPU.
pub const FOREIGN: Address = 1 << 60;

thread_local! {
    pub(crate) static MULTIPROCESSORS: Cell<c_int> = const { Cell::new(4) };
}

/// Runs `f` with scorers of this thread built for a GPU of so many multiprocessors, which decide the tiles. Elsewhere it
/// is 4, so that small batches meet large tiles.
pub fn with_multiprocessors<T>(number: c_int, f: impl FnOnce() -> T) -> T {
    let before = MULTIPROCESSORS.replace(number);
    let result = f();
    MULTIPROCESSORS.set(before);
    result
}

#[derive(Default)]
pub(crate) struct Machine {
    pub(crate) gpu: Gpu,
    pub(crate) memory: BTreeMap<Address, (BufferId, usize)>,
    /// Address and words of pinned memory.
    pub(crate) pinned: BTreeMap<usize, usize>,
    pub(crate) functions: Vec<(&'static Module, String, usize)>,
    pub(crate) modules: HashMap<String, &'static Module>,
    pub(crate) names: HashMap<(usize, String), usize>,
    pub(crate) graphs: Vec<Vec<Kernel>>,
    /// The default stream is the first.
    pub(crate) streams: Vec<Stream>,
    pub(crate) events: Vec<Event>,
    /// Operations that ran.
    pub(crate) clock: u64,
    pub(crate) fault: CString,
}

#[derive(Clone)]
pub(crate) struct Kernel {
    pub(crate) function: usize,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) shared: usize,
    pub(crate) parameters: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) work: VecDeque<Work>,
    /// The first failure; it stays.
    pub(crate) failed: Code,
    /// Whose test made it; none for the default stream.
    pub(crate) owner: Option<ThreadId>,
}

pub(crate) enum Work {
    Upload { to: Address, from: usize, bytes: usize },
    Download { to: usize, from: Address, bytes: usize },
    Move { to: Address, from: Address, bytes: usize },
    Run(Vec<Kernel>),
    Record { event: usize, number: u64 },
    Wait { event: usize, number: u64 },
}

/// Marks are numbered; a wait is for the one that was the latest when it was asked for.
#[derive(Default)]
pub(crate) struct Event {
    pub(crate) recorded: u64,
    pub(crate) stream: usize,
    pub(crate) passed: u64,
    pub(crate) time: u64,
}

static MACHINE: Mutex<Option<Machine>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Machine>> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn with<T>(f: impl FnOnce(&mut Machine) -> T) -> T {
    f(lock().get_or_insert_with(Machine::default))
}

impl Machine {
    /// The buffer that holds an address, and the offset in it.
    pub(crate) fn find(&self, at: Address) -> (BufferId, usize) {
        let (base, (buffer, bytes)) = self.memory.range(..=at).next_back().expect("an allocated address");
        let offset = (at - base) as usize;
        assert!(offset <= *bytes, "address {at:#x} is beyond its allocation");
        (*buffer, offset)
    }

    pub(crate) fn run(&mut self, kernel: &Kernel) -> Code {
        let (module, name, _) = self.functions[kernel.function].clone();
        let launch = Launch::new(module, &name)
            .grid(kernel.grid)
            .block(kernel.block)
            .shared(kernel.shared)
            .arg(Arg::Bytes(kernel.parameters.clone()));
        match launch.run(&mut self.gpu) {
            Ok(_) => SUCCESS,
            Err(fault) => {
                self.fault = CString::new(format!("{name}: {fault}")).expect("no zero bytes in a message");
                ERROR_LAUNCH
            }
        }
    }

    pub(crate) fn stream(&mut self, handle: Handle) -> &mut Stream {
        let index = handle.addr();
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, Stream::default);
        }
        &mut self.streams[index]
    }

    pub(crate) fn put(&mut self, stream: Handle, work: Work) -> Code {
        let stream = self.stream(stream);
        if stream.failed == SUCCESS {
            stream.work.push_back(work);
        }
        stream.failed
    }

    /// Runs what is in a stream, up to a mark where one is given.
    pub(crate) fn drain(&mut self, index: usize, until: Option<(usize, u64)>) -> Code {
        loop {
            if until.is_some_and(|(event, number)| self.events[event].passed >= number) {
                return SUCCESS;
            }
            let Some(work) = self.streams[index].work.pop_front() else { return self.streams[index].failed };
            self.clock += 1;
            // SAFETY: host memory of a copy is alive until the stream has been waited for: the callers' contract.
            let code = unsafe { self.step(work) };
            if code != SUCCESS && self.streams[index].failed == SUCCESS {
                self.streams[index].failed = code;
            }
        }
    }

    pub(crate) unsafe fn step(&mut self, work: Work) -> Code {
        match work {
            Work::Upload { to, from, bytes } => {
                let (buffer, offset) = self.find(to);
                // SAFETY: the caller's contract.
                let data = unsafe {
                    std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(from), bytes)
                };
                self.gpu.write(buffer, offset, data);
                SUCCESS
            }
            Work::Download { to, from, bytes } => {
                let (buffer, offset) = self.find(from);
                let part = self.gpu.read_part(buffer, offset..offset + bytes);
                // SAFETY: the caller's contract.
                let into = unsafe {
                    std::slice::from_raw_parts_mut(std::ptr::with_exposed_provenance_mut::<u8>(to), bytes)
                };
                into.copy_from_slice(&part);
                SUCCESS
            }
            Work::Move { to, from, bytes } => {
                let (buffer, offset) = self.find(from);
                let data = self.gpu.read_part(buffer, offset..offset + bytes);
                let (buffer, offset) = self.find(to);
                self.gpu.write(buffer, offset, &data);
                SUCCESS
            }
            Work::Run(kernels) => {
                kernels.iter().map(|kernel| self.run(kernel)).find(|code| *code != SUCCESS).unwrap_or(SUCCESS)
            }
            Work::Record { event, number } => {
                let clock = self.clock;
                let event = &mut self.events[event];
                (event.passed, event.time) = (event.passed.max(number), clock);
                SUCCESS
            }
            Work::Wait { event, number } => {
                let stream = self.events[event].stream;
                self.drain(stream, Some((event, number)))
            }
        }
    }

    /// Whether anything that was put into one of this test's streams has not run.
    pub(crate) fn is_busy(&self) -> bool {
        let own = Some(std::thread::current().id());
        self.streams.iter().any(|stream| stream.owner == own && !stream.work.is_empty())
    }
}
