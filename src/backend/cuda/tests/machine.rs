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

mod functions;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::{CString, c_int};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use maskrank_ptx::{Arg, BufferId, Gpu, Launch, Module};

use crate::backend::cuda::driver::library::{Address, Code, StreamHandle};
pub(in crate::backend::cuda) use functions::driver;

const SUCCESS: Code = 0;
pub(super) const ERROR_LAUNCH: Code = 719;

/// Compute capability that the GPU has: one whose machine code is tried and refused, and all of whose PTX is loadable.
pub(in crate::backend::cuda) const CAPABILITY: u32 = 100;
/// Addresses from here on are said to be memory of a second GPU.
pub(super) const FOREIGN: Address = 1 << 60;

thread_local! {
    static MULTIPROCESSORS: Cell<c_int> = const { Cell::new(4) };
}

/// Runs `f` with scorers of this thread built for a GPU of so many multiprocessors, which decide the tiles. Elsewhere it
/// is 4, so that small batches meet large tiles.
pub(in crate::backend::cuda) fn with_multiprocessors<T>(number: c_int, f: impl FnOnce() -> T) -> T {
    let before = MULTIPROCESSORS.replace(number);
    let result = f();
    MULTIPROCESSORS.set(before);
    result
}

#[derive(Default)]
struct Machine {
    gpu: Gpu,
    memory: BTreeMap<Address, (BufferId, usize)>,
    /// Address and words of pinned memory.
    pinned: BTreeMap<usize, usize>,
    functions: Vec<(&'static Module, String, usize)>,
    modules: HashMap<String, &'static Module>,
    names: HashMap<(usize, String), usize>,
    graphs: Vec<Vec<Kernel>>,
    /// The default stream is the first.
    streams: Vec<Stream>,
    events: Vec<Event>,
    /// Operations that ran.
    clock: u64,
    fault: CString,
}

#[derive(Clone)]
struct Kernel {
    function: usize,
    grid: [u32; 3],
    block: [u32; 3],
    shared: usize,
    parameters: Vec<u8>,
}

#[derive(Default)]
struct Stream {
    work: VecDeque<Work>,
    /// The first failure; it stays.
    failed: Code,
    /// Whose test made it; none for the default stream.
    owner: Option<ThreadId>,
}

enum Work {
    Upload { to: Address, from: usize, bytes: usize },
    Download { to: usize, from: Address, bytes: usize },
    Move { to: Address, from: Address, bytes: usize },
    Run(Vec<Kernel>),
    Record { event: usize, number: u64 },
    Wait { event: usize, number: u64 },
}

/// Marks are numbered; a wait is for the one that was the latest when it was asked for.
#[derive(Default)]
struct Event {
    recorded: u64,
    stream: usize,
    passed: u64,
    time: u64,
}

static MACHINE: Mutex<Option<Machine>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Machine>> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(f: impl FnOnce(&mut Machine) -> T) -> T {
    f(lock().get_or_insert_with(Machine::default))
}

impl Machine {
    /// The buffer that holds an address, and the offset in it.
    fn find(&self, at: Address) -> (BufferId, usize) {
        let (base, (buffer, bytes)) = self.memory.range(..=at).next_back().expect("an allocated address");
        let offset = (at - base) as usize;
        assert!(offset <= *bytes, "address {at:#x} is beyond its allocation");
        (*buffer, offset)
    }

    fn run(&mut self, kernel: &Kernel) -> Code {
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

    fn stream(&mut self, handle: StreamHandle) -> &mut Stream {
        let index = handle.0.addr();
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, Stream::default);
        }
        &mut self.streams[index]
    }

    fn put(&mut self, stream: StreamHandle, work: Work) -> Code {
        let stream = self.stream(stream);
        if stream.failed == SUCCESS {
            stream.work.push_back(work);
        }
        stream.failed
    }

    /// Runs what is in a stream, up to a mark where one is given.
    fn drain(&mut self, index: usize, until: Option<(usize, u64)>) -> Code {
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

    unsafe fn step(&mut self, work: Work) -> Code {
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
    fn is_busy(&self) -> bool {
        let own = Some(std::thread::current().id());
        self.streams.iter().any(|stream| stream.owner == own && !stream.work.is_empty())
    }
}
