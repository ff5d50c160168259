//! Devices that are open, compiled and, once proven, fit to score: one for each adapter and variant, shared by all scorers of a process.
//! What it costs to get there is paid by the first scorer only.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Backend, Error, Precision, Result};

use super::adapter::{self, Software};
use super::device::Gpu;
use super::pipelines::Pipelines;
use super::self_test;
use super::source::Mutation;
use super::variants::Variant;

/// An open device and a variant's pipelines on it.
pub(crate) struct Ready {
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) pipelines: Arc<Pipelines>,
    proof: Mutex<Proof>,
}

/// What the self-test has seen so far.
#[derive(Clone, Copy)]
struct Proof {
    /// Whether loops and the golden case were right.
    is_right: bool,
    /// The longest K that was tested.
    depth: usize,
    /// Whether both tiles gave the same bits.
    tiles_agree: bool,
}

static READY: Mutex<Vec<Arc<Ready>>> = Mutex::new(Vec::new());

/// The adapter whose name contains `name`, or the best one, compiled for a precision; not yet proven.
///
/// # Errors
/// As [`super::build`].
pub(crate) fn get(name: Option<&str>, precision: Precision) -> Result<Arc<Ready>> {
    let adapter = adapter::choose(name, Software::Allowed)?;
    let variant = variant(&adapter, precision)?;
    let title = adapter::title(&adapter.get_info());
    let place = adapter.get_info().device_pci_bus_id;
    // Held while one is made: a second caller waits for it rather than make its own.
    let mut all = READY.lock().unwrap_or_else(PoisonError::into_inner);
    // A device that has failed serves those who hold it with errors, and nobody new.
    all.retain(|ready| ready.gpu.check("reuse").is_ok());
    let same = |ready: &&Arc<Ready>| {
        ready.gpu.title == title
            && ready.gpu.info.device_pci_bus_id == place
            && ready.pipelines.variant == variant
    };
    if let Some(ready) = all.iter().find(same) {
        return Ok(Arc::clone(ready));
    }
    let ready = Arc::new(open(&adapter, variant, None)?);
    all.push(Arc::clone(&ready));
    Ok(ready)
}

/// Loses every device that scorers share: what a driver does when it resets.
pub(crate) fn lose_all() {
    for ready in &*READY.lock().unwrap_or_else(PoisonError::into_inner) {
        ready.gpu.device.destroy();
    }
}

/// The variant that an adapter runs a precision with.
pub(crate) fn variant(adapter: &wgpu::Adapter, precision: Precision) -> Result<Variant> {
    let limits = adapter.limits();
    let offer = adapter::offer(adapter.features(), &limits, adapter.get_info().device_type);
    Variant::choose(precision, &offer).ok_or_else(|| Error::Unsupported {
        backend: Backend::Wgpu,
        what: format!("precision {precision}: it offers f32, f16 and bf16"),
    })
}

/// Opens and compiles, with nothing proven and nothing shared.
pub(crate) fn open(adapter: &wgpu::Adapter, variant: Variant, mutation: Option<Mutation>) -> Result<Ready> {
    let gpu = Arc::new(Gpu::open(adapter)?);
    let pipelines = Arc::new(Pipelines::build(&gpu, variant, mutation)?);
    Ok(Ready { gpu, pipelines, proof: Mutex::new(Proof { is_right: false, depth: 0, tiles_agree: true }) })
}

impl Ready {
    /// Everything that a device must compute right before it scores, unless it was tested before: loops, the golden case,
    /// sums of `depth` products. Whether both tiles agree to the bit. A driver that compiles at the first dispatch does so
    /// here, all kernels of them.
    ///
    /// # Errors
    /// [`Error::SelfTest`].
    pub(crate) fn prove(&self, depth: usize) -> Result<bool> {
        let mut proof = self.proof.lock().unwrap_or_else(PoisonError::into_inner);
        if !proof.is_right {
            self_test::loops(&self.gpu, &self.pipelines)?;
            self_test::golden(&self.gpu, &self.pipelines)?;
            proof.is_right = true;
        }
        if depth > proof.depth {
            proof.tiles_agree &= self_test::depth(&self.gpu, &self.pipelines, depth)?;
            proof.depth = depth;
        }
        Ok(proof.tiles_agree)
    }
}
