//! Pipelines of one variant: each kernel with its bind group layout, all made in parallel.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindGroupLayoutDescriptor,
    BindGroupLayoutEntry, BindingResource, BindingType, BufferBindingType, ComputePipeline,
    ComputePipelineDescriptor, PipelineCache, PipelineCacheDescriptor, PipelineCompilationOptions,
    PipelineLayoutDescriptor, ShaderModuleDescriptor, ShaderSource, ShaderStages,
};

use crate::Result;

use super::device::Gpu;
use super::source::{Defines, Mutation, assemble};
use super::variants::Variant;

/// A kernel of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    /// Raw features to `x`.
    Featurize,
    /// Matrix product with one of the variant's two tiles.
    Gemm {
        /// Index into [`Variant::tiles`].
        tile: usize,
        /// Whether D is the f32 scratch matrix.
        scratch: bool,
    },
    /// Norm or copy of rows.
    LayerNorm {
        /// Whether the input is the f32 scratch matrix.
        scratch: bool,
    },
    /// Logits to scores.
    Head,
    /// Counts loops.
    SelfTest,
}

/// Every kernel of a variant.
pub(crate) const KERNELS: [Kernel; 9] = [
    Kernel::Gemm { tile: 0, scratch: false },
    Kernel::Gemm { tile: 0, scratch: true },
    Kernel::Gemm { tile: 1, scratch: false },
    Kernel::Gemm { tile: 1, scratch: true },
    Kernel::Featurize,
    Kernel::LayerNorm { scratch: false },
    Kernel::LayerNorm { scratch: true },
    Kernel::Head,
    Kernel::SelfTest,
];

/// How a storage binding is used; binding 0 is always the uniform `Params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Kernel {
    /// File and entry point: the step's stem.
    pub(crate) fn stem(self) -> &'static str {
        match self {
            Self::Featurize => "featurize",
            Self::Gemm { .. } => "gemm",
            Self::LayerNorm { .. } => "layer_norm",
            Self::Head => "head",
            Self::SelfTest => "self_test",
        }
    }

    /// Bindings from 1 on.
    pub(crate) fn bindings(self) -> &'static [Access] {
        use Access::{Read, Write};
        match self {
            Self::Featurize => &[Read, Read, Read, Write, Write],
            Self::Gemm { .. } => &[Read, Read, Read, Read, Read, Write],
            Self::LayerNorm { .. } => &[Read, Read, Read, Write],
            Self::Head => &[Read, Read, Read, Read, Read, Write],
            Self::SelfTest => &[Write],
        }
    }

    fn defines(self, variant: &Variant) -> Defines {
        match self {
            Self::Gemm { tile, scratch } => variant.gemm_defines(variant.tiles[tile], scratch),
            Self::LayerNorm { scratch } => variant.row_defines(scratch),
            Self::Featurize | Self::Head => variant.row_defines(false),
            Self::SelfTest => Defines::new(),
        }
    }

    /// The variant's whole text of this kernel.
    ///
    /// # Errors
    /// A directive or mutation that does not fit.
    pub(crate) fn source(self, variant: &Variant, mutation: Option<Mutation>) -> Result<String, String> {
        assemble(&format!("{}.wgsl", self.stem()), &self.defines(variant), mutation)
    }
}

#[derive(Clone)]
struct Built {
    pipeline: ComputePipeline,
    layout: BindGroupLayout,
}

/// All pipelines of a variant on one device.
pub(crate) struct Pipelines {
    built: HashMap<Kernel, Built>,
    pub(crate) variant: Variant,
}

/// What drivers gave to keep, by adapter and driver: the second scorer of a process compiles nothing.
static CACHED: Mutex<Option<HashMap<String, Vec<u8>>>> = Mutex::new(None);

