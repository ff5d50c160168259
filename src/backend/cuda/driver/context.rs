//! A GPU in use: its primary context, and the kernels loaded into it.

use std::ffi::CString;
use std::sync::Arc;

use crate::backend::cuda::artifacts::{Entry, Target};
use crate::{Backend, Error, Result};

use super::library::{Address, Code, Context, Driver, Function, ModuleHandle};
use super::probe::Found;

/// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`.
const MAX_DYNAMIC_SHARED: i32 = 8;

/// `CU_POINTER_ATTRIBUTE_MEMORY_TYPE` and `CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL`.
const POINTER_MEMORY_TYPE: i32 = 2;
const POINTER_DEVICE_ORDINAL: i32 = 9;
/// `CU_MEMORYTYPE_HOST` and `CU_MEMORYTYPE_DEVICE`.
const MEMORY_HOST: u32 = 1;
const MEMORY_DEVICE: u32 = 2;

/// A GPU in use. Whatever is made on it holds it.
pub(crate) struct Gpu {
    /// What the probe found.
    pub(crate) found: Found,
    context: Context,
}

/// While it lives, the GPU's context is this thread's current one; then the one from before is again.
pub(crate) struct Current<'a>(&'a Driver);

/// A kernel, loaded.
#[derive(Clone)]
pub(crate) struct Kernel {
    /// The driver's handle; the module it is in lives as long as `gpu`'s kernels' owner.
    pub(crate) function: Function,
    /// Threads of a block.
    pub(crate) threads: u32,
    /// Dynamic shared memory of a block.
    pub(crate) shared_bytes: u32,
    /// Bytes of its parameter struct.
    pub(crate) param_bytes: usize,
}

/// A loaded module.
pub(crate) struct LoadedModule {
    gpu: Arc<Gpu>,
    handle: ModuleHandle,
}

impl Gpu {
    /// Takes the GPU into use.
    pub(crate) fn open(found: Found) -> Result<Arc<Self>> {
        let mut context = Context::NULL;
        // SAFETY: the pointer is to a live handle; the id came from this driver.
        let code = unsafe { found.driver.context_retain(&raw mut context, found.id) };
        let gpu = Arc::new(Self { found, context });
        gpu.check("open the device", code).map(|()| gpu)
    }

    /// The driver's functions.
    pub(super) fn driver(&self) -> &Driver {
        &self.found.driver
    }

    /// A driver's result as ours.
    pub(super) fn check(&self, operation: impl std::fmt::Display, code: Code) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        let problem = self.driver().describe(code);
        Err(Error::Device { backend: Backend::Cuda, operation: operation.to_string(), problem })
    }

    /// Makes the GPU's context current for this thread.
    pub(crate) fn enter(&self) -> Result<Current<'_>> {
        // SAFETY: the context is retained until `self` is dropped.
        self.check("enter the context", unsafe { self.driver().context_push(self.context) })?;
        Ok(Current(self.driver()))
    }

    /// Free memory, bytes.
    pub(crate) fn free_memory(&self) -> Result<usize> {
        let _current = self.enter()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: both pointers are to live integers.
        self.check("read free memory", unsafe { self.driver().memory_info(&raw mut free, &raw mut total) })?;
        Ok(free)
    }

    /// Whether an address is memory of this GPU; in words what it is, where it is not.
    pub(crate) fn check_address(&self, address: Address) -> Result<Result<(), String>> {
        let (mut kind, mut ordinal) = (0u32, -1i32);
        let mut attributes = [POINTER_MEMORY_TYPE, POINTER_DEVICE_ORDINAL];
        let mut values = [(&raw mut kind).cast(), (&raw mut ordinal).cast()];
        // SAFETY: two attributes, and a live integer of each one's size to write to. Unknown addresses are no error.
        let code = unsafe {
            self.driver().pointer_attributes(2, attributes.as_mut_ptr(), values.as_mut_ptr(), address)
        };
        self.check("look up an address", code)?;
        Ok(match (kind, ordinal) {
            (MEMORY_DEVICE, ordinal) if ordinal == self.found.ordinal => Ok(()),
            (MEMORY_DEVICE, ordinal) => Err(format!("memory of device {ordinal}")),
            (MEMORY_HOST, _) => Err("host memory".to_owned()),
            _ => Err("no memory that the driver knows".to_owned()),
        })
    }

    /// Loads a unit of a target's kernels.
    pub(crate) fn load(self: &Arc<Self>, target: &Target, unit: &str) -> Result<LoadedModule> {
        let broken =
            |problem| Error::Device { backend: Backend::Cuda, operation: "load kernels".into(), problem };
        let module = target.module(unit).map_err(broken)?;
        let mut image = target.inflate(module).map_err(broken)?;
        image.push(0); // PTX is a string
        let _current = self.enter()?;
        let mut handle = ModuleHandle::NULL;
        // SAFETY: the image is a whole cubin, or terminated PTX, and is only read during the call.
        let code = unsafe { self.driver().module_load(&raw mut handle, image.as_ptr().cast()) };
        self.check(format_args!("load {unit} for {}", target.target), code)?;
        Ok(LoadedModule { gpu: Arc::clone(self), handle })
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if self.context != Context::NULL {
            // SAFETY: retained once in `open`, released once here.
            unsafe { self.driver().context_release(self.found.id) };
        }
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        let mut popped = Context::NULL;
        // SAFETY: the pointer is to a live handle; the context was pushed when this guard was made.
        unsafe { self.0.context_pop(&raw mut popped) };
    }
}

impl LoadedModule {
    /// A kernel of the module, allowed the shared memory that its launches take.
    pub(crate) fn kernel(&self, entry: &Entry, extra_shared_bytes: u32) -> Result<Kernel> {
        let gpu = &self.gpu;
        let _current = gpu.enter()?;
        let name = CString::new(entry.name.as_str()).unwrap_or_default();
        let mut function = Function::NULL;
        // SAFETY: the name is terminated, the module is loaded, the pointer is to a live handle.
        let code = unsafe { gpu.driver().module_function(&raw mut function, self.handle, name.as_ptr()) };
        gpu.check(format_args!("find kernel {}", entry.name), code)?;
        let shared_bytes = entry.dynamic_shared_bytes + extra_shared_bytes;
        // SAFETY: the function is the one just found; the attribute takes an integer.
        let code = unsafe { gpu.driver().function_set(function, MAX_DYNAMIC_SHARED, shared_bytes as i32) };
        gpu.check(format_args!("give {} {shared_bytes} bytes of shared memory", entry.name), code)?;
        Ok(Kernel { function, threads: entry.threads, shared_bytes, param_bytes: entry.param_bytes })
    }
}

impl Drop for LoadedModule {
    fn drop(&mut self) {
        if let Ok(_current) = self.gpu.enter() {
            // SAFETY: loaded once, unloaded once; its owner drops the graphs that use it first.
            unsafe { self.gpu.driver().module_unload(self.handle) };
        }
    }
}
