//! Every variant of every shader through naga, and every struct against its twin: no adapter needed.

use std::collections::BTreeSet;
use std::mem::offset_of;

use wgpu::naga;

use naga::front::wgsl;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Module, ScalarKind, TypeInner};

use super::params;
use super::pipelines::{Access, KERNELS, Kernel};
use super::variants::{Storage, Variant, list};

fn capabilities(variant: &Variant) -> Capabilities {
    let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    capabilities.set(Capabilities::SHADER_FLOAT16, variant.storage == Storage::F16Native);
    capabilities.set(Capabilities::SUBGROUP, variant.subgroup);
    capabilities
}

fn parse(kernel: Kernel, variant: &Variant) -> Module {
    let source = kernel.source(variant, None).expect("directives are well formed");
    let mut options = wgsl::Options::new();
    options.capabilities = capabilities(variant);
    wgsl::Frontend::new_with_options(options)
        .parse(&source)
        .unwrap_or_else(|e| panic!("{kernel:?} of {}:\n{}", variant.name(), e.emit_to_string(&source)))
}

/// Distinct texts only: most kernels do not depend on all of a variant.
fn each_text(mut check: impl FnMut(Kernel, &Variant)) {
    let mut seen = BTreeSet::new();
    for variant in list() {
        for kernel in KERNELS {
            if seen.insert(kernel.source(&variant, None).expect("directives are well formed")) {
                check(kernel, &variant);
            }
        }
    }
    assert!(seen.len() > 30, "{} texts", seen.len());
}

#[test]
fn every_variant_validates() {
    each_text(|kernel, variant| {
        let module = parse(kernel, variant);
        let result = Validator::new(ValidationFlags::all(), capabilities(variant))
            .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
            .subgroup_operations(naga::valid::SubgroupOperationSet::all())
            .validate(&module);
        if let Err(error) = result {
            panic!("{kernel:?} of {}: {:?}", variant.name(), error.into_inner());
        }
        let entry = &module.entry_points[0];
        assert_eq!((module.entry_points.len(), entry.name.as_str()), (1, kernel.stem()));
        assert_eq!(entry.stage, naga::ShaderStage::Compute);
    });
}

#[test]
fn bindings_are_contiguous_and_as_listed() {
    each_text(|kernel, variant| {
        let module = parse(kernel, variant);
        let mut found: Vec<(u32, Option<Access>)> = module
            .global_variables
            .iter()
            .filter_map(|(_, variable)| {
                let binding = variable.binding?;
                assert_eq!(binding.group, 0);
                let access = match variable.space {
                    naga::AddressSpace::Uniform => None,
                    naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => {
                        Some(Access::Write)
                    }
                    naga::AddressSpace::Storage { .. } => Some(Access::Read),
                    space => panic!("{kernel:?}: binding {} in {space:?}", binding.binding),
                };
                Some((binding.binding, access))
            })
            .collect();
        found.sort_by_key(|(binding, _)| *binding);
        let expected: Vec<(u32, Option<Access>)> = std::iter::once(None)
            .chain(kernel.bindings().iter().copied().map(Some))
            .enumerate()
            .map(|(binding, access)| (binding as u32, access))
            .collect();
        assert_eq!(found, expected, "{kernel:?} of {}", variant.name());
        assert!(kernel.bindings().len() <= 8, "WebGPU's default is 8 storage buffers");
    });
}

#[test]
fn workgroups_fit_what_their_variant_claims() {
    each_text(|kernel, variant| {
        let module = parse(kernel, variant);
        let entry = &module.entry_points[0];
        let bytes: u32 = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
            .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
            .sum();
        if let Kernel::Gemm { tile, .. } = kernel {
            let tile = variant.tiles[tile];
            assert_eq!(bytes, tile.workgroup_bytes(), "{kernel:?} of {}", variant.name());
            assert_eq!(entry.workgroup_size[0], tile.invocations());
        }
        assert!(bytes <= 16 << 10, "{kernel:?} of {}: {bytes} bytes of workgroup memory", variant.name());
        assert!(entry.workgroup_size.iter().product::<u32>() <= 256);
    });
}

/// A field as the shader or its twin has it: name, offset, and whether it is of floats.
type Field = (String, u32, ScalarKind);

