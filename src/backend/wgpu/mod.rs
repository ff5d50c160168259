//! WGSL on any GPU, through wgpu: Vulkan, Metal and DX12.
//!
//! The adapter's features and limits choose a variant of the shaders ([`variants`]); the plan becomes a list of
//! dispatches ([`schedule`]); weights are packed and uploaded once ([`pack`], [`executor`]); a lane owns one caller's
//! buffers and submits once a batch ([`lane`]). Before a device serves its first scorer it proves itself
//! ([`self_test`]): drivers that compute something else are an error, not a wrong score.

mod adapter;
#[doc(hidden)]
pub mod ceilings;
mod device;
mod executor;
mod lane;
mod mapping;
mod pack;
mod params;
mod pipelines;
mod ready;
mod schedule;
mod self_test;
mod single;
mod source;
#[doc(hidden)]
pub mod testing;
mod timing;
mod upload;
#[cfg(test)]
mod validate;
mod variants;

use std::sync::Arc;

use crate::plan::Plan;
use crate::{Backend, Error, Result};

use super::{Entry, Executor, Listing, Options};
use adapter::Software;
use executor::WgpuExecutor;

pub(crate) use variants::ALIGN;

/// Builds an executor on the adapter that `options` name, or on the best one; software adapters count.
///
/// # Errors
/// [`Error::BackendUnavailable`] without an adapter, [`Error::Unsupported`] for a precision or a plan that this
/// backend has no kernels for, [`Error::Device`] when the device fails or has too little memory,
/// [`Error::SelfTest`] when it computes something else than the CPU.
pub(crate) fn build(plan: &Plan, options: &Options) -> Result<Arc<dyn Executor>> {
    let ready = ready::get(options.adapter.as_deref(), options.precision)?;
    // The proof runs on the device, and waits for its compiler, while the processor packs.
    std::thread::scope(|scope| {
        let proof = scope.spawn(|| ready.prove(self_test::longest_k(plan)));
        let executor = WgpuExecutor::build(&ready.gpu, &ready.pipelines, plan, options, true);
        let panicked = |_| Err(ready.gpu.error("self-test", "the thread that tests panicked"));
        // What is wrong with the device is said first: it may be why the rest failed.
        let tiles_agree = proof.join().unwrap_or_else(panicked)?;
        Ok(Arc::new(executor?.with_tiles(tiles_agree)) as Arc<dyn Executor>)
    })
}

/// Whether there is an adapter that is a GPU.
///
/// # Errors
/// [`Error::BackendUnavailable`] with what was found.
pub(crate) fn check_hardware(options: &Options) -> Result<()> {
    adapter::choose(options.adapter.as_deref(), Software::Refused).map(drop)
}

/// Every adapter, with what it offers and what would run on it.
pub(crate) fn list() -> Listing {
    let present: Vec<Entry> = adapter::list();
    if present.is_empty() {
        let reason = "no Vulkan, Metal or DX12 adapter found".to_owned();
        return Listing::absent(&Error::BackendUnavailable { backend: Backend::Wgpu, reason }, Backend::Wgpu);
    }
    Listing { backend: Backend::Wgpu, present, absent: None }
}
