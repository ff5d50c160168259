//! The suite that every backend passes, on the interpreter.

#[path = "../../../../tests/suite/mod.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared by path with the integration tests")]
mod shared;

use shared::Target;

use crate::{Backend, Precision};

/// Runs the trials whose name starts with `prefix`.
fn run(precision: Precision, prefix: &str) {
    let target = Target { backend: Backend::Cuda, precision };
    let trials: Vec<_> = shared::trials().into_iter().filter(|trial| trial.name.starts_with(prefix)).collect();
    assert!(!trials.is_empty(), "no trial is named {prefix}");
    for trial in trials {
        let (name, start) = (trial.name, std::time::Instant::now());
        (trial.run)(target);
        println!("{precision}: {name}: {:.1} s", start.elapsed().as_secs_f64());
    }
}

macro_rules! suite {
    ($($name:ident: $precision:ident $prefix:literal;)*) => {
        $(#[test]
        fn $name() {
            run(Precision::$precision, $prefix);
        })*
    };
}

suite! {
    f32_golden: F32 "golden/";
    tf32_golden: Tf32 "golden/";
    bf16_golden: Bf16 "golden/";
    f16_golden: F16 "golden/";
    f32_random_models: F32 "random_model/";
    tf32_random_models: Tf32 "random_model/";
    bf16_random_models: Bf16 "random_model/";
    f16_random_models: F16 "random_model/";
    f32_ragged: F32 "ragged/";
    tf32_ragged: Tf32 "ragged/";
    bf16_ragged: Bf16 "ragged/";
    f16_ragged: F16 "ragged/";
    f32_invariance: F32 "invariance/";
    tf32_invariance: Tf32 "invariance/";
    bf16_invariance: Bf16 "invariance/";
    f16_invariance: F16 "invariance/";
}

#[test]
fn debug_cpu() {
    for seed in ["random_model/", "ragged/half"] {
        for trial in shared::trials().into_iter().filter(|t| t.name.starts_with(seed)) {
            let name = trial.name.clone();
            let target = Target { backend: Backend::Cpu, precision: Precision::Bf16 };
            let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (trial.run)(target))).is_ok();
            println!("CPU bf16 {name} {ok}");
        }
    }
}
#[test]
fn debug_gpu() {
    for (precision, seed) in [(Precision::Bf16, "random_model/"), (Precision::F32, "random_model/"), (Precision::F32, "ragged/")] {
        for trial in shared::trials().into_iter().filter(|t| t.name.starts_with(seed)).take(15) {
            let name = trial.name.clone();
            let target = Target { backend: Backend::Cuda, precision };
            let start = std::time::Instant::now();
            let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (trial.run)(target))).is_ok();
            println!("CUDA {precision} {name} {ok} {:.1}", start.elapsed().as_secs_f64());
        }
    }
}
