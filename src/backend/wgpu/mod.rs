//! WGSL on any GPU, through wgpu: Vulkan, Metal and DX12.
//!
//! The adapter's features and limits choose a variant of the shaders ([`variants`]); the plan becomes a list of
//! dispatches ([`schedule`]); weights are packed and uploaded once ([`pack`], [`executor`]); a lane owns one caller's
//! buffers and submits once a batch ([`lane`]). Before a scorer is handed out, the device proves itself
//! ([`self_test`]): drivers that compute something else are an error, not a wrong score.

mod adapter;
mod device;
mod executor;
mod lane;
mod pack;
mod params;
mod pipelines;
mod schedule;
mod source;
mod timing;
mod upload;
#[cfg(test)]
mod validate;
mod variants;

use std::sync::Arc;

use crate::Result;
use crate::plan::Plan;

use super::{Executor, Options};

pub use adapter::{AdapterInfo, adapters};
pub(crate) use variants::ALIGN;

/// Builds an executor on the adapter that `options` name, or on the best one; software adapters count.
///
/// # Errors
/// [`crate::Error::BackendUnavailable`] without an adapter, [`crate::Error::Unsupported`] for a precision or a plan
/// that this backend has no kernels for, [`crate::Error::Device`] when the device fails or has too little memory,
/// [`crate::Error::SelfTest`] when it computes something else than the CPU.
pub(crate) fn build(plan: &Plan, options: &Options) -> Result<Arc<dyn Executor>> {
    Ok(executor::open(plan, options, adapter::Software::Allowed, None)?)
}

/// As [`build`], for a caller who left the choice to us: never on a software adapter.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_on_hardware(plan: &Plan, options: &Options) -> Result<Arc<dyn Executor>> {
    Ok(executor::open(plan, options, adapter::Software::Refused, None)?)
}
