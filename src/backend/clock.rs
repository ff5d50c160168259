//! Where the time of whole calls goes, step by step: off unless a bench asks for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::plan::{Plan, Step};

/// Seconds of each step of a plan, summed over calls: of threads, or of a device.
#[derive(Debug)]
pub struct StepClock {
    is_on: AtomicBool,
    /// By the device's own timestamps.
    is_device: bool,
    nanoseconds: Vec<AtomicU64>,
    gemm_steps: Vec<usize>,
    norm_steps: Vec<usize>,
}

/// What a lap was spent on, as an executor knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// The first step.
    Featurize,
    /// The n-th group of all GEMM steps, in the plan's order.
    Gemm(usize),
    /// The n-th group of all layer norm steps.
    Norm(usize),
    /// The last step.
    Head,
}

impl StepClock {
    pub(crate) fn new(plan: &Plan) -> Self {
        let (mut gemm_steps, mut norm_steps) = (Vec::new(), Vec::new());
        for (index, step) in plan.steps.iter().enumerate() {
            match step {
                Step::Gemm(groups) => gemm_steps.extend(groups.iter().map(|_| index)),
                Step::LayerNorm(groups) => norm_steps.extend(groups.iter().map(|_| index)),
                Step::Featurize(_) | Step::Head(_) => {}
            }
        }
        let nanoseconds = plan.steps.iter().map(|_| AtomicU64::new(0)).collect();
        Self { is_on: AtomicBool::new(false), is_device: false, nanoseconds, gemm_steps, norm_steps }
    }

    /// A clock that a device's timestamps are added to.
    #[cfg(feature = "wgpu")]
    pub(crate) fn of_device(plan: &Plan) -> Self {
        Self { is_device: true, ..Self::new(plan) }
    }

    /// Whether the time is a device's own; else it is the sum of all threads'.
    #[must_use]
    pub fn is_device(&self) -> bool {
        self.is_device
    }

    /// Whether anybody asks.
    #[cfg(feature = "wgpu")]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Adds a device's time of a step of the plan.
    #[cfg(feature = "wgpu")]
    pub(crate) fn add(&self, step: usize, nanoseconds: f64) {
        if let Some(sum) = self.nanoseconds.get(step) {
            sum.fetch_add(nanoseconds as u64, Ordering::Relaxed);
        }
    }

    /// Starts counting from zero.
    pub fn start(&self) {
        self.nanoseconds.iter().for_each(|step| step.store(0, Ordering::Relaxed));
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// Stops, and gives the seconds of each of the plan's steps since the start.
    pub fn stop(&self) -> Vec<f64> {
        self.is_on.store(false, Ordering::Relaxed);
        self.nanoseconds.iter().map(|step| step.load(Ordering::Relaxed) as f64 * 1e-9).collect()
    }

    /// The time, where anybody asks.
    #[inline]
    pub(crate) fn lap(&self) -> Option<Instant> {
        self.is_on.load(Ordering::Relaxed).then(Instant::now)
    }

    /// Counts the time since a lap began; a lap that never began is nothing.
    #[inline]
    pub(crate) fn count(&self, lap: Option<Instant>, work: Work) {
        let Some(lap) = lap else { return };
        let step = match work {
            Work::Featurize => 0,
            Work::Gemm(group) => self.gemm_steps[group],
            Work::Norm(group) => self.norm_steps[group],
            Work::Head => self.nanoseconds.len() - 1,
        };
        self.nanoseconds[step].fetch_add(lap.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }
}
