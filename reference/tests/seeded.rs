//! The seeded recipe, bit for bit, against what the golden cases store: their weights and inputs were drawn by it.

mod common;

use common::{CASES, Case, arrays, folder};
use maskrank_reference::{Kind, seeded};

/// Rows whose continuous features were replaced by hand in some cases: 0, NaN and infinities, ±3e38, denormals, −0.
const PLANTED_ROWS: usize = 6;

/// What a stored tensor is for, by its name and rank.
fn kind(name: &str, rank: usize) -> Kind {
    let (layer, part) = name.rsplit_once('.').expect("a tensor name has a dot");
    // a norm has a bias too: its weight has one dimension; both biases are drawn alike
    match part {
        _ if layer.starts_with("_calibrators") || layer.starts_with("_affine_maps") => Kind::Constant,
        "min_value" | "max_value" => Kind::Constant,
        "weight" if rank == 2 => Kind::LinearWeight,
        "weight" => Kind::NormWeight,
        "bias" if layer.ends_with("norm") => Kind::NormBias,
        "bias" => Kind::LinearBias,
        "running_mean" => Kind::RunningMean,
        "running_var" => Kind::RunningVariance,
        other => panic!("{name}: unknown part {other}"),
    }
}

#[test]
fn weights_are_the_stored_ones() {
    let mut compared = 0;
    for name in CASES.into_iter().filter(|name| *name != "production") {
        let seed = Case::read(name).seed;
        for (tensor, (shape, stored)) in arrays(&folder(name).join("model.safetensors")) {
            let Some(drawn) = seeded::tensor(seed, &tensor, kind(&tensor, shape.len()), &shape) else {
                continue; // a constant of the configuration
            };
            assert_eq!(drawn.len(), stored.len(), "{name}/{tensor}: length");
            for (index, (drawn, stored)) in drawn.iter().zip(&stored).enumerate() {
                assert_eq!(f64::from(*drawn), *stored, "{name}/{tensor} seed {seed}: element {index}");
            }
            compared += 1;
        }
    }
    assert!(compared > 200, "only {compared} tensors were compared");
}

#[test]
fn inputs_are_the_stored_ones() {
    for name in CASES {
        let case = Case::read(name);
        for (input, stored) in &case.inputs {
            let planted = if input == "continuous" { PLANTED_ROWS * case.spec.continuous } else { 0 };
            let drawn = match input.as_str() {
                "continuous" => seeded::continuous(case.seed, stored.len()),
                "binary" => seeded::binary(case.seed, stored.len()),
                embedding => seeded::embedding(case.seed, embedding, stored.len()),
            };
            for (index, (drawn, stored)) in drawn.iter().zip(stored).enumerate().skip(planted) {
                assert_eq!(
                    drawn.to_bits(),
                    stored.to_bits(),
                    "{name}/{input} seed {}: element {index}",
                    case.seed
                );
            }
        }
    }
}
