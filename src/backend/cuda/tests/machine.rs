//! A driver whose one GPU is the PTX interpreter.
//!
//! It refuses machine code, as a driver does with machine code of another GPU, so the loader goes on to PTX. Device
//! memory starts poisoned; a fault of the interpreter (a race, a read of unwritten or foreign memory) fails the
//! launch, and its text becomes the driver's description of the error.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use maskrank_ptx::{Arg, BufferId, Gpu, Launch, Module};

use crate::backend::cuda::artifacts;
use crate::backend::cuda::driver::library::{
    Address, Code, Context, DeviceId, Driver, Function, GraphExec, GraphHandle, KernelNode, ModuleHandle,
    Node, StreamHandle,
};

const SUCCESS: Code = 0;
const ERROR_NO_BINARY: Code = 209;
const ERROR_NOT_FOUND: Code = 500;
const ERROR_LAUNCH: Code = 719;

/// Compute capability that the GPU has: one whose machine code is tried and refused, and all of whose PTX is loadable.
pub(in crate::backend::cuda) const CAPABILITY: u32 = 100;
const CUDA: c_int = 13_000;

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

/// What was allocated at an address.
#[derive(Clone, Copy)]
struct Allocation {
    buffer: BufferId,
    bytes: usize,
    /// Bytes that synchronous copies have brought.
    uploaded: usize,
}

