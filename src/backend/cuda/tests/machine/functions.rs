//! The driver's functions, on the machine.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use maskrank_ptx::Module;

use super::super::faults;
use super::{
    CAPABILITY, ERROR_LAUNCH, Event, FOREIGN, Kernel, MULTIPROCESSORS, Machine, SUCCESS, Work, with,
};
use crate::backend::cuda::artifacts;
use crate::backend::cuda::driver::library::{
    Address, Code, Context, DeviceId, Driver, EventHandle, Function, GraphExec, GraphHandle, KernelNode,
    ModuleHandle, Node, StreamHandle,
};

const ERROR_NO_BINARY: Code = 209;
const ERROR_NOT_FOUND: Code = 500;
const ERROR_NOT_READY: Code = 600;
const CUDA: c_int = 13_000;

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
            if let Some(code) = faults::intercept(stringify!($name)) {
                return code;
            }
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
        faults::born("context_release");
        SUCCESS
    }
    context_release(_device: DeviceId) { faults::died("context_release"); SUCCESS }
    context_push(_context: Context) { faults::born("context_pop"); SUCCESS }
    context_pop(_context: *mut Context) { faults::died("context_pop"); SUCCESS }
    memory_info(free: *mut usize, total: *mut usize) { free.write(8 << 30); total.write(8 << 30); SUCCESS }
    memory_alloc(address: *mut Address, bytes: usize) {
        with(|machine| {
            let buffer = machine.gpu.output::<u8>("device memory", bytes);
            let at = machine.gpu.address::<u8>(buffer, 0);
            machine.memory.insert(at, (buffer, bytes));
            address.write(at);
        });
        faults::born("memory_free");
        SUCCESS
    }
    memory_free(address: Address) {
        faults::died("memory_free");
        with(|machine| {
            faults::expect(!machine.is_busy(), "device memory is freed while work is in flight");
            if let Some((buffer, _)) = machine.memory.remove(&address) {
                machine.gpu.free(buffer);
            }
        });
        SUCCESS
    }
    pinned_alloc(pointer: *mut *mut c_void, bytes: usize, _flags: c_uint) {
        let words = vec![u64::MAX; bytes.div_ceil(8)].into_boxed_slice();
        let length = words.len();
        let start = Box::leak(words).as_mut_ptr();
        with(|machine| machine.pinned.insert(start.expose_provenance(), length));
        pointer.write(start.cast());
        faults::born("pinned_free");
        SUCCESS
    }
    pinned_free(pointer: *mut c_void) {
        faults::died("pinned_free");
        let length = with(|machine| {
            faults::expect(!machine.is_busy(), "pinned memory is freed while work is in flight");
            machine.pinned.remove(&pointer.addr()).expect("allocated")
        });
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(pointer.cast::<u64>(), length)));
        SUCCESS
    }
    upload(to: Address, from: *const c_void, bytes: usize) {
        let from = from.expose_provenance();
        with(|machine| {
            let code = machine.step(Work::Upload { to, from, bytes });
            // What one copy has filled from end to end are weights, or a caller's features: kernels only read them.
            if machine.memory.get(&to).is_some_and(|(_, all)| *all == bytes) {
                let (buffer, _) = machine.find(to);
                machine.gpu.seal(buffer);
            }
            code
        })
    }
    upload_async(to: Address, from: *const c_void, bytes: usize, stream: StreamHandle) {
        let from = from.expose_provenance();
        with(|machine| machine.put(stream, Work::Upload { to, from, bytes }))
    }
    download_async(to: *mut c_void, from: Address, bytes: usize, stream: StreamHandle) {
        let to = to.expose_provenance();
        with(|machine| machine.put(stream, Work::Download { to, from, bytes }))
    }
    move_async(to: Address, from: Address, bytes: usize, stream: StreamHandle) {
        with(|machine| machine.put(stream, Work::Move { to, from, bytes }))
    }
    memset(at: Address, value: u8, bytes: usize) {
        with(|machine| {
            let (buffer, offset) = machine.find(at);
            machine.gpu.write(buffer, offset, &vec![value; bytes]);
        });
        SUCCESS
    }
    stream_create(stream: *mut StreamHandle, _flags: c_uint) {
        with(|machine| {
            let next = StreamHandle(std::ptr::without_provenance_mut(machine.streams.len().max(1)));
            machine.stream(next).owner = Some(std::thread::current().id());
            stream.write(next);
        });
        faults::born("stream_destroy");
        SUCCESS
    }
    stream_destroy(stream: StreamHandle) {
        faults::died("stream_destroy");
        with(|machine| machine.drain(stream.0.addr(), None));
        SUCCESS
    }
    stream_wait(stream: StreamHandle) {
        with(|machine| {
            machine.stream(stream);
            machine.drain(stream.0.addr(), None)
        })
    }
    stream_wait_event(stream: StreamHandle, event: EventHandle, _flags: c_uint) {
        with(|machine| {
            let event = event.0.addr() - 1;
            let number = machine.events[event].recorded;
            machine.put(stream, Work::Wait { event, number })
        })
    }
    event_create(event: *mut EventHandle, _flags: c_uint) {
        with(|machine| {
            machine.events.push(Event::default());
            event.write(EventHandle(std::ptr::without_provenance_mut(machine.events.len())));
        });
        faults::born("event_destroy");
        SUCCESS
    }
    event_destroy(_event: EventHandle) { faults::died("event_destroy"); SUCCESS }
    event_record(event: EventHandle, stream: StreamHandle) {
        with(|machine| {
            machine.stream(stream);
            let event = event.0.addr() - 1;
            let mark = &mut machine.events[event];
            (mark.recorded, mark.stream) = (mark.recorded + 1, stream.0.addr());
            let number = mark.recorded;
            machine.put(stream, Work::Record { event, number })
        })
    }
    event_wait(event: EventHandle) {
        with(|machine| {
            let event = event.0.addr() - 1;
            let Event { recorded, stream, .. } = machine.events[event];
            if recorded == 0 { SUCCESS } else { machine.drain(stream, Some((event, recorded))) }
        })
    }
    event_elapsed(milliseconds: *mut f32, from: EventHandle, to: EventHandle) {
        with(|machine| {
            let [from, to] = [from, to].map(|event| &machine.events[event.0.addr() - 1]);
            if from.passed < from.recorded || to.passed < to.recorded || to.recorded == 0 {
                return ERROR_NOT_READY;
            }
            // A millisecond an operation.
            milliseconds.write(to.time.saturating_sub(from.time) as f32);
            SUCCESS
        })
    }
    pointer_attributes(number: c_uint, attributes: *mut c_int, values: *mut *mut c_void, address: Address) {
        let (kind, ordinal) = with(|machine| {
            let device = machine.memory.range(..=address).next_back();
            let pinned = machine.pinned.range(..=address as usize).next_back();
            match (device, pinned) {
                _ if address >= FOREIGN => (2, 1),
                (Some((base, (_, bytes))), _) if address < base + *bytes as u64 => (2, 0),
                (_, Some((base, words))) if (address as usize) < base + 8 * words => (1, 0),
                _ => (0, -2),
            }
        });
        assert_eq!((number, *attributes, *attributes.add(1)), (2, 2, 9), "memory type and device");
        (*values).cast::<u32>().write(kind);
        (*values.add(1)).cast::<i32>().write(ordinal);
        SUCCESS
    }
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
        faults::born("module_unload");
        SUCCESS
    }
    module_unload(_module: ModuleHandle) {
        faults::died("module_unload");
        with(|machine| faults::expect(!machine.is_busy(), "kernels are unloaded while work is in flight"));
        SUCCESS
    }
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
        faults::born("graph_destroy");
        SUCCESS
    }
    graph_destroy(graph: GraphHandle) {
        faults::died("graph_destroy");
        with(|machine| machine.graphs[graph.0.addr() - 1].clear());
        SUCCESS
    }
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
        faults::born("graph_exec_destroy");
        SUCCESS
    }
    graph_update(exec: GraphExec, node: Node, launch: *const KernelNode) {
        with(|machine| {
            let launch = kernel(machine, launch);
            machine.graphs[exec.0.addr() - 1][node.0.addr() - 1] = launch;
        });
        SUCCESS
    }
    graph_launch(exec: GraphExec, stream: StreamHandle) {
        with(|machine| {
            // What was updated until now; later updates are for later runs.
            let launches = machine.graphs[exec.0.addr() - 1].clone();
            machine.put(stream, Work::Run(launches))
        })
    }
    graph_exec_destroy(_exec: GraphExec) { faults::died("graph_exec_destroy"); SUCCESS }
}