impl Pipelines {
    /// Compiles every kernel, each on a thread of its own.
    ///
    /// # Errors
    /// A shader that the device does not take.
    pub(crate) fn build(gpu: &Gpu, variant: Variant, mutation: Option<Mutation>) -> Result<Self> {
        let cache = open_cache(gpu, mutation)?;
        // Kernels of the same text share a pipeline.
        let mut texts: Vec<(Kernel, String)> = Vec::new();
        let mut places = Vec::new();
        for kernel in KERNELS {
            let operation = format!("compile {}", kernel.stem());
            let text = kernel.source(&variant, mutation).map_err(|problem| gpu.error(&operation, problem))?;
            let place = texts.iter().position(|(_, other)| *other == text).unwrap_or_else(|| {
                texts.push((kernel, text));
                texts.len() - 1
            });
            places.push((kernel, place));
        }
        let built: Vec<Result<Built>> = std::thread::scope(|scope| {
            let threads: Vec<_> = texts
                .into_iter()
                .map(|(kernel, text)| {
                    let cache = cache.as_ref();
                    scope.spawn(move || build(gpu, kernel, text, cache))
                })
                .collect();
            let failed = |_| Err(gpu.error("compile shaders", "a compiling thread panicked"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(failed)).collect()
        });
        let built = built.into_iter().collect::<Result<Vec<_>>>()?;
        let pipelines = places.into_iter().map(|(kernel, place)| (kernel, built[place].clone())).collect();
        if let Some(cache) = cache {
            keep_cache(gpu, &cache);
        }
        Ok(Self { built: pipelines, variant })
    }

    /// A kernel's pipeline.
    pub(crate) fn get(&self, kernel: Kernel) -> &ComputePipeline {
        &self.built[&kernel].pipeline
    }

    /// Binds operands in order from binding 0.
    ///
    /// # Errors
    /// Operands that do not fit the kernel's layout or the device's limits.
    pub(crate) fn bind(
        &self,
        gpu: &Gpu,
        kernel: Kernel,
        operands: &[BindingResource<'_>],
    ) -> Result<BindGroup> {
        let entries: Vec<BindGroupEntry<'_>> = operands
            .iter()
            .zip(0..)
            .map(|(resource, binding)| BindGroupEntry { binding, resource: resource.clone() })
            .collect();
        gpu.scope(&format!("bind operands of {}", kernel.stem()), || {
            gpu.device.create_bind_group(&BindGroupDescriptor {
                label: Some(kernel.stem()),
                layout: &self.built[&kernel].layout,
                entries: &entries,
            })
        })
    }
}

fn build(gpu: &Gpu, kernel: Kernel, source: String, cache: Option<&PipelineCache>) -> Result<Built> {
    let operation = format!("compile {}", kernel.stem());
    let entry = |binding: u32, ty: BufferBindingType| BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let mut entries = vec![entry(0, BufferBindingType::Uniform)];
    for (binding, access) in (1..).zip(kernel.bindings()) {
        entries.push(entry(binding, BufferBindingType::Storage { read_only: *access == Access::Read }));
    }
    gpu.scope(&operation, || {
        let layout = gpu.device.create_bind_group_layout(&BindGroupLayoutDescriptor {
            label: Some(kernel.stem()),
            entries: &entries,
        });
        let pipeline_layout = gpu.device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: Some(kernel.stem()),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = gpu.device.create_shader_module(ShaderModuleDescriptor {
            label: Some(kernel.stem()),
            source: ShaderSource::Wgsl(source.into()),
        });
        let pipeline = gpu.device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: Some(kernel.stem()),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(kernel.stem()),
            // Every kernel writes workgroup memory before it reads it.
            compilation_options: PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..PipelineCompilationOptions::default()
            },
            cache,
        });
        Built { pipeline, layout }
    })
}

/// An empty cache, or one with what the same driver gave earlier in this process; none for mutated shaders.
fn open_cache(gpu: &Gpu, mutation: Option<Mutation>) -> Result<Option<PipelineCache>> {
    if mutation.is_some() || !gpu.features.contains(wgpu::Features::PIPELINE_CACHE) {
        return Ok(None);
    }
    let Some(key) = cache_key(gpu) else { return Ok(None) };
    let cached = CACHED.lock().unwrap_or_else(PoisonError::into_inner);
    let data = cached.as_ref().and_then(|cached| cached.get(&key)).map(Vec::as_slice);
    let descriptor = PipelineCacheDescriptor { label: Some("maskrank"), data, fallback: true };
    gpu.scope("open the pipeline cache", || {
        // SAFETY: `data` is what `get_data` returned in this process for the same adapter and driver (`cache_key`
        // is made of both); it never was outside of it.
        Some(unsafe { gpu.device.create_pipeline_cache(&descriptor) })
    })
}

/// Names adapter and driver; none where the interface has no caches.
fn cache_key(gpu: &Gpu) -> Option<String> {
    let key = wgpu::util::pipeline_cache_key(&gpu.info)?;
    Some(format!("{key} {}", gpu.title))
}

fn keep_cache(gpu: &Gpu, cache: &PipelineCache) {
    if let (Some(key), Some(data)) = (cache_key(gpu), cache.get_data()) {
        let mut cached = CACHED.lock().unwrap_or_else(PoisonError::into_inner);
        cached.get_or_insert_default().insert(key, data);
    }
}
