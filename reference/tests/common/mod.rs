//! Reads a golden case: `config.yaml` to a [`Spec`], weights and inputs from safetensors or the seed, expected outputs.
//!
//! Written for these tests alone, so a slip in the product's own reader cannot hide here.
#![allow(dead_code, reason = "every test binary uses its own part of this module")]

mod yaml;

use maskrank_reference::seeded::Seeded;
use maskrank_reference::{Inputs, Spec, Tensors};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All golden cases.
pub(crate) const CASES: [&str; 6] =
    ["tiny-parallel", "ragged-input-norm", "serial", "share-partial", "share-none", "production"];

/// Shape and row-major values.
pub(crate) type Array = (Vec<usize>, Vec<f64>);

/// One golden case, read whole.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) rows: usize,
    pub(crate) spec: Spec,
    pub(crate) tensors: Box<dyn Tensors>,
    pub(crate) inputs: BTreeMap<String, Vec<f32>>,
    pub(crate) score_weights: Vec<f64>,
    pub(crate) expected: BTreeMap<String, Array>,
}

impl Case {
    /// Reads the case called `name`.
    pub(crate) fn read(name: &str) -> Self {
        let folder = folder(name);
        let text = std::fs::read_to_string(folder.join("case.json")).expect("case.json is there");
        let case: serde_json::Value = serde_json::from_str(&text).expect("case.json is JSON");
        let text = std::fs::read_to_string(folder.join("config.yaml")).expect("config.yaml is there");
        let seed = case["seed"].as_u64().expect("case.json holds a seed");
        let tensors: Box<dyn Tensors> = match case["weights"].as_str() {
            Some("recipe") => Box::new(Seeded { seed }),
            Some("stored") => {
                let arrays = arrays(&folder.join("model.safetensors"));
                let values: BTreeMap<_, _> =
                    arrays.into_iter().map(|(name, (_, values))| (name, values)).collect();
                Box::new(values)
            }
            other => panic!("{name}: unknown source of weights {other:?}"),
        };
        let inputs = arrays(&folder.join("inputs.safetensors"));
        let narrowed = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
        Self {
            name: name.to_owned(),
            seed,
            rows: case["rows"].as_u64().expect("case.json holds rows") as usize,
            spec: yaml::spec(&text, &case["shapes"], &case["tasks"]),
            tensors,
            inputs: inputs.into_iter().map(|(name, (_, values))| (name, narrowed(values))).collect(),
            score_weights: case["score_weights"]
                .as_array()
                .expect("case.json holds score weights")
                .iter()
                .map(|weight| weight.as_f64().expect("a score weight is a number"))
                .collect(),
            expected: arrays(&folder.join("expected.safetensors")),
        }
    }

    /// The stored inputs, absent ones empty.
    pub(crate) fn inputs(&self) -> Inputs<'_> {
        let input = |name: &str| self.inputs.get(name).map_or(&[][..], Vec::as_slice);
        Inputs {
            rows: self.rows,
            continuous: input("continuous"),
            binary: input("binary"),
            user_embedding: input("user_embedding"),
            user_eng_embedding: input("user_eng_embedding"),
            author_embedding: input("author_embedding"),
        }
    }
}

/// The folder of a golden case.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

/// Every float array of a safetensors file, widened to f64. Integers (`num_batches_tracked`) are left out.
pub(crate) fn arrays(path: &Path) -> BTreeMap<String, Array> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let mut arrays = BTreeMap::new();
    for (name, view) in file.tensors() {
        let values = match view.dtype() {
            Dtype::F32 => {
                let (fours, _) = view.data().as_chunks::<4>();
                fours.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
            }
            Dtype::F64 => {
                let (eights, _) = view.data().as_chunks::<8>();
                eights.iter().map(|b| f64::from_le_bytes(*b)).collect()
            }
            Dtype::I64 if name.ends_with(".num_batches_tracked") => continue,
            other => panic!("{name}: dtype {other:?}"),
        };
        arrays.insert(name, (view.shape().to_vec(), values));
    }
    arrays
}