#[derive(Default)]
struct Machine {
    gpu: Gpu,
    memory: BTreeMap<Address, Allocation>,
    functions: Vec<(&'static Module, String, usize)>,
    modules: HashMap<String, &'static Module>,
    names: HashMap<(usize, String), usize>,
    graphs: Vec<Vec<Kernel>>,
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

static MACHINE: Mutex<Option<Machine>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Machine>> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(f: impl FnOnce(&mut Machine) -> T) -> T {
    f(lock().get_or_insert_with(Machine::default))
}

impl Machine {
    /// The allocation that holds an address, and the offset in it.
    fn find(&mut self, at: Address) -> (&mut Allocation, usize) {
        let (base, found) = self.memory.range_mut(..=at).next_back().expect("an allocated address");
        let offset = (at - base) as usize;
        assert!(offset <= found.bytes, "address {at:#x} is beyond its allocation");
        (found, offset)
    }

    fn write(&mut self, to: Address, data: &[u8]) -> BufferId {
        let (allocation, offset) = self.find(to);
        assert!(offset + data.len() <= allocation.bytes, "a copy to {to:#x} is beyond its allocation");
        let buffer = allocation.buffer;
        self.gpu.write(buffer, offset, data);
        buffer
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
}

/// Copies a launch; its parameter struct is as long as the manifest says.
///
/// # Safety
/// `kernel` points to a launch whose one parameter is as long as its kernel's struct.
unsafe fn kernel(machine: &Machine, kernel: *const KernelNode) -> Kernel {
    // SAFETY: the caller's contract.
    let node = unsafe { *kernel };
    let function = node.function.0.addr() - 1;
    let (_, _, bytes) = &machine.functions[function];
    // SAFETY: `parameters` points to one pointer, to a struct of `bytes` bytes: the caller's contract.
    let parameters = unsafe { std::slice::from_raw_parts((*node.parameters).cast::<u8>(), *bytes) }.to_vec();
    Kernel { function, grid: node.grid, block: node.block, shared: node.shared_bytes as usize, parameters }
}

// The bodies of unsafe functions: those that use no pointer need no unsafe operation.
macro_rules! functions {
    ($($name:ident($($argument:ident: $kind:ty),*) $body:block)*) => {
        $(unsafe extern "C" fn $name($($argument: $kind),*) -> Code {
            #[allow(unused_unsafe, reason = "some functions take no pointers")]
            // SAFETY: called by the driver wrappers only, with pointers that are valid for the API's function.
            unsafe {
                $body
            }
        })*

        /// The interpreter as a driver.
        pub(in crate::backend::cuda) fn driver() -> Driver {
            Driver { $($name,)* _library: None }
        }
    };
}

functions! {
    init(_flags: c_uint) { SUCCESS }
    driver_version(version: *mut c_int) { version.write(CUDA); SUCCESS }
    error_string(code: Code, text: *mut *const c_char) {
        let known = if code == ERROR_LAUNCH { with(|machine| machine.fault.clone()) } else { c"refused".into() };
        text.write(known.into_raw());
        SUCCESS
    }
    device_count(count: *mut c_int) { count.write(1); SUCCESS }
    device_get(device: *mut DeviceId, ordinal: c_int) { device.write(ordinal); SUCCESS }
    device_name(name: *mut c_char, length: c_int, _device: DeviceId) {
        let text = c"PTX interpreter".to_bytes_with_nul();
        assert!(text.len() <= length as usize);
        name.copy_from(text.as_ptr().cast(), text.len());
        SUCCESS
    }
    device_attribute(value: *mut c_int, attribute: c_int, _device: DeviceId) {
        value.write(match attribute {
            16 => MULTIPROCESSORS.get(),
            75 => (CAPABILITY / 10) as c_int,
            76 => (CAPABILITY % 10) as c_int,
            97 => 227 << 10,
            other => panic!("attribute {other}"),
        });
        SUCCESS
    }
    device_memory(bytes: *mut usize, _device: DeviceId) { bytes.write(8 << 30); SUCCESS }
    context_retain(context: *mut Context, _device: DeviceId) {
        context.write(Context(std::ptr::without_provenance_mut(1)));
        SUCCESS
    }
    context_release(_device: DeviceId) { SUCCESS }
    context_push(_context: Context) { SUCCESS }
    context_pop(_context: *mut Context) { SUCCESS }
    memory_info(free: *mut usize, total: *mut usize) { free.write(8 << 30); total.write(8 << 30); SUCCESS }
    memory_alloc(address: *mut Address, bytes: usize) {
        with(|machine| {
            let buffer = machine.gpu.output::<u8>("device memory", bytes);
            let at = machine.gpu.address::<u8>(buffer, 0);
            machine.memory.insert(at, Allocation { buffer, bytes, uploaded: 0 });
            address.write(at);
        });
        SUCCESS
    }
    memory_free(address: Address) {
        with(|machine| {
            let freed = machine.memory.remove(&address).expect("an allocated address");
            machine.gpu.free(freed.buffer);
        });
        SUCCESS
    }
    pinned_alloc(pointer: *mut *mut c_void, bytes: usize, _flags: c_uint) {
        let words = vec![0u64; bytes.div_ceil(8)].into_boxed_slice();
        pointer.write(Box::leak(words).as_mut_ptr().cast());
        SUCCESS
    }
    pinned_free(_pointer: *mut c_void) { SUCCESS }
    upload(to: Address, from: *const c_void, bytes: usize) {
        let data = std::slice::from_raw_parts(from.cast::<u8>(), bytes);
        with(|machine| {
            let buffer = machine.write(to, data);
            let (allocation, _) = machine.find(to);
            allocation.uploaded += bytes;
            // What the host has filled from end to end are the weights: kernels only read them.
            if allocation.uploaded == allocation.bytes {
                machine.gpu.seal(buffer);
            }
        });
        SUCCESS
    }
    upload_async(to: Address, from: *const c_void, bytes: usize, _stream: StreamHandle) {
        let data = std::slice::from_raw_parts(from.cast::<u8>(), bytes);
        with(|machine| machine.write(to, data));
        SUCCESS
    }
    download_async(to: *mut c_void, from: Address, bytes: usize, _stream: StreamHandle) {
        with(|machine| {
            let (allocation, offset) = machine.find(from);
            let (buffer, range) = (allocation.buffer, offset..offset + bytes);
            if let Some(at) = machine.gpu.first_unwritten::<u8>(buffer, range.clone()) {
                machine.fault = CString::new(format!("copy to the host: byte {at} was never written"))
                    .expect("no zero bytes in a message");
                return ERROR_LAUNCH;
            }
            to.cast::<u8>().copy_from(machine.gpu.read_part(buffer, range).as_ptr(), bytes);
            SUCCESS
        })
    }
    memset(at: Address, value: u8, bytes: usize) {
        with(|machine| machine.write(at, &vec![value; bytes]));
        SUCCESS
    }
    stream_create(stream: *mut StreamHandle, _flags: c_uint) { stream.write(StreamHandle::NULL); SUCCESS }
    stream_destroy(_stream: StreamHandle) { SUCCESS }
    stream_wait(_stream: StreamHandle) { SUCCESS }
    module_load(module: *mut ModuleHandle, image: *const c_void) {
        if std::slice::from_raw_parts(image.cast::<u8>(), 4) == b"\x7fELF" {
            return ERROR_NO_BINARY;
        }
        let text = CStr::from_ptr(image.cast()).to_str().expect("PTX is text");
        // Parsed once for all scorers that are built.
        let parsed = with(|machine| {
            *machine.modules.entry(text.to_owned()).or_insert_with(|| {
                Box::leak(Box::new(Module::parse(text).expect("PTX that parses")))
            })
        });
        module.write(ModuleHandle(std::ptr::from_ref(parsed).cast_mut().cast()));
        SUCCESS
    }
    module_unload(_module: ModuleHandle) { SUCCESS }
    module_function(function: *mut Function, module: ModuleHandle, name: *const c_char) {
        let name = CStr::from_ptr(name).to_str().expect("a symbol is text");
        let parsed: &'static Module = &*module.0.cast::<Module>();
        if !parsed.entries().any(|entry| entry == name) {
            return ERROR_NOT_FOUND;
        }
        let manifest = artifacts::manifest().expect("the manifest parses");
        let (_, entry) = manifest.targets[0].entry(name).expect("an entry of the manifest");
        with(|machine| {
            let next = machine.functions.len();
            let index = *machine.names.entry((module.0.addr(), name.to_owned())).or_insert(next);
            if index == next {
                machine.functions.push((parsed, name.to_owned(), entry.param_bytes));
            }
            function.write(Function(std::ptr::without_provenance_mut(index + 1)));
        });
        SUCCESS
    }
    function_set(_function: Function, _attribute: c_int, _value: c_int) { SUCCESS }
    graph_create(graph: *mut GraphHandle, _flags: c_uint) {
        with(|machine| {
            machine.graphs.push(Vec::new());
            graph.write(GraphHandle(std::ptr::without_provenance_mut(machine.graphs.len())));
        });
        SUCCESS
    }
    graph_destroy(graph: GraphHandle) { with(|machine| machine.graphs[graph.0.addr() - 1].clear()); SUCCESS }
    graph_kernel(
        node: *mut Node, graph: GraphHandle, after: *const Node, number: usize, launch: *const KernelNode
    ) {
        with(|machine| {
            let index = machine.graphs[graph.0.addr() - 1].len();
            assert_eq!(number, usize::from(index > 0), "a chain");
            assert!(index == 0 || (*after).0.addr() == index, "a launch follows the one before it");
            let launch = kernel(machine, launch);
            machine.graphs[graph.0.addr() - 1].push(launch);
            node.write(Node(std::ptr::without_provenance_mut(index + 1)));
        });
        SUCCESS
    }
    graph_instantiate(exec: *mut GraphExec, graph: GraphHandle, _flags: u64) {
        exec.write(GraphExec(graph.0));
        SUCCESS
    }
    graph_update(exec: GraphExec, node: Node, launch: *const KernelNode) {
        with(|machine| {
            let launch = kernel(machine, launch);
            machine.graphs[exec.0.addr() - 1][node.0.addr() - 1] = launch;
        });
        SUCCESS
    }
    graph_launch(exec: GraphExec, _stream: StreamHandle) {
        with(|machine| {
            let launches = machine.graphs[exec.0.addr() - 1].clone();
            launches.iter().map(|launch| machine.run(launch)).find(|code| *code != SUCCESS).unwrap_or(SUCCESS)
        })
    }
    graph_exec_destroy(_exec: GraphExec) { SUCCESS }
}
