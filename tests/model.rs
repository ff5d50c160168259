//! Models on disk: the golden cases open, the seeded recipe makes their weights and inputs bit for bit.

use std::path::{Path, PathBuf};
use std::time::Instant;

use maskrank::Model;
use maskrank::config::EMBEDDINGS;
use maskrank::plan::Plan;
use maskrank::weights::{Kind, Weights, expected, seeded};

const STORED: [&str; 5] = ["tiny-parallel", "ragged-input-norm", "serial", "share-partial", "share-none"];

fn golden(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(case)
}

#[test]
fn every_golden_case_opens_and_can_be_planned() {
    for name in STORED.into_iter().chain(["production"]) {
        let start = Instant::now();
        let (model, case) = Model::open_case(golden(name)).unwrap();
        println!("{name}: opened in {:?}", start.elapsed());
        let tasks: Vec<&str> = model.tasks().iter().map(|task| task.name.as_str()).collect();
        assert_eq!(tasks, case.tasks, "{name}");
        assert_eq!(model.widths(), case.widths, "{name}");
        let plan = Plan::build(model.config(), model.widths(), model.weights(), 1);
        assert_eq!(plan.head().tasks.len(), tasks.len(), "{name}");
    }
}

#[test]
fn the_recipe_makes_the_stored_weights() {
    for name in STORED {
        let (model, case) = Model::open_case(golden(name)).unwrap();
        let seeded = Weights::seeded(model.config(), model.widths(), case.seed.unwrap()).unwrap();
        for tensor in expected(model.config(), model.widths()).unwrap() {
            let stored = model.weights().get(&tensor.name);
            let made = seeded.get(&tensor.name);
            assert_eq!(made.shape, stored.shape, "{name}: {}", tensor.name);
            assert!(
                tensor.kind == Kind::Counter || made.bytes == stored.bytes,
                "{name}: {}: {:?} is not {:?}",
                tensor.name,
                made.to_vec(),
                stored.to_vec()
            );
        }
    }
}

#[test]
fn the_recipe_makes_the_stored_inputs() {
    for name in STORED.into_iter().chain(["production"]) {
        let (model, case) = Model::open_case(golden(name)).unwrap();
        let made = seeded::inputs(case.widths, case.rows.unwrap(), case.seed.unwrap());
        let stored = Weights::open(golden(name).join("inputs.safetensors")).unwrap();
        let [user, user_eng, author] = made.embeddings;
        let inputs = [("continuous", made.continuous), ("binary", made.binary)];
        for (input, made) in inputs.into_iter().chain(EMBEDDINGS.into_iter().zip([user, user_eng, author])) {
            let Some(stored) = stored.find(input) else {
                assert!(made.is_empty(), "{name}: {input}");
                continue;
            };
            let differing = stored.to_vec().iter().zip(&made).filter(|(a, b)| **a != f64::from(**b)).count();
            println!("{name} {input}: {differing} of {} differ, {}", made.len(), model.widths().input_dim());
        }
    }
}