fn shader_fields(module: &Module, name: &str) -> (Vec<Field>, u32) {
    let (_, ty) = module
        .types
        .iter()
        .find(|(_, ty)| ty.name.as_deref() == Some(name))
        .unwrap_or_else(|| panic!("struct {name}"));
    let TypeInner::Struct { members, span } = &ty.inner else { panic!("{name} is not a struct") };
    let fields = members
        .iter()
        .map(|member| {
            let kind = module.types[member.ty].inner.scalar_kind().expect("a number or a vector of them");
            (member.name.clone().expect("a named field"), member.offset, kind)
        })
        .collect();
    (fields, *span)
}

macro_rules! twin {
    ($kernel:expr, $name:literal, $twin:ty, { $($field:ident: $kind:ident),* $(,)? }) => {{
        let module = parse($kernel, &list()[0]);
        let (fields, span) = shader_fields(&module, $name);
        let expected: Vec<Field> = vec![
            $((stringify!($field).to_owned(), offset_of!($twin, $field) as u32, ScalarKind::$kind)),*
        ];
        assert_eq!(fields, expected, "{} of {:?}", $name, $kernel);
        // A uniform struct's span is rounded up to its alignment; its twin's buffer is larger anyway.
        assert!(span as usize >= size_of::<$twin>(), "{} of {:?}", $name, $kernel);
        if $name != "Params" {
            assert_eq!(span as usize, size_of::<$twin>(), "stride of {} of {:?}", $name, $kernel);
        }
    }};
}

#[test]
fn structs_equal_their_twins() {
    twin!(Kernel::Featurize, "Params", params::FeaturizeParams, {
        num_rows: Uint, ldx: Uint, quads: Uint, num_continuous: Uint, min_value: Float, max_value: Float,
        unused_0: Uint, unused_1: Uint, part_end: Uint, part_norm: Uint, part_epsilon: Float,
        candidate_widths: Uint, request_widths: Uint,
    });
    twin!(Kernel::Featurize, "Column", params::FeaturizeColumn, {
        origin: Uint, log_scale: Float, log_shift: Float, norm_scale: Float, norm_shift: Float,
    });
    let gemm = Kernel::Gemm { tile: 0, scratch: false };
    twin!(gemm, "Params", params::GemmParams, {
        num_rows: Uint, lda: Uint, ldd: Uint, ld_multiplier: Uint, epilogue: Uint,
    });
    twin!(gemm, "Tile", params::GemmTile, {
        weights: Uint, depth: Uint, a_column: Uint, d_column: Uint, multiplier_column: Uint, constants: Uint,
        quads: Uint, unused: Uint,
    });
    twin!(gemm, "Columns", params::GemmColumns, { scale: Float, bias: Float, keep: Float });
    let layer_norm = Kernel::LayerNorm { scratch: false };
    twin!(layer_norm, "Params", params::LayerNormParams, { num_rows: Uint, ld_input: Uint, ld_output: Uint });
    twin!(layer_norm, "Group", params::LayerNormGroup, {
        input_column: Uint, output_column: Uint, quads: Uint, constants: Uint, width: Float, epsilon: Float,
        normalise: Uint, unused: Uint,
    });
    twin!(layer_norm, "Columns", params::LayerNormColumns, { gamma: Float, beta: Float, keep: Float });
    twin!(Kernel::Head, "Params", params::HeadParams, {
        num_rows: Uint, ld_input: Uint, first_task: Uint, last_task: Uint, num_tasks: Uint, capacity: Uint,
        calibrated: Uint, finish: Uint,
    });
    twin!(Kernel::Head, "Task", params::HeadTask, {
        input_column: Uint, weights: Uint, quads: Uint, relu: Uint, bias: Float, scale: Float, shift: Float,
        ln_ratio: Float, index: Uint,
    });
    twin!(Kernel::SelfTest, "Params", params::SelfTestParams, { outer: Uint, inner: Uint });
}

#[test]
fn shared_constants_equal_their_twins() {
    for (kernel, text) in [
        (Kernel::Featurize, format!("const ORIGIN_REQUEST = {:#x}u;", params::ORIGIN_REQUEST)),
        (Kernel::Featurize, format!("const REQUEST_WORDS = {}u;", super::upload::REQUEST_WORDS)),
        (
            Kernel::Gemm { tile: 0, scratch: false },
            format!("const EPILOGUE_RELU = {}u;", params::EPILOGUE_RELU),
        ),
        (
            Kernel::Gemm { tile: 0, scratch: false },
            format!("const EPILOGUE_MULTIPLY = {}u;", params::EPILOGUE_MULTIPLY),
        ),
    ] {
        let source = kernel.source(&list()[0], None).expect("directives are well formed");
        assert!(source.contains(&text), "{kernel:?}: no \"{text}\"");
    }
}
