//! The driver's library: every function that we use is looked up before the first of them is called.
//!
//! Nothing is linked and nothing is resolved later, so a missing library, a stub, or a driver that is too old is a
//! typed reason and never a panic, whatever the panic strategy of the program is.
#![cfg_attr(test, allow(dead_code, reason = "unit tests bring a driver of their own and open no library"))]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use libloading::Library;

/// `CUresult`.
pub(crate) type Code = c_int;
/// `CUdevice`.
pub(crate) type DeviceId = c_int;
/// `CUdeviceptr`.
pub(crate) type Address = u64;

macro_rules! handles {
    ($($(#[$note:meta])* $name:ident),* $(,)?) => {
        $($(#[$note])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) *mut c_void);

        impl $name {
            /// No object.
            pub(crate) const NULL: Self = Self(std::ptr::null_mut());
        }

        // SAFETY: a handle is an opaque number to us; the driver's objects behind them may be used from any thread, and
        // their owners here use each from one thread at a time.
        unsafe impl Send for $name {}
        // SAFETY: as above; a shared handle can only be copied.
        unsafe impl Sync for $name {})*
    };
}
handles!(
    /// `CUcontext`.
    Context,
    /// `CUmodule`.
    ModuleHandle,
    /// `CUfunction`.
    Function,
    /// `CUstream`.
    StreamHandle,
    /// `CUgraph`.
    GraphHandle,
    /// `CUgraphNode`.
    Node,
    /// `CUgraphExec`.
    GraphExec,
    /// `CUevent`.
    EventHandle,
);

/// `CUDA_KERNEL_NODE_PARAMS`, version 1.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelNode {
    pub(crate) function: Function,
    pub(crate) grid: [c_uint; 3],
    pub(crate) block: [c_uint; 3],
    pub(crate) shared_bytes: c_uint,
    pub(crate) parameters: *mut *mut c_void,
    pub(crate) extra: *mut *mut c_void,
}

/// Why there is no driver to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// No library by any of its names.
    Missing { looked_for: String, problem: String },
    /// A library that lacks a function: a stub, or older than we can use.
    Incomplete { library: String, symbol: &'static str },
}

macro_rules! driver {
    ($($method:ident = $symbol:literal ($($argument:ident: $kind:ty),*);)*) => {
        /// The driver's functions.
        pub(crate) struct Driver {
            $(pub(in crate::backend::cuda) $method: unsafe extern "C" fn($($kind),*) -> Code,)*
            /// Keeps the functions mapped; none where they are part of the program.
            pub(in crate::backend::cuda) _library: Option<Library>,
        }

        impl Driver {
            /// Names of all functions here, as the wrappers call them.
            #[cfg(test)]
            pub(in crate::backend::cuda) const NAMES: &[&str] = &[$(stringify!($method)),*];

            /// Looks every function up; `name` is the library's, for the reason when one is missing.
            ///
            /// # Safety
            /// `find` gives the driver API's function of a symbol, or nothing, and the functions stay where they are
            /// until the result is dropped.
            pub(in crate::backend::cuda) unsafe fn resolve(
                name: &str, find: impl Fn(&str) -> Option<*const c_void>,
            ) -> Result<Self, Absent> {
                $(
                    let Some($method) = find($symbol).filter(|address| !address.is_null()) else {
                        return Err(Absent::Incomplete { library: name.into(), symbol: $symbol });
                    };
                )*
                $(
                    // SAFETY: not null, and the driver API's function of this name by the caller's contract; its type
                    // does not change within a versioned name.
                    let $method = unsafe {
                        std::mem::transmute::<*const c_void, unsafe extern "C" fn($($kind),*) -> Code>($method)
                    };
                )*
                Ok(Self { $($method,)* _library: None })
            }

            $(
                /// The driver function of the same name.
                ///
                /// # Safety
                /// As the driver API documents it.
                #[allow(clippy::too_many_arguments, reason = "the driver's own signatures")]
                pub(crate) unsafe fn $method(&self, $($argument: $kind),*) -> Code {
                    // SAFETY: resolved under its name and type; the caller upholds the function's own contract.
                    unsafe { (self.$method)($($argument),*) }
                }
            )*
        }

    };
}

driver! {
    init = "cuInit"(flags: c_uint);
    driver_version = "cuDriverGetVersion"(version: *mut c_int);
    error_string = "cuGetErrorString"(code: Code, text: *mut *const c_char);
    device_count = "cuDeviceGetCount"(count: *mut c_int);
    device_get = "cuDeviceGet"(device: *mut DeviceId, ordinal: c_int);
    device_name = "cuDeviceGetName"(name: *mut c_char, length: c_int, device: DeviceId);
    device_attribute = "cuDeviceGetAttribute"(value: *mut c_int, attribute: c_int, device: DeviceId);
    device_memory = "cuDeviceTotalMem_v2"(bytes: *mut usize, device: DeviceId);
    context_retain = "cuDevicePrimaryCtxRetain"(context: *mut Context, device: DeviceId);
    context_release = "cuDevicePrimaryCtxRelease_v2"(device: DeviceId);
    context_push = "cuCtxPushCurrent_v2"(context: Context);
    context_pop = "cuCtxPopCurrent_v2"(context: *mut Context);
    memory_info = "cuMemGetInfo_v2"(free: *mut usize, total: *mut usize);
    memory_alloc = "cuMemAlloc_v2"(address: *mut Address, bytes: usize);
    memory_free = "cuMemFree_v2"(address: Address);
    pinned_alloc = "cuMemHostAlloc"(pointer: *mut *mut c_void, bytes: usize, flags: c_uint);
    pinned_free = "cuMemFreeHost"(pointer: *mut c_void);
    upload = "cuMemcpyHtoD_v2"(to: Address, from: *const c_void, bytes: usize);
    upload_async = "cuMemcpyHtoDAsync_v2"(to: Address, from: *const c_void, bytes: usize, stream: StreamHandle);
    download_async = "cuMemcpyDtoHAsync_v2"(to: *mut c_void, from: Address, bytes: usize, stream: StreamHandle);
    move_async = "cuMemcpyDtoDAsync_v2"(to: Address, from: Address, bytes: usize, stream: StreamHandle);
    memset = "cuMemsetD8_v2"(at: Address, value: u8, bytes: usize);
    stream_create = "cuStreamCreate"(stream: *mut StreamHandle, flags: c_uint);
    stream_destroy = "cuStreamDestroy_v2"(stream: StreamHandle);
    stream_wait = "cuStreamSynchronize"(stream: StreamHandle);
    stream_wait_event = "cuStreamWaitEvent"(stream: StreamHandle, event: EventHandle, flags: c_uint);
    event_create = "cuEventCreate"(event: *mut EventHandle, flags: c_uint);
    event_destroy = "cuEventDestroy_v2"(event: EventHandle);
    event_record = "cuEventRecord"(event: EventHandle, stream: StreamHandle);
    event_wait = "cuEventSynchronize"(event: EventHandle);
    event_elapsed = "cuEventElapsedTime"(milliseconds: *mut f32, from: EventHandle, to: EventHandle);
    pointer_attributes = "cuPointerGetAttributes"(
        number: c_uint, attributes: *mut c_int, values: *mut *mut c_void, address: Address
    );
    module_load = "cuModuleLoadData"(module: *mut ModuleHandle, image: *const c_void);
    module_unload = "cuModuleUnload"(module: ModuleHandle);
    module_function = "cuModuleGetFunction"(function: *mut Function, module: ModuleHandle, name: *const c_char);
    function_set = "cuFuncSetAttribute"(function: Function, attribute: c_int, value: c_int);
    graph_create = "cuGraphCreate"(graph: *mut GraphHandle, flags: c_uint);
    graph_destroy = "cuGraphDestroy"(graph: GraphHandle);
    graph_kernel = "cuGraphAddKernelNode"(
        node: *mut Node, graph: GraphHandle, after: *const Node, number: usize, kernel: *const KernelNode
    );
    graph_instantiate = "cuGraphInstantiateWithFlags"(exec: *mut GraphExec, graph: GraphHandle, flags: u64);
    graph_update = "cuGraphExecKernelNodeSetParams"(exec: GraphExec, node: Node, kernel: *const KernelNode);
    graph_launch = "cuGraphLaunch"(exec: GraphExec, stream: StreamHandle);
    graph_exec_destroy = "cuGraphExecDestroy"(exec: GraphExec);
}

/// Names under which the driver installs its library.
const NAMES: &[&str] = if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so.1", "libcuda.so"] };

impl Driver {
    /// Loads the installed driver's library and looks every function up.
    pub(crate) fn open() -> Result<Self, Absent> {
        let mut problem = String::new();
        for name in NAMES {
            // SAFETY: the library's initialisers are the NVIDIA driver's own, made to be loaded by any program.
            match unsafe { Library::new(*name) } {
                Ok(library) => {
                    let find = |symbol: &str| {
                        // SAFETY: the symbol's address is all that is asked for; nothing is read or called here.
                        let found = unsafe { library.get::<*const c_void>(symbol) };
                        found.map(|address| *address).ok()
                    };
                    // SAFETY: the symbols are the driver API's, and the library stays as long as the functions.
                    let driver = unsafe { Self::resolve(name, find) }?;
                    return Ok(Self { _library: Some(library), ..driver });
                }
                Err(error) if problem.is_empty() => problem = error.to_string(),
                Err(_) => {}
            }
        }
        Err(Absent::Missing { looked_for: NAMES.join(", "), problem })
    }

    /// The driver's words for a result code.
    pub(crate) fn describe(&self, code: Code) -> String {
        let mut text = std::ptr::null();
        // SAFETY: `text` is writable; on success it points to a static string of the driver.
        let found = unsafe { self.error_string(code, &raw mut text) };
        if found != 0 || text.is_null() {
            return format!("error {code}");
        }
        // SAFETY: not null, and the driver's strings are terminated and live as long as the library.
        let text = unsafe { CStr::from_ptr(text) };
        format!("{} (error {code})", text.to_string_lossy())
    }
}
