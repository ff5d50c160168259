//! The driver's functions, on the machine.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use maskrank_ptx::Module;

use crate::machine::{
    CAPABILITY, ERROR_LAUNCH, Event, FOREIGN, Kernel, MULTIPROCESSORS, Machine, SUCCESS, Work, with,
};
use crate::{Address, Code, Handle, faults};

const ERROR_INVALID_VALUE: Code = 1;
const ERROR_INVALID_IMAGE: Code = 200;
const ERROR_NO_BINARY: Code = 209;
const ERROR_NOT_FOUND: Code = 500;
const ERROR_NOT_READY: Code = 600;
/// CUDA 13.0.
const CUDA: c_int = 13_000;
/// The two attributes of an address that are known here.
const MEMORY_TYPE: c_int = 2;
const DEVICE_ORDINAL: c_int = 9;

/// `CUDA_KERNEL_NODE_PARAMS`, version 1.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct KernelNode {
    function: Handle,
    grid: [c_uint; 3],
    block: [c_uint; 3],
    shared_bytes: c_uint,
    parameters: *mut *mut c_void,
    extra: *mut *mut c_void,
}

/// Copies a launch; its parameter struct is as long as its entry says.
///
/// # Safety
/// `kernel` points to a launch whose one parameter is as long as its kernel's struct.
unsafe fn kernel(machine: &Machine, kernel: *const KernelNode) -> Kernel {
    // SAFETY: the caller's contract.
    let node = unsafe { *kernel };
    let function = node.function.addr() - 1;
    let (_, _, bytes) = &machine.functions[function];
    // SAFETY: `parameters` points to one pointer, to a struct of `bytes` bytes: the caller's contract.
    let parameters = unsafe { std::slice::from_raw_parts((*node.parameters).cast::<u8>(), *bytes) }.to_vec();
    Kernel { function, grid: node.grid, block: node.block, shared: node.shared_bytes as usize, parameters }
}

// A function's first name is what faults are planned by, its second the driver's symbol. The bodies are those of unsafe
// functions: those that use no pointer need no unsafe operation.
macro_rules! functions {
    ($($name:ident = $symbol:ident($($argument:ident: $kind:ty),*) $body:block)*) => {
        $(
            // SAFETY: nothing else in a program that links this crate has the driver's names.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $symbol($($argument: $kind),*) -> Code {
                if let Some(code) = faults::intercept(stringify!($name)) {
                    return code;
                }
                #[allow(unused_unsafe, reason = "some functions take no pointers")]
                // SAFETY: the driver API's contract: pointers are valid for the function's use of them.
                unsafe {
                    $body
                }
            }
        )*

        /// The function behind a symbol of the driver's library, as looking it up there would find it.
        #[must_use]
        pub fn function(symbol: &str) -> Option<*const c_void> {
            match symbol {
                $(stringify!($symbol) => Some($symbol as *const c_void),)*
                _ => None,
            }
        }
    };
}

