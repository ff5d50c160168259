//! Shaders one by one, in every variant that the adapter can run, and with faults planted in them.
//!
//! Where no adapter is present, or its driver fails the self-test, every trial is listed as ignored, with the reason.
//! `MASKRANK_REQUIRE=wgpu` turns that into a failure.

#![allow(unreachable_pub, reason = "the trials share their modules")]

mod shaders;

use libtest_mimic::{Arguments, Failed, Trial};
use maskrank::golden::Case;
use maskrank::wgpu_testing::TestDevice;
use maskrank::{Backend, Precision, Scorer};

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::F16, Precision::Bf16];

fn main() {
    if let Some(name) = std::env::var_os(shaders::CHILD) {
        return shaders::child(&name.to_string_lossy());
    }
    let arguments = Arguments::from_args();
    let absent = shaders::open("tiny-parallel").and_then(|case| usable(&case)).err();
    let mut trials = Vec::new();
    for (name, run) in shaders::trials() {
        let trial = match &absent {
            None => Trial::test(name, move || {
                run();
                Ok(())
            }),
            Some(reason) => {
                let required = std::env::var("MASKRANK_REQUIRE").unwrap_or_default();
                let is_required = required.split(',').any(|backend| backend.trim() == "wgpu");
                let reason = reason.clone();
                let name = if is_required { name } else { format!("{name}: {reason}") };
                Trial::test(name, move || Err(Failed::from(reason))).with_ignored_flag(!is_required)
            }
        };
        trials.push(trial);
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Whether an adapter is here that a scorer would take.
fn usable(case: &Case) -> Result<(), String> {
    let builder = Scorer::builder(&case.model).backend(Backend::Wgpu).max_candidates(1).max_in_flight(1);
    builder.build().map(drop).map_err(|error| error.to_string())
}

/// The adapter's variants of a precision; where there is no adapter, one that stands for all.
fn variants(precision: Precision) -> Vec<String> {
    TestDevice::variants(precision).unwrap_or_else(|_| vec!["every variant".to_owned()])
}
