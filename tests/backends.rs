//! Runs the suite on every backend and precision. What is absent is listed as ignored, with the reason.
//!
//! `MASKRANK_REQUIRE=wgpu,cuda` turns the absence of the named backends into a failure.

#![allow(unreachable_pub, reason = "the suite's modules are shared by path")]

mod suite;

use libtest_mimic::{Arguments, Failed, Trial};
use maskrank::golden::Case;
use maskrank::{Backend, Error, Precision, Scorer};
use suite::Target;

const BACKENDS: [Backend; 3] = [Backend::Cpu, Backend::Cuda, Backend::Wgpu];
const PRECISIONS: [Precision; 4] = [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16];

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for backend in BACKENDS {
        for precision in PRECISIONS {
            add(Target { backend, precision }, &mut trials);
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn add(target: Target, trials: &mut Vec<Trial>) {
    match probe(target) {
        Ok(()) => {
            for trial in suite::trials() {
                let run = trial.run;
                let name = format!("{}/{}", target.name(), trial.name);
                trials.push(Trial::test(name, move || {
                    run(target);
                    Ok(())
                }));
            }
        }
        // A backend that is here but does not offer the precision: nothing to test, by design.
        Err(Error::Unsupported { .. }) => {}
        Err(error) => {
            let required = std::env::var("MASKRANK_REQUIRE").unwrap_or_default();
            let is_required = target.precision == Precision::F32
                && required.split(',').any(|name| name.trim() == target.backend.to_string());
            let message = error.to_string();
            let name = format!("{}: {message}", target.name());
            let trial = Trial::test(name, move || Err(Failed::from(message)));
            trials.push(trial.with_ignored_flag(!is_required && target.backend != Backend::Cpu));
        }
    }
}

/// Whether a target can run here at all.
fn probe(target: Target) -> Result<(), Error> {
    let case = Case::open(&suite::golden_folder().join("share-none"))?;
    let builder = Scorer::builder(&case.model).backend(target.backend).precision(target.precision);
    builder.max_candidates(1).max_in_flight(1).build().map(drop)
}
