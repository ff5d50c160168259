//! Models on disk: the golden cases open, the seeded recipe makes their weights and inputs bit for bit.

use std::path::{Path, PathBuf};
use std::time::Instant;

use maskrank::config::{Case, EMBEDDINGS};
use maskrank::plan::{Plan, Step};
use maskrank::weights::{Kind, Weights, expected, seeded};
use maskrank::{Architecture, Model};

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
        let case = Case::read(golden(name).join("case.json")).unwrap();
        let made = seeded::inputs(case.widths, case.rows.unwrap(), case.seed.unwrap());
        let stored = Weights::open(golden(name).join("inputs.safetensors")).unwrap();
        let [user, user_eng, author] = made.embeddings;
        let inputs = [("continuous", made.continuous), ("binary", made.binary)];
        for (input, made) in inputs.into_iter().chain(EMBEDDINGS.into_iter().zip([user, user_eng, author])) {
            let Some(stored) = stored.find(input) else {
                assert!(made.is_empty(), "{name}: {input}");
                continue;
            };
            // The first six rows of these hold planted specials: zeros, NaN, infinities, 3e38, denormals, -0.
            let planted = ["tiny-parallel", "ragged-input-norm", "production"].contains(&name);
            let skipped = if planted && input == "continuous" { 6 * case.widths.continuous } else { 0 };
            let stored = stored.to_vec();
            assert_eq!(stored.len(), made.len(), "{name}: {input}");
            for (index, (stored, made)) in stored.iter().zip(&made).enumerate().skip(skipped) {
                assert_eq!(*stored, f64::from(*made), "{name}: {input}[{index}]");
            }
        }
    }
}

#[test]
fn the_production_architecture_has_its_known_size() {
    let case = Case::read(golden("production").join("case.json")).unwrap();
    let config = Model::options().read_config(golden("production")).unwrap();
    let architecture = Architecture::new(&config, case.widths).unwrap();
    assert_eq!(architecture.parameters(), 48_115_108);
    let megaflops = architecture.flops() / 1e6;
    assert!((megaflops - 96.1).abs() <= 0.05, "{megaflops}");
}

#[test]
fn the_architecture_counts_what_the_plan_counts() {
    for name in STORED {
        let (model, _) = Model::open_case(golden(name)).unwrap();
        let plan = Plan::build(model.config(), model.widths(), model.weights(), 8);
        let planned = plan.steps.iter().filter(|step| matches!(step, Step::Gemm(_) | Step::Head(_)));
        let planned: f64 = planned.map(|step| plan.step_cost(step).flops).sum();
        let architecture = Architecture::new(model.config(), model.widths()).unwrap();
        assert_eq!(architecture.flops(), planned, "{name}");
    }
}
