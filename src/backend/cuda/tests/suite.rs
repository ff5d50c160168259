//! The suite that every backend passes, on the interpreter.

#[path = "../../../../tests/suite/mod.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared by path with the integration tests")]
mod shared;

use shared::invariance::invariant;
use shared::{Target, golden_folder};

use crate::golden::Case;
use crate::{Backend, Precision};
use maskrank_ptx_driver::with_multiprocessors;

/// Multiprocessors of an H200: with as many, the production model runs with the tiles it has there.
pub(super) const H200: i32 = 132;

fn timed(precision: Precision, name: &str, run: impl FnOnce(Target)) {
    let start = std::time::Instant::now();
    run(Target { backend: Backend::Cuda, precision });
    println!("{precision}: {name}: {:.1} s", start.elapsed().as_secs_f64());
}

/// Runs the trials whose name starts with `prefix`, but for those of the production model.
fn run(precision: Precision, prefix: &str) {
    let is_meant = |name: &str| name.starts_with(prefix) && !name.contains("production");
    let trials: Vec<_> = shared::trials().into_iter().filter(|trial| is_meant(&trial.name)).collect();
    assert!(!trials.is_empty(), "no trial is named {prefix}");
    for trial in trials {
        timed(precision, &trial.name.clone(), trial.run);
    }
}

/// The production model: its golden case, and its first candidates alone. Without tensor cores once is enough: both
/// fill one tile of rows, at the same cost.
fn production(precision: Precision) {
    let case = Case::open(&golden_folder().join("production")).unwrap();
    let counts = if precision == Precision::F32 { &[case.rows][..] } else { &[8, case.rows] };
    with_multiprocessors(H200, || {
        for &rows in counts {
            let case = case.first(rows).unwrap();
            timed(precision, &format!("production, {rows} candidates"), |target| {
                let comparison = case.check(&target.scorer(&case.model, rows)).unwrap();
                assert!(comparison.passed(), "{rows} candidates: {}", comparison.failures());
            });
        }
    });
}

/// Bits do not depend on the batch: sizes on both sides of every tile that these models can meet.
fn invariance(precision: Precision) {
    for name in ["tiny-parallel", "ragged-input-norm", "serial", "share-none", "share-partial"] {
        timed(precision, &format!("invariance/{name}"), |target| {
            invariant(target, name, &[1, 2, 15, 16, 17, 64, 65, 257]);
        });
    }
    // Two hundred candidates without tensor cores would take minutes; the entries' own tests hold f32's bits in every tile.
    if precision != Precision::F32 {
        with_multiprocessors(H200, || {
            timed(precision, "invariance/production", |target| invariant(target, "production", &[17]));
        });
    }
}

/// The same where products are computed once a request, on one of the trial's models.
fn reuse_invariance(precision: Precision) {
    timed(precision, "invariance/reuse", |target| shared::reuse::invariant(target, &[1]));
}

macro_rules! suite {
    ($($name:ident: $run:ident($precision:ident $(, $prefix:literal)?);)*) => {
        $(#[test]
        fn $name() {
            $run(Precision::$precision $(, $prefix)?);
        })*
    };
}

suite! {
    f32_golden: run(F32, "golden/");
    tf32_golden: run(Tf32, "golden/");
    bf16_golden: run(Bf16, "golden/");
    f16_golden: run(F16, "golden/");
    f32_production: production(F32);
    tf32_production: production(Tf32);
    bf16_production: production(Bf16);
    f16_production: production(F16);
    f32_random_models: run(F32, "random_model/");
    tf32_random_models: run(Tf32, "random_model/");
    bf16_random_models: run(Bf16, "random_model/");
    f16_random_models: run(F16, "random_model/");
    f32_ragged: run(F32, "ragged/");
    tf32_ragged: run(Tf32, "ragged/");
    bf16_ragged: run(Bf16, "ragged/");
    f16_ragged: run(F16, "ragged/");
    bf16_reuse: run(Bf16, "reuse/golden/");
    f32_reuse: run(F32, "reuse/odd_requests");
    tf32_reuse: run(Tf32, "reuse/random_model/seed_2");
    f16_reuse: run(F16, "reuse/random_model/seed_1");
    bf16_reuse_invariance: reuse_invariance(Bf16);
    f32_staging: run(F32, "staging/");
    bf16_staging: run(Bf16, "staging/");
    f32_invariance: invariance(F32);
    tf32_invariance: invariance(Tf32);
    bf16_invariance: invariance(Bf16);
    f16_invariance: invariance(F16);
}
