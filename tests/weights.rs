//! Weights files: every kind of damage is a typed error that names the tensor, and none is a panic.

use std::fs;
use std::path::Path;
use std::time::Instant;

use maskrank::config::{ModelConfig, Widths};
use maskrank::weights::{Dtype, NamedTensor, Weights, expected};
use maskrank::{Error, Model};

const CONFIG: &str = "
model:
  featurization_config: {double_norm_log_config: {batch_norm_config: {}, layer_norm_config: {}}}
  multi_task_type: share_all
  backbone: {mask_net_config: {mask_blocks: [{output_size: 6, aggregation_size: 5, input_layer_norm: true}]}}
  tasks:
    a.b: {mlp_config: {layer_sizes: [4, 1], batch_norm: {}, dropout: {}}, affine_map: {scale: 2}}
";
const WIDTHS: Widths =
    Widths { continuous: 3, binary: 2, user_embedding: 4, user_eng_embedding: 0, author_embedding: 4 };

fn config() -> ModelConfig {
    ModelConfig::from_yaml(CONFIG, "config.yaml").unwrap()
}

fn seeded() -> Weights {
    Weights::seeded(&config(), WIDTHS, 1).unwrap()
}

fn tensors() -> Vec<NamedTensor> {
    let weights = seeded();
    let tensor = |name: String| {
        let tensor = weights.get(&name);
        NamedTensor { dtype: tensor.dtype, shape: tensor.shape.into(), bytes: tensor.bytes.into(), name }
    };
    expected(&config(), WIDTHS).unwrap().into_iter().map(|t| tensor(t.name)).collect()
}

fn check(tensors: &[NamedTensor]) -> Result<Model, String> {
    let weights = Weights::from_tensors("w", tensors).map_err(|error| error.to_string())?;
    Model::new(config(), WIDTHS, weights).map_err(|error| error.to_string())
}

/// A file of this header and data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let weights = seeded();
    weights.write(&path).unwrap();
    weights.write(&path).unwrap();
    let again = Weights::open(&path).unwrap();
    assert_eq!(again.bytes(), weights.bytes());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // SAFETY: nothing else knows the temporary folder, and the file is not touched below.
    let shared = unsafe { Weights::open_shared(&path) }.unwrap();
    assert_eq!(shared.bytes(), weights.bytes());
    for name in weights.names() {
        assert_eq!(again.get(name).bytes, weights.get(name).bytes);
    }
    // A second reader of the format agrees.
    let other = safetensors::SafeTensors::deserialize(weights.bytes()).unwrap();
    assert_eq!(other.len(), weights.names().count());
    for (name, view) in other.tensors() {
        assert_eq!(
            (view.shape(), view.data()),
            (weights.get(&name).shape, weights.get(&name).bytes),
            "{name}"
        );
    }
    assert!(matches!(weights.write(folder.path().join("no/such/folder")), Err(Error::Io { .. })));
}

#[test]
fn a_copy_does_not_see_the_file_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let weights = seeded();
    weights.write(&path).unwrap();
    let copy = Weights::open(&path).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(9).unwrap();
    assert_eq!(copy.bytes(), weights.bytes());
    assert!(Weights::open(&path).is_err());
}

#[test]
fn what_is_no_weights_file_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let refused = |path: &Path, words: &str| {
        let error = Weights::open(path).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()) && text.contains(words), "{text}");
        error
    };
    refused(&path("empty", b""), "found an empty one");
    refused(folder.path(), "found a folder");
    refused(Path::new("/dev/null"), "found a device or pipe");
    assert!(matches!(refused(&folder.path().join("none"), "cannot open"), Error::Io { .. }));
    refused(&path("short", b"1234567"), "expected at least 8 bytes, found a file of 7");
    refused(&path("huge", &u64::MAX.to_le_bytes()), "not a safetensors file");
    refused(&path("text", b"this is not a weights file, it is a text"), "not a safetensors file");
    refused(&path("model.bin", b"PK\x03\x04zipfile-of-a-torch-checkpoint"), "not a safetensors file");
}

