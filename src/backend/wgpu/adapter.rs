//! Adapters: what this machine offers, what would run there, and which one a scorer gets.

use wgpu::{Adapter, Backends, DeviceType, Features, Instance, InstanceDescriptor, Limits};

use crate::{Backend, Error, Precision, Result};

use super::super::Entry;
use super::variants::{Offer, Variant};

/// Features that a variant or the host can use.
pub(crate) const USEFUL: Features = Features::SHADER_F16
    .union(Features::SUBGROUP)
    .union(Features::TIMESTAMP_QUERY)
    .union(Features::PIPELINE_CACHE);

/// All adapters, hardware first, as `devices` lists them.
pub(crate) fn list() -> Vec<Entry> {
    enumerate().iter().map(describe).collect()
}

fn instance() -> Instance {
    Instance::new(InstanceDescriptor {
        backends: Backends::VULKAN | Backends::METAL | Backends::DX12,
        ..InstanceDescriptor::new_without_display_handle()
    })
}

fn enumerate() -> Vec<Adapter> {
    let instance = instance();
    let mut adapters = pollster::block_on(instance.enumerate_adapters(Backends::all()));
    adapters.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    adapters
}

fn rank(device_type: DeviceType) -> u8 {
    match device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

fn kind(device_type: DeviceType) -> &'static str {
    match device_type {
        DeviceType::DiscreteGpu => "discrete",
        DeviceType::IntegratedGpu => "integrated",
        DeviceType::VirtualGpu => "virtual",
        DeviceType::Other => "other",
        DeviceType::Cpu => "software: taken only when named",
    }
}

/// What an adapter offers to the choice of a variant.
pub(crate) fn offer(features: Features, limits: &Limits, device_type: DeviceType) -> Offer<'_> {
    let many_registers = device_type == DeviceType::DiscreteGpu;
    Offer { features, limits, many_registers, software: device_type == DeviceType::Cpu }
}

fn describe(adapter: &Adapter) -> Entry {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let names = [
        (Features::SHADER_F16, "shader-f16"),
        (Features::SUBGROUP, "subgroup"),
        (Features::TIMESTAMP_QUERY, "timestamp-query"),
        (Features::PIPELINE_CACHE, "pipeline-cache"),
    ];
    let offered: Vec<&str> = names.iter().filter(|(f, _)| features.contains(*f)).map(|(_, n)| *n).collect();
    let mut details = vec![
        ("driver", driver(&info)),
        ("interface", info.backend.to_string()),
        ("kind", kind(info.device_type).to_owned()),
        ("features", offered.join(", ")),
        (
            "limits",
            format!(
                "{} invocations and {} KiB of memory a workgroup, {} MiB a binding, {} MiB a buffer, {} storage buffers",
                limits.max_compute_invocations_per_workgroup,
                limits.max_compute_workgroup_storage_size >> 10,
                limits.max_storage_buffer_binding_size >> 20,
                limits.max_buffer_size >> 20,
                limits.max_storage_buffers_per_shader_stage,
            ),
        ),
    ];
    let offer = offer(features, &limits, info.device_type);
    for (name, precision) in
        [("runs at f32", Precision::F32), ("runs at f16", Precision::F16), ("runs at bf16", Precision::Bf16)]
    {
        let variant = Variant::choose(precision, &offer).map_or("nothing".to_owned(), |v| v.name());
        details.push((name, variant));
    }
    Entry { name: info.name, details }
}

fn driver(info: &wgpu::AdapterInfo) -> String {
    [info.driver.as_str(), info.driver_info.as_str()]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Device, driver and interface in one line, with a word where it is software.
pub(crate) fn title(info: &wgpu::AdapterInfo) -> String {
    let software = if info.device_type == DeviceType::Cpu { ", software" } else { "" };
    format!("{} ({}, {}{software})", info.name, driver(info), info.backend)
}

/// Whether a scorer may run on an adapter that is a program on the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Software {
    /// The caller has named this backend.
    Allowed,
    /// The caller left the choice to us.
    Refused,
}

/// The best adapter whose name contains `name` (any case), or the best of all.
///
/// # Errors
/// [`Error::BackendUnavailable`] with what was found.
pub(crate) fn choose(name: Option<&str>, software: Software) -> Result<Adapter> {
    let unavailable = |reason: String| Error::BackendUnavailable { backend: Backend::Wgpu, reason };
    let adapters = enumerate();
    let titles: Vec<String> = adapters.iter().map(|adapter| title(&adapter.get_info())).collect();
    if adapters.is_empty() {
        return Err(unavailable("no Vulkan, Metal or DX12 adapter found".to_owned()));
    }
    let wanted = name.map(str::to_lowercase);
    let is_wanted = |adapter: &Adapter| {
        let info = adapter.get_info();
        let allowed = software == Software::Allowed || info.device_type != DeviceType::Cpu;
        allowed && wanted.as_ref().is_none_or(|wanted| title(&info).to_lowercase().contains(wanted))
    };
    adapters.into_iter().find(is_wanted).ok_or_else(|| match name {
        Some(name) => {
            unavailable(format!("no adapter's name contains \"{name}\"; found {}", titles.join("; ")))
        }
        None => unavailable(format!(
            "only software adapters, which must be asked for; found {}",
            titles.join("; ")
        )),
    })
}
