//! Packed models: written for one backend and precision, and refused for any other.

use std::collections::HashMap;
use std::path::Path;

use super::{Backend, Options, Precision, cpu, folding};
use crate::batch::Split;
use crate::config::EMBEDDINGS;
use crate::plan::{Linear, Plan, Step};
use crate::weights::packed::{Packed, Packing, ROWS, folded};
use crate::{Error, Model, Result};

/// Writes a model packed for a backend: for the CPU in its kernel's layout, which is used as it lies; for the others as
/// folded and rounded rows, which leaves them the order of their tiles to make.
///
/// # Errors
/// A model that was not read from a configuration's text, or is packed already; a precision that cannot be packed; the
/// file cannot be written.
pub(crate) fn pack(backend: Backend, model: &Model, options: &Options, path: &Path) -> Result<()> {
    let wrong = |expected: &str, found: String| {
        Err(Error::Argument { argument: "model", expected: expected.to_owned(), found })
    };
    if model.weights().packed().is_some() {
        return wrong("a model folder", format!("the packed model {}", model.weights().file().display()));
    }
    let Some(config_text) = model.config_text() else {
        return wrong("a model that was opened from a folder", "one of parts in memory".to_owned());
    };
    let backend = if backend == Backend::Auto { Backend::Cpu } else { backend };
    if !matches!(options.precision, Precision::F32 | Precision::Bf16 | Precision::F16) {
        let what = format!("packing {}: it offers f32, bf16 and f16", options.precision);
        return Err(Error::Unsupported { backend, what });
    }
    let none = Split::default();
    let (align, split) = if backend == Backend::Cpu { (cpu::ALIGN, &options.split) } else { (1, &none) };
    let folding = folding(options.precision);
    let plan = Plan::build_for(model.config(), model.widths(), model.weights(), align, folding, split);
    let linears = || {
        plan.steps.iter().flat_map(|step| match step {
            Step::Gemm(groups) => groups.as_slice(),
            _ => &[],
        })
    };
    let bias = |linear: &Linear| (linear.name.clone(), folded::BIAS, linear.folded_bias().to_vec());
    let mut packing = Packing {
        config: model.config(),
        config_text,
        schema: model.schema_text(),
        widths: model.widths(),
        weights: model.weights(),
        backend: backend.to_string(),
        precision: options.precision.to_string(),
        split,
        folded: linears().map(|group| bias(&group.linear)).collect(),
    };
    if backend == Backend::Cpu {
        let strips = cpu::pack(&plan, options)?;
        for (name, constants) in strips.constants {
            packing.folded.push((name.clone(), folded::CENTER, constants.center));
            packing.folded.push((name, folded::SHIFT, constants.shift));
        }
        return packing.write(path, strips.layout, &strips.payload);
    }
    let by_name: HashMap<&str, &Linear> =
        linears().map(|group| (group.linear.name.as_str(), &group.linear)).collect();
    let payload = packing.rows(|name, out, into| match by_name.get(name) {
        Some(linear) => linear.row(out, into),
        None => into.fill(0.0),
    })?;
    packing.write(path, ROWS, &payload)
}

/// The backend that a packed model was packed for, for [`Backend::Auto`].
pub(crate) fn backend_of(model: &Model) -> Option<Backend> {
    let packed = model.weights().packed()?;
    let named = |backend: &Backend| backend.to_string() == packed.backend();
    [Backend::Cpu, Backend::Cuda, Backend::Wgpu].into_iter().find(named)
}

/// The precision that a packed model was packed in.
pub(crate) fn precision_of(model: &Model) -> Option<Precision> {
    let packed = model.weights().packed()?;
    let named = |precision: &Precision| precision.to_string() == packed.precision();
    [Precision::F32, Precision::Bf16, Precision::F16].into_iter().find(named)
}

/// A split as the flag `--request-columns` of `maskrank pack` has it.
fn request_columns(split: &Split) -> String {
    let ranges = |name: &str, ranges: &[std::ops::Range<usize>]| -> Vec<String> {
        ranges.iter().map(|range| format!("{name}:{}..{}", range.start, range.end)).collect()
    };
    let embeddings = EMBEDDINGS.iter().zip(split.embeddings).filter(|(_, once)| *once);
    let columns = [
        ranges("continuous", &split.continuous),
        ranges("binary", &split.binary),
        embeddings.map(|(name, _)| (*name).to_owned()).collect(),
    ]
    .concat();
    if columns.is_empty() {
        "no request columns".to_owned()
    } else {
        format!("request columns {}", columns.join(","))
    }
}

/// Whether a packed model is what a scorer was asked to be.
///
/// # Errors
/// It was packed for another backend, precision or split; the error says what to do.
pub(super) fn check(model: &Model, packed: &Packed, backend: Backend, options: &Options) -> Result<()> {
    let wrong = |what: &str, found: &str, asked: &str| {
        let found = crate::config::shown(found);
        let problem = format!(
            "packed for the {what} {found}, asked for {asked}: ask for {found}, pack the model again for {asked}, or \
             open its folder"
        );
        Err(model.weights().packed_error(problem))
    };
    let (asked_backend, asked_precision) = (backend.to_string(), options.precision.to_string());
    if packed.backend() != asked_backend {
        return wrong("backend", packed.backend(), &asked_backend);
    }
    if packed.precision() != asked_precision {
        return wrong("precision", packed.precision(), &asked_precision);
    }
    if packed.layout() != ROWS && packed.split() != &options.split {
        return wrong("split", &request_columns(packed.split()), &request_columns(&options.split));
    }
    Ok(())
}