#[test]
fn a_lying_header_is_a_typed_error() {
    let one = |fields: &str| format!("{{\"t\":{{{fields}}}}}");
    let cases = [
        ("[]".to_owned(), 0, "header\": not a safetensors header"),
        ("{".to_owned(), 0, "not a safetensors header"),
        ("{} x".to_owned(), 0, "not a safetensors header"),
        ("{}".to_owned(), 1, "found 1 bytes after the last"),
        (one(r#""dtype":"F32","shape":[1]"#), 4, "tensor \"t\": missing field `data_offsets`"),
        (one(r#""dtype":"F32","shape":[-1],"data_offsets":[0,4]"#), 4, "tensor \"t\": invalid value"),
        (one(r#""dtype":"F32","shape":[1.5],"data_offsets":[0,4]"#), 4, "tensor \"t\": invalid type"),
        (one(r#""dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1"#), 4, "unknown field `x`"),
        (one(r#""dtype":"I32","shape":[1],"data_offsets":[0,4]"#), 4, "tensor \"t\": expected the type F32"),
        (one(r#""dtype":"F32","shape":[1],"data_offsets":[4,0]"#), 4, "\"t\": expected data offsets in order"),
        (one(r#""dtype":"F32","shape":[1],"data_offsets":[0,8]"#), 4, "within the 4 bytes of data, found [0, 8]"),
        (one(r#""dtype":"F32","shape":[2],"data_offsets":[0,4]"#), 4, "expected the bytes of F32 of shape [2]"),
        (
            one(r#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]"#),
            0,
            "shape [4294967296, 4294967296], found 0",
        ),
        (one(r#""dtype":"F32","shape":[1],"data_offsets":[4,8]"#), 8, "\"t\": expected its data at offset 0"),
        (
            r#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"u":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#
                .to_owned(),
            8,
            "tensor \"u\": expected its data at offset 8, where the tensor before it ends, found an overlap",
        ),
        (
            r#"{"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#
                .to_owned(),
            0,
            "tensor \"t\": expected one tensor of the name, found two",
        ),
        (
            r#"{"model.t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"u":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#
                .to_owned(),
            0,
            "expected the prefix \"model.\" on all names or on none, found \"u\" without it",
        ),
        (format!("{{\"{}\":1}}", "n".repeat(100_000)), 0, "… (100000 bytes)"),
        ("[".repeat(1_000_000), 0, "not a safetensors header"),
        (format!("{{\"t\":{}", "{\"shape\":[".repeat(100_000)), 0, "not a safetensors header"),
    ];
    for (header, data, words) in cases {
        let error = Weights::from_bytes("w", file(&header, data)).unwrap_err().to_string();
        assert!(error.starts_with("w: tensor \"") && error.contains(words), "{words}: {error}");
        assert!(error.len() < 1000, "{error}");
    }
    let metadata =
        r#"{"__metadata__":{"format":"pt"},"t":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}   "#;
    assert_eq!(Weights::from_bytes("w", file(metadata, 2)).unwrap().get("t").dtype, Dtype::Bf16);
}

#[test]
fn every_tensor_is_needed_in_its_shape_and_type() {
    let tensors = tensors();
    check(&tensors).unwrap();
    for (index, tensor) in tensors.iter().enumerate() {
        let name = &tensor.name;
        let optional = ["_calibrators", "_affine_maps", "_value"].iter().any(|part| name.contains(part));
        let mut changed = tensors.clone();
        changed.remove(index);
        match check(&changed) {
            Ok(_) => assert!(optional, "{name} is not missed"),
            Err(error) => {
                assert!(
                    !optional && error.starts_with(&format!("w: tensor \"{name}\": expected shape ")),
                    "{error}"
                );
            }
        }

        let mut changed = tensors.clone();
        changed[index].shape.push(1);
        let error = check(&changed).unwrap_err();
        assert!(error.starts_with(&format!("w: tensor \"{name}\": expected shape [")), "{error}");
        assert!(error.ends_with(&format!(", found {:?}", changed[index].shape)), "{error}");

        let mut changed = tensors.clone();
        changed[index].name.push('x');
        let error = check(&changed).unwrap_err();
        assert!(error.contains(&format!("{name}x\"")), "{error}");

        let mut changed = tensors.clone();
        let elements: usize = tensor.shape.iter().product();
        changed[index].dtype = if tensor.dtype == Dtype::I64 { Dtype::F32 } else { Dtype::I64 };
        changed[index].bytes = vec![0; elements * changed[index].dtype.size()];
        let error = check(&changed).unwrap_err();
        assert!(error.contains(&format!("\"{name}\": expected the type ")), "{error}");
        if tensor.dtype == Dtype::I64 {
            continue;
        }

        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut changed = tensors.clone();
            let last = changed[index].bytes.len() - 4;
            changed[index].bytes[last..].copy_from_slice(&value.to_le_bytes());
            let error = check(&changed).unwrap_err();
            let words =
                format!("\"{name}\": expected a finite value at element {}, found {value}", elements - 1);
            assert!(error.contains(&words), "{error}");
        }
    }
}

#[test]
fn values_that_cannot_be_computed_with_are_named() {
    let set = |part: &str, value: f32| {
        let mut tensors = tensors();
        let tensor = tensors.iter_mut().find(|t| t.name.contains(part)).unwrap();
        tensor.bytes[..4].copy_from_slice(&value.to_le_bytes());
        check(&tensors).map(|_| ())
    };
    let cases = [
        ("running_var", -1e-30, "expected a variance of at least 0 at element 0, found -0.000"),
        ("ratio", 0.0, "expected a ratio above 0 at element 0, found 0"),
        ("ratio", -2.0, "expected a ratio above 0"),
        ("min_value", 5.5, "max_value\": expected at least the lower bound 5.5, found 5"),
        ("max_value", -5.5, "max_value\": expected at least the lower bound -5, found -5.5"),
    ];
    for (part, value, words) in cases {
        let error = set(part, value).unwrap_err();
        assert!(error.contains(words), "{part}: {error}");
    }
    for (part, value) in [("running_var", 0.0), ("running_var", -0.0), ("ratio", 1e-30), ("min_value", 5.0)] {
        assert_eq!(set(part, value), Ok(()), "{part} {value}");
    }
}

#[test]
fn half_precision_and_the_wrappers_prefix_are_read() {
    let halved = |dtype: Dtype, bits: fn(f32) -> u16| -> Vec<NamedTensor> {
        let halve = |mut tensor: NamedTensor| {
            if tensor.dtype == Dtype::F32 {
                let values = tensor.bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
                tensor.bytes = values.flat_map(|v| bits(v).to_le_bytes()).collect();
                tensor.dtype = dtype;
            }
            tensor.name.insert_str(0, "model.");
            tensor
        };
        tensors().into_iter().map(halve).collect()
    };
    let full = check(&tensors()).unwrap();
    let bf16 = check(&halved(Dtype::Bf16, |v| half::bf16::from_f32(v).to_bits())).unwrap();
    let f16 = check(&halved(Dtype::F16, |v| half::f16::from_f32(v).to_bits())).unwrap();
    for name in full.weights().names() {
        let (full, bf16, f16) = (full.weights().get(name), bf16.weights().get(name), f16.weights().get(name));
        for ((full, bf16), f16) in full.to_vec().into_iter().zip(bf16.to_vec()).zip(f16.to_vec()) {
            // Half a unit in the last of 8 and 11 bits of mantissa; f16 is denormal below 2^-14.
            assert!((full - bf16).abs() <= full.abs() / 256.0, "{name}: {full} {bf16}");
            assert!((full - f16).abs() <= full.abs() / 2048.0 + 2.0_f64.powi(-25), "{name}: {full} {f16}");
        }
    }
}

#[test]
fn no_mutation_of_a_file_panics() {
    let bytes = seeded().bytes().to_vec();
    let open = |bytes: Vec<u8>| {
        Weights::from_bytes("w", bytes).map(|weights| Model::new(config(), WIDTHS, weights).map(|_| ()))
    };
    assert!(matches!(open(bytes.clone()), Ok(Ok(()))));
    for cut in 0..bytes.len() {
        assert!(open(bytes[..cut].to_vec()).is_err(), "cut at {cut}");
    }
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut state = 3_u64;
    for round in 0..20_000 {
        let mut changed = bytes.clone();
        for _ in 0..1 + round % 3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let range = if round % 4 == 0 { changed.len() } else { header };
            let at = (state >> 33) as usize % range;
            match (state >> 24) % 4 {
                0 => drop(changed.remove(at)),
                1 => changed.insert(at, b'0' + ((state >> 8) % 10) as u8),
                _ => changed[at] = (state >> 8) as u8,
            }
        }
        let _ = open(changed);
    }
}

#[test]
fn the_production_weights_are_made_written_and_opened_in_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/production");
    let start = Instant::now();
    let (model, _) = Model::open_case(folder).unwrap();
    let seeded = start.elapsed();
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("model.safetensors");
    model.weights().write(&path).unwrap();
    let start = Instant::now();
    let weights = Weights::open(&path).unwrap();
    let opened = start.elapsed();
    let start = Instant::now();
    weights.check(model.config(), model.widths()).unwrap();
    println!("seeded and checked {seeded:?}, opened {opened:?}, checked {:?}", start.elapsed());
    assert_eq!(weights.bytes(), model.weights().bytes());
}
