//! Kernel times by timestamp queries: two for each dispatch. Off unless asked for; a dispatch that is timed gets a
//! pass of its own.

use wgpu::{
    Buffer, BufferUsages, CommandEncoder, Features, MapMode, PollType, QuerySet, QuerySetDescriptor,
    QueryType,
};

use crate::Result;

use super::device::Gpu;
use super::mapping::Mapping;

pub(crate) struct Timing {
    pub(crate) queries: QuerySet,
    resolved: Buffer,
    readback: Buffer,
    count: u32,
    /// Nanoseconds of one tick.
    period: f64,
}

impl Timing {
    /// Queries for this many dispatches.
    ///
    /// # Errors
    /// A device without timestamps.
    pub(crate) fn new(gpu: &Gpu, dispatches: usize) -> Result<Self> {
        if !gpu.features.contains(Features::TIMESTAMP_QUERY) {
            return Err(super::schedule::unsupported(
                "kernel times: the adapter has no timestamp queries".to_owned(),
            ));
        }
        let count = 2 * dispatches as u32;
        let queries = gpu.scope("make timestamp queries", || {
            gpu.device.create_query_set(&QuerySetDescriptor {
                label: Some("kernel times"),
                ty: QueryType::Timestamp,
                count,
            })
        })?;
        let size = 8 * count as usize;
        Ok(Self {
            queries,
            resolved: gpu.buffer("timestamps", size, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC)?,
            readback: gpu.buffer(
                "timestamps, read",
                size,
                BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            )?,
            count,
            period: gpu.queue.get_timestamp_period().into(),
        })
    }

    /// Writes the passes' timestamps where they can be read.
    pub(crate) fn resolve(&self, encoder: &mut CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..self.count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.readback, 0, u64::from(self.count) * 8);
    }

    /// Nanoseconds of each dispatch.
    ///
    /// # Errors
    /// A lost device.
    pub(crate) fn read(&self, gpu: &Gpu) -> Result<Vec<f64>> {
        let mapping = Mapping::mapped();
        mapping.start(&self.readback, MapMode::Read);
        gpu.device
            .poll(PollType::wait_indefinitely())
            .map_err(|e| gpu.error("read kernel times", e.to_string()))?;
        if !mapping.wait() {
            return Err(gpu.error("read kernel times", "the timestamps could not be mapped"));
        }
        let view =
            self.readback.get_mapped_range(..).map_err(|e| gpu.error("read kernel times", e.to_string()))?;
        let ticks: Vec<u64> = view
            .chunks_exact(8)
            .take(self.count as usize)
            .map(|bytes| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
            .collect();
        drop(view);
        self.readback.unmap();
        Ok(ticks.chunks_exact(2).map(|t| t[1].saturating_sub(t[0]) as f64 * self.period).collect())
    }
}
