//! Scoring features that lie in a GPU's memory already, in the caller's stream. Says so where there is no such backend.
//!
//! The memory comes from the driver here; in a program with a framework it would be the framework's own.

mod common;

use std::ffi::{c_int, c_void};

use common::{WIDTHS, flags, model, values};
use libloading::Library;
use maskrank::{
    Backend, DeviceBatch, DeviceColumns, DeviceOutputs, DeviceSlice, DeviceStream, ElementType, ScoreOptions,
    ScoreWeights, Scorer,
};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let model = model(1)?;
    let scorer = match Scorer::builder(&model).backend(Backend::Cuda).max_candidates(100).build() {
        Ok(scorer) => scorer,
        Err(error) if error.is_backend() => {
            println!("device buffers on CUDA: nothing to show on this machine: {error}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let weights = ScoreWeights::default().resolve(model.tasks())?;
    let device = Memory::open()?;

    let candidates = 5;
    let candidate = DeviceColumns {
        continuous: device.floats(&values(candidates * WIDTHS.continuous, 1))?,
        binary: device.bytes(&flags(candidates * WIDTHS.binary))?,
        user_embedding: device.floats(&values(candidates * WIDTHS.user_embedding, 2))?,
        user_eng_embedding: DeviceSlice::EMPTY, // this model has none
        author_embedding: device.floats(&values(candidates * WIDTHS.author_embedding, 3))?,
    };
    let batch = DeviceBatch::one_request(candidates, DeviceColumns::default(), candidate);
    let scores = device.room(candidates, ElementType::F32)?;
    let outputs = DeviceOutputs { scores, ..DeviceOutputs::default() };
    // Comes back at once: what follows in the same stream sees the scores.
    scorer.enqueue(&batch, &ScoreOptions::new(&weights), &outputs, DeviceStream::DEFAULT)?;
    println!("device buffers on CUDA: {}: {:?}", scorer.device().name, device.read(outputs.scores)?);
    Ok(())
}

/// Memory of the first device; the driver takes it back when the program ends.
struct Memory {
    driver: Library,
}

impl Memory {
    fn open() -> Outcome<Self> {
        // SAFETY: the NVIDIA driver's library, which the scorer has loaded already.
        let driver = unsafe { Library::new("libcuda.so.1")? };
        let memory = Self { driver };
        let (mut device, mut context): (c_int, *mut c_void) = (0, std::ptr::null_mut());
        // SAFETY: the functions have these types; the scorer has started the driver.
        unsafe {
            let get: unsafe extern "C" fn(*mut c_int, c_int) -> c_int = *memory.driver.get(b"cuDeviceGet")?;
            check(get(&raw mut device, 0))?;
            let retain: unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_int =
                *memory.driver.get(b"cuDevicePrimaryCtxRetain")?;
            check(retain(&raw mut context, device))?;
            let set: unsafe extern "C" fn(*mut c_void) -> c_int = *memory.driver.get(b"cuCtxSetCurrent")?;
            check(set(context))?;
        }
        Ok(memory)
    }

    fn floats(&self, values: &[f32]) -> Outcome<DeviceSlice> {
        self.upload(values.as_ptr().cast(), values.len(), ElementType::F32)
    }

    fn bytes(&self, values: &[u8]) -> Outcome<DeviceSlice> {
        self.upload(values.as_ptr().cast(), values.len(), ElementType::U8)
    }

    fn upload(&self, from: *const c_void, len: usize, element: ElementType) -> Outcome<DeviceSlice> {
        let slice = self.room(len, element)?;
        // SAFETY: the function has this type; `from` has as many bytes as the slice.
        unsafe {
            let copy: unsafe extern "C" fn(u64, *const c_void, usize) -> c_int =
                *self.driver.get(b"cuMemcpyHtoD_v2")?;
            check(copy(slice.address(), from, len * element.bytes()))?;
        }
        Ok(slice)
    }

    fn room(&self, len: usize, element: ElementType) -> Outcome<DeviceSlice> {
        let mut address = 0u64;
        // SAFETY: the function has this type.
        unsafe {
            let alloc: unsafe extern "C" fn(*mut u64, usize) -> c_int = *self.driver.get(b"cuMemAlloc_v2")?;
            check(alloc(&raw mut address, len * element.bytes()))?;
            // The memory is never freed, so the promise holds to the end of the program.
            Ok(DeviceSlice::new(address, len, element))
        }
    }

    /// Waits for what is before it in the default stream.
    fn read(&self, slice: DeviceSlice) -> Outcome<Vec<f32>> {
        let mut values = vec![0f32; slice.len()];
        // SAFETY: the function has this type; the slice is of as many f32.
        unsafe {
            let copy: unsafe extern "C" fn(*mut c_void, u64, usize) -> c_int =
                *self.driver.get(b"cuMemcpyDtoH_v2")?;
            check(copy(values.as_mut_ptr().cast(), slice.address(), size_of_val(values.as_slice())))?;
        }
        Ok(values)
    }
}

fn check(code: c_int) -> Outcome {
    if code == 0 { Ok(()) } else { Err(format!("the driver says {code}").into()) }
}
