//! What the device can do at most, beside what our own kernels make of a layer that is nothing but a product.

use maskrank::config::Widths;
use maskrank::cuda_ceilings::Ceiling;
use maskrank::cuda_timing::Timing;
use maskrank::weights::seeded;
use maskrank::{Backend, Model, ModelConfig, Precision, Scorer};

use crate::extent::Extent;
use crate::limits::median;
use crate::measure::{Rows, case, check, limits, plan, request};
use crate::row::Row;

/// Products on registers, reading, copies, starts, and the best product of our own.
pub(crate) fn ceilings(extent: &Extent) -> Rows {
    let mut limits = limits(extent)?;
    let device = limits.device();
    let mut rows = Vec::new();
    let weights = plan(&case(extent.case)?).cost().weights;
    for bytes in [2 * weights, 4 * weights].into_iter().chain(extent.read.iter().copied()) {
        let found = limits.read(bytes)?;
        let shape = format!("{:.1}MB", bytes as f64 / 1e6);
        rows.push(ceiling(&device, "bytes".into(), shape, found));
    }
    let (candidates, width) = extent.wide;
    for precision in [Precision::Bf16, Precision::F16, Precision::Tf32, Precision::F32] {
        let found = limits.multiply(precision)?;
        rows.push(ceiling(&device, precision.to_string(), "registers".into(), found));
        let model = wide_model(width)?;
        let mut timing = Timing::new(&model, precision, candidates)?;
        let inputs = seeded::inputs(model.widths(), candidates, 3);
        // Its self-test compares every graph with the CPU.
        let builder = Scorer::builder(&model).backend(Backend::Cuda).precision(precision);
        let scorer = builder.max_candidates(candidates).max_in_flight(1).build()?;
        check(&mut timing, &scorer, request(&inputs, candidates, model.widths()))?;
        drop(scorer);
        if rows.iter().all(|row| row.kind != "copy") {
            rows.extend(copies_and_starts(&device, &mut timing, precision, extent)?);
        }
        // The widest layer's kernel is the best that ours do on a large square product.
        let best = timing.kernels(candidates, 20)?.into_iter().max_by(|a, b| a.flops.total_cmp(&b.flops));
        let best = best.ok_or("the model has no product")?;
        let limit = limits.share(precision, (best.flops, best.bytes), median(&best.seconds))?;
        rows.push(Row {
            device: device.clone(),
            op: best.entry,
            dtype: precision.to_string(),
            shape: format!("m{candidates}_n{width}_k{width}"),
            kind: "kernel",
            seconds: best.seconds,
            bytes: best.bytes,
            flops: best.flops,
            limit: Some(limit),
            ..Row::default()
        });
    }
    Ok(rows)
}

fn ceiling(device: &str, dtype: String, shape: String, found: Ceiling) -> Row {
    Row {
        device: device.to_owned(),
        op: found.entry.to_owned(),
        dtype,
        shape,
        kind: "ceiling",
        seconds: found.seconds,
        bytes: found.bytes,
        flops: found.flops,
        ..Row::default()
    }
}

fn copies_and_starts(device: &str, timing: &mut Timing, precision: Precision, extent: &Extent) -> Rows {
    let row = |op: &str, dtype: String, shape: String, kind: &'static str, seconds: Vec<f64>| Row {
        device: device.to_owned(),
        op: op.to_owned(),
        dtype,
        shape,
        kind,
        seconds,
        ..Row::default()
    };
    let mut rows = Vec::new();
    for copy in timing.copies(extent.copied, 10)? {
        let shape = format!("{}KiB", extent.copied >> 10);
        rows.push(Row { bytes: copy.bytes, ..row(copy.name, "bytes".into(), shape, "copy", copy.seconds) });
    }
    for start in timing.starts(4 * extent.samples)? {
        rows.push(row(start.name, precision.to_string(), "n1".into(), "launch", start.seconds));
    }
    Ok(rows)
}

/// A model that is one square product of `width`, and little beside it.
fn wide_model(width: usize) -> Result<Model, maskrank::Error> {
    let config = format!(
        "model:\n  backbone: {{mlp_config: {{layer_sizes: [{width}, {width}], final_layer_activation: true}}}}\n  \
         featurization_config: {{double_norm_log_config: {{clip_magnitude: 5.0}}}}\n  multi_task_type: share_all\n  \
         tasks:\n    recap.engagement.is_favorited: {{mlp_config: {{layer_sizes: [64, 1]}}}}\n"
    );
    let widths =
        Widths { continuous: 64, binary: 1, user_embedding: 0, user_eng_embedding: 0, author_embedding: 0 };
    Model::seeded(ModelConfig::from_yaml(&config, "wide")?, widths, 1)
}
