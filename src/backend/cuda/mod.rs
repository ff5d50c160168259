//! NVIDIA GPUs through their driver, with the kernels of `kernels/`.
//!
//! `program` turns a plan into device memory and launches and needs no GPU; `driver` wraps the driver API;
//! `executor` and `lane` bring the two together.

mod artifacts;
mod bucket;
pub mod ceilings;
mod device_call;
mod driver;
mod element;
mod executor;
mod lane;
mod layout;
mod manifest;
mod outputs;
mod params;
mod program;
mod staging;
#[cfg(test)]
mod tests;
mod tile;
pub mod timing;

use std::sync::Arc;

use super::{Entry, Executor, Listing, Memory, Options};
use crate::plan::Plan;
use crate::{Backend, Result};
use executor::unavailable;

pub(crate) use program::ALIGN;

/// Brings a plan onto a GPU.
pub(crate) fn build(plan: &Plan, options: &Options) -> Result<Arc<dyn Executor>> {
    Ok(Arc::new(executor::CudaExecutor::new(plan, options)?))
}

/// What a scorer would allocate, computed without a GPU.
pub(crate) fn memory(plan: &Plan, options: &Options) -> Result<Memory> {
    Ok(executor::memory(&program::Program::new(plan, options)?))
}

/// Whether a usable GPU is here.
pub(crate) fn check_hardware(options: &Options) -> Result<()> {
    driver::find(options.adapter.as_deref()).map(drop).map_err(unavailable)
}

/// The GPUs, or why none can be used.
pub(crate) fn list() -> Listing {
    let found = match driver::find(None) {
        Ok(found) => found,
        Err(reason) => return Listing::absent(&unavailable(reason), Backend::Cuda),
    };
    let present = found.iter().map(|gpu| {
        let kernels = artifacts::manifest().map(|manifest| {
            let loadable = manifest.loadable(gpu.capability, gpu.cuda);
            let mut described = loadable.iter().map(|target| target.describe(gpu.capability));
            let first = described.next().unwrap_or_else(|| "none for this GPU and driver".to_owned());
            (first, described.collect::<Vec<_>>().join(", "))
        });
        let (first, rest) = kernels.unwrap_or_else(|problem| (problem, String::new()));
        let details = vec![
            ("compute capability", format!("{}.{}", gpu.capability / 10, gpu.capability % 10)),
            ("multiprocessors", gpu.multiprocessors.to_string()),
            ("memory", format!("{} MiB", gpu.memory >> 20)),
            ("kernels", first),
            ("else", if rest.is_empty() { "nothing".to_owned() } else { rest }),
        ];
        Entry { name: executor::label(gpu), details }
    });
    Listing { backend: Backend::Cuda, present: present.collect(), absent: None }
}
