//! NVIDIA GPUs through their driver, with the kernels of `kernels/`.

mod artifacts;
mod element;
mod layout;
mod params;
mod program;
mod staging;
mod tile;

use std::sync::Arc;

use super::{Executor, Listing, Options};
use crate::plan::Plan;
use crate::{Backend, Error, Result};

pub(crate) use program::ALIGN;

pub(crate) fn build(plan: &Plan, options: &Options) -> Result<Arc<dyn Executor>> {
    let _ = program::Program::new(plan, options)?;
    check_hardware(options).and(Err(Error::BackendUnavailable { backend: Backend::Cuda, reason: "x".into() }))
}

pub(crate) fn check_hardware(_options: &Options) -> Result<()> {
    Ok(())
}

pub(crate) fn list() -> Listing {
    Listing::absent(&Error::BackendUnavailable { backend: Backend::Cuda, reason: "x".into() }, Backend::Cuda)
}
