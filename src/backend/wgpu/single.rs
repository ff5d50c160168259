//! One kernel alone, on operands of the caller's choice: how the self-test and the tests reach a kernel. Buffers are
//! made for the occasion; nothing here is on a request's path.

use wgpu::{Buffer, BufferUsages, CommandEncoderDescriptor, ComputePassDescriptor, MapMode};

use crate::Result;

use super::device::Gpu;
use super::mapping::Mapping;
use super::pipelines::{Access, Kernel, Pipelines};

/// Runs `kernel` once. `operands` are the bindings from 1 on; returns the contents of those that it writes.
///
/// # Errors
/// Whatever the device reports.
pub(crate) fn run(
    gpu: &Gpu,
    pipelines: &Pipelines,
    kernel: Kernel,
    params: &[u8],
    operands: &[&[u8]],
    grid: (u32, u32),
) -> Result<Vec<Vec<u8>>> {
    let operation = format!("run {} alone", kernel.stem());
    // A uniform binding holds the struct rounded up to its alignment.
    let mut uniform = params.to_vec();
    uniform.resize(params.len().next_multiple_of(16), 0);
    let uniform = gpu.upload("params", &uniform, BufferUsages::UNIFORM)?;
    let mut buffers = Vec::new();
    for (operand, access) in operands.iter().zip(kernel.bindings()) {
        let usage = match access {
            Access::Read => BufferUsages::STORAGE,
            Access::Write => BufferUsages::STORAGE | BufferUsages::COPY_SRC,
        };
        buffers.push(gpu.upload("operand", operand, usage)?);
    }
    let written: Vec<(&Buffer, usize)> = buffers
        .iter()
        .zip(operands)
        .zip(kernel.bindings())
        .filter(|(_, access)| **access == Access::Write)
        .map(|((buffer, operand), _)| (buffer, operand.len()))
        .collect();
    let readbacks = written
        .iter()
        .map(|(buffer, _)| {
            gpu.buffer("readback", buffer.size() as usize, BufferUsages::MAP_READ | BufferUsages::COPY_DST)
        })
        .collect::<Result<Vec<_>>>()?;
    let resources: Vec<_> =
        std::iter::once(&uniform).chain(&buffers).map(Buffer::as_entire_binding).collect();
    let bind_group = pipelines.bind(gpu, kernel, &resources)?;
    let submission = gpu.scope(&operation, || {
        let mut encoder =
            gpu.device.create_command_encoder(&CommandEncoderDescriptor { label: Some("alone") });
        {
            let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
            pass.set_pipeline(pipelines.get(kernel));
            pass.set_bind_group(0, &bind_group, &[]);
            pass.dispatch_workgroups(grid.0, grid.1, 1);
        }
        for ((buffer, _), readback) in written.iter().zip(&readbacks) {
            encoder.copy_buffer_to_buffer(buffer, 0, readback, 0, buffer.size());
        }
        gpu.queue.submit([encoder.finish()])
    })?;
    let mappings: Vec<Mapping> = readbacks
        .iter()
        .map(|readback| {
            let mapping = Mapping::mapped();
            mapping.start(readback, MapMode::Read);
            mapping
        })
        .collect();
    gpu.wait(&operation, submission)?;
    let mut contents = Vec::new();
    for ((readback, mapping), (_, size)) in readbacks.iter().zip(mappings).zip(written) {
        if !mapping.wait() {
            return Err(gpu.error(&operation, "the output could not be mapped"));
        }
        let view = readback.get_mapped_range(..).map_err(|e| gpu.error(&operation, e.to_string()))?;
        contents.push(view[..size].to_vec());
    }
    Ok(contents)
}