functions! {
    init = cuInit(_flags: c_uint) { SUCCESS }
    driver_version = cuDriverGetVersion(version: *mut c_int) { version.write(CUDA); SUCCESS }
    error_string = cuGetErrorString(code: Code, text: *mut *const c_char) {
        let known = if code == ERROR_LAUNCH { with(|machine| machine.fault.clone()) } else { c"refused".into() };
        text.write(known.into_raw());
        SUCCESS
    }
    device_count = cuDeviceGetCount(count: *mut c_int) { count.write(1); SUCCESS }
    device_get = cuDeviceGet(device: *mut c_int, ordinal: c_int) { device.write(ordinal); SUCCESS }
    device_name = cuDeviceGetName(name: *mut c_char, length: c_int, _device: c_int) {
        let text = c"PTX interpreter".to_bytes_with_nul();
        if usize::try_from(length).unwrap_or(0) < text.len() {
            return ERROR_INVALID_VALUE;
        }
        name.copy_from(text.as_ptr().cast(), text.len());
        SUCCESS
    }
    device_attribute = cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, _device: c_int) {
        value.write(match attribute {
            16 => MULTIPROCESSORS.get(),
            75 => (CAPABILITY / 10) as c_int,
            76 => (CAPABILITY % 10) as c_int,
            97 => 227 << 10,
            _ => return ERROR_INVALID_VALUE,
        });
        SUCCESS
    }
    device_memory = cuDeviceTotalMem_v2(bytes: *mut usize, _device: c_int) { bytes.write(8 << 30); SUCCESS }
    context_retain = cuDevicePrimaryCtxRetain(context: *mut Handle, _device: c_int) {
        context.write(std::ptr::without_provenance_mut(1));
        faults::born("context_release");
        SUCCESS
    }
    context_release = cuDevicePrimaryCtxRelease_v2(_device: c_int) { faults::died("context_release"); SUCCESS }
    context_push = cuCtxPushCurrent_v2(_context: Handle) { faults::born("context_pop"); SUCCESS }
    context_pop = cuCtxPopCurrent_v2(_context: *mut Handle) { faults::died("context_pop"); SUCCESS }
    context_set = cuCtxSetCurrent(_context: Handle) { SUCCESS }
    memory_info = cuMemGetInfo_v2(free: *mut usize, total: *mut usize) { free.write(8 << 30); total.write(8 << 30); SUCCESS }
    memory_alloc = cuMemAlloc_v2(address: *mut Address, bytes: usize) {
        with(|machine| {
            let buffer = machine.gpu.output::<u8>("device memory", bytes);
            let at = machine.gpu.address::<u8>(buffer, 0);
            machine.memory.insert(at, (buffer, bytes));
            address.write(at);
        });
        faults::born("memory_free");
        SUCCESS
    }
    memory_free = cuMemFree_v2(address: Address) {
        faults::died("memory_free");
        with(|machine| {
            faults::expect(!machine.is_busy(), "device memory is freed while work is in flight");
            if let Some((buffer, _)) = machine.memory.remove(&address) {
                machine.gpu.free(buffer);
            }
        });
        SUCCESS
    }
    pinned_alloc = cuMemHostAlloc(pointer: *mut *mut c_void, bytes: usize, _flags: c_uint) {
        let words = vec![u64::MAX; bytes.div_ceil(8)].into_boxed_slice();
        let length = words.len();
        let start = Box::leak(words).as_mut_ptr();
        with(|machine| machine.pinned.insert(start.expose_provenance(), length));
        pointer.write(start.cast());
        faults::born("pinned_free");
        SUCCESS
    }
    pinned_free = cuMemFreeHost(pointer: *mut c_void) {
        faults::died("pinned_free");
        let length = with(|machine| {
            faults::expect(!machine.is_busy(), "pinned memory is freed while work is in flight");
            machine.pinned.remove(&pointer.addr()).expect("allocated")
        });
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(pointer.cast::<u64>(), length)));
        SUCCESS
    }
    upload = cuMemcpyHtoD_v2(to: Address, from: *const c_void, bytes: usize) {
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
    upload_async = cuMemcpyHtoDAsync_v2(to: Address, from: *const c_void, bytes: usize, stream: Handle) {
        let from = from.expose_provenance();
        with(|machine| machine.put(stream, Work::Upload { to, from, bytes }))
    }
    download_async = cuMemcpyDtoHAsync_v2(to: *mut c_void, from: Address, bytes: usize, stream: Handle) {
        let to = to.expose_provenance();
        with(|machine| machine.put(stream, Work::Download { to, from, bytes }))
    }
    download = cuMemcpyDtoH_v2(to: *mut c_void, from: Address, bytes: usize) {
        let to = to.expose_provenance();
        with(|machine| {
            machine.stream(std::ptr::null_mut());
            let code = machine.drain(0, None);
            if code == SUCCESS { machine.step(Work::Download { to, from, bytes }) } else { code }
        })
    }
    move_async = cuMemcpyDtoDAsync_v2(to: Address, from: Address, bytes: usize, stream: Handle) {
        with(|machine| machine.put(stream, Work::Move { to, from, bytes }))
    }
    memset = cuMemsetD8_v2(at: Address, value: u8, bytes: usize) {
        with(|machine| {
            let (buffer, offset) = machine.find(at);
            machine.gpu.write(buffer, offset, &vec![value; bytes]);
        });
        SUCCESS
    }
    stream_create = cuStreamCreate(stream: *mut Handle, _flags: c_uint) {
        with(|machine| {
            let next = std::ptr::without_provenance_mut(machine.streams.len().max(1));
            machine.stream(next).owner = Some(std::thread::current().id());
            stream.write(next);
        });
        faults::born("stream_destroy");
        SUCCESS
    }
    stream_destroy = cuStreamDestroy_v2(stream: Handle) {
        faults::died("stream_destroy");
        with(|machine| machine.drain(stream.addr(), None));
        SUCCESS
    }
    stream_wait = cuStreamSynchronize(stream: Handle) {
        with(|machine| {
            machine.stream(stream);
            machine.drain(stream.addr(), None)
        })
    }
    stream_wait_event = cuStreamWaitEvent(stream: Handle, event: Handle, _flags: c_uint) {
        with(|machine| {
            let event = event.addr() - 1;
            let number = machine.events[event].recorded;
            machine.put(stream, Work::Wait { event, number })
        })
    }
    event_create = cuEventCreate(event: *mut Handle, _flags: c_uint) {
        with(|machine| {
            machine.events.push(Event::default());
            event.write(std::ptr::without_provenance_mut(machine.events.len()));
        });
        faults::born("event_destroy");
        SUCCESS
    }
    event_destroy = cuEventDestroy_v2(_event: Handle) { faults::died("event_destroy"); SUCCESS }
    event_record = cuEventRecord(event: Handle, stream: Handle) {
        with(|machine| {
            machine.stream(stream);
            let event = event.addr() - 1;
            let mark = &mut machine.events[event];
            (mark.recorded, mark.stream) = (mark.recorded + 1, stream.addr());
            let number = mark.recorded;
            machine.put(stream, Work::Record { event, number })
        })
    }
    event_wait = cuEventSynchronize(event: Handle) {
        with(|machine| {
            let event = event.addr() - 1;
            let Event { recorded, stream, .. } = machine.events[event];
            if recorded == 0 { SUCCESS } else { machine.drain(stream, Some((event, recorded))) }
        })
    }
    event_elapsed = cuEventElapsedTime(milliseconds: *mut f32, from: Handle, to: Handle) {
        with(|machine| {
            let [from, to] = [from, to].map(|event| &machine.events[event.addr() - 1]);
            if from.passed < from.recorded || to.passed < to.recorded || to.recorded == 0 {
                return ERROR_NOT_READY;
            }
            // A millisecond an operation.
            milliseconds.write(to.time.saturating_sub(from.time) as f32);
            SUCCESS
        })
    }
    pointer_attributes = cuPointerGetAttributes(number: c_uint, attributes: *mut c_int, values: *mut *mut c_void, address: Address) {
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
        if (number, *attributes, *attributes.add(1)) != (2, MEMORY_TYPE, DEVICE_ORDINAL) {
            return ERROR_INVALID_VALUE;
        }
        (*values).cast::<u32>().write(kind);
        (*values.add(1)).cast::<i32>().write(ordinal);
        SUCCESS
    }
    module_load = cuModuleLoadData(module: *mut Handle, image: *const c_void) {
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
        module.write(std::ptr::from_ref(parsed).cast_mut().cast());
        faults::born("module_unload");
        SUCCESS
    }
    module_unload = cuModuleUnload(_module: Handle) {
        faults::died("module_unload");
        with(|machine| faults::expect(!machine.is_busy(), "kernels are unloaded while work is in flight"));
        SUCCESS
    }
    module_function = cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char) {
        let name = CStr::from_ptr(name).to_str().expect("a symbol is text");
        let parsed: &'static Module = &*module.cast::<Module>();
        if !parsed.entries().any(|entry| entry == name) {
            return ERROR_NOT_FOUND;
        }
        let Ok(bytes) = parsed.param_bytes(name) else { return ERROR_INVALID_IMAGE };
        with(|machine| {
            let next = machine.functions.len();
            let index = *machine.names.entry((module.addr(), name.to_owned())).or_insert(next);
            if index == next {
                machine.functions.push((parsed, name.to_owned(), bytes));
            }
            function.write(std::ptr::without_provenance_mut(index + 1));
        });
        SUCCESS
    }
    function_set = cuFuncSetAttribute(_function: Handle, _attribute: c_int, _value: c_int) { SUCCESS }
    graph_create = cuGraphCreate(graph: *mut Handle, _flags: c_uint) {
        with(|machine| {
            machine.graphs.push(Vec::new());
            graph.write(std::ptr::without_provenance_mut(machine.graphs.len()));
        });
        faults::born("graph_destroy");
        SUCCESS
    }
    graph_destroy = cuGraphDestroy(graph: Handle) {
        faults::died("graph_destroy");
        with(|machine| machine.graphs[graph.addr() - 1].clear());
        SUCCESS
    }
    graph_kernel = cuGraphAddKernelNode(
        node: *mut Handle, graph: Handle, after: *const Handle, number: usize, launch: *const KernelNode
    ) {
        with(|machine| {
            let index = machine.graphs[graph.addr() - 1].len();
            assert_eq!(number, usize::from(index > 0), "a chain");
            assert!(index == 0 || (*after).addr() == index, "a launch follows the one before it");
            let launch = kernel(machine, launch);
            machine.graphs[graph.addr() - 1].push(launch);
            node.write(std::ptr::without_provenance_mut(index + 1));
        });
        SUCCESS
    }
    graph_instantiate = cuGraphInstantiateWithFlags(exec: *mut Handle, graph: Handle, _flags: u64) {
        exec.write(graph);
        faults::born("graph_exec_destroy");
        SUCCESS
    }
    graph_update = cuGraphExecKernelNodeSetParams(exec: Handle, node: Handle, launch: *const KernelNode) {
        with(|machine| {
            let launch = kernel(machine, launch);
            machine.graphs[exec.addr() - 1][node.addr() - 1] = launch;
        });
        SUCCESS
    }
    graph_launch = cuGraphLaunch(exec: Handle, stream: Handle) {
        with(|machine| {
            // What was updated until now; later updates are for later runs.
            let launches = machine.graphs[exec.addr() - 1].clone();
            machine.put(stream, Work::Run(launches))
        })
    }
    graph_exec_destroy = cuGraphExecDestroy(_exec: Handle) { faults::died("graph_exec_destroy"); SUCCESS }
}
