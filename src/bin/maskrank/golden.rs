//! `golden`: every case on every backend and precision that is present.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use maskrank::golden::Case;
use maskrank::{Backend, Error, Precision, Scorer};

use crate::Outcome;
use crate::select::{BackendName, PrecisionName, next_step};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A folder of case folders, or one case folder
    dir: PathBuf,
    /// Backends to check; a named one that is absent is a failure. Default: all that are present
    #[arg(long, value_enum, value_delimiter = ',')]
    backend: Vec<BackendName>,
    /// Precisions to check; a named one that a backend lacks is a failure. Default: all that each supports
    #[arg(long, value_enum, value_delimiter = ',')]
    precision: Vec<PrecisionName>,
    /// Part of a GPU's name, where there are several
    #[arg(long)]
    adapter: Option<String>,
}

const BACKENDS: [Backend; 3] = [Backend::Cpu, Backend::Cuda, Backend::Wgpu];
const PRECISIONS: [Precision; 4] = [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16];

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let backends: Vec<Backend> = match arguments.backend.as_slice() {
        [] => BACKENDS.to_vec(),
        named => named.iter().map(|&name| name.into()).collect(),
    };
    let precisions: Vec<Precision> = match arguments.precision.as_slice() {
        [] => PRECISIONS.to_vec(),
        named => named.iter().map(|&name| name.into()).collect(),
    };
    println!(
        "{:<24} {:<8} {:<5} {:>12} {:>12} {:>12}  result",
        "case", "backend", "prec", "logit diff", "bound", "score diff"
    );
    let mut table = Table { ran: 0, failed: 0, absent: Vec::new(), next_step: None };
    for folder in Case::find(&arguments.dir)? {
        match Case::open(&folder) {
            Ok(case) => {
                for &backend in &backends {
                    for &precision in &precisions {
                        table.line(arguments, &case, backend, precision);
                    }
                }
            }
            Err(error) => table.fail(&folder.display().to_string(), "-", "-", &error.to_string()),
        }
    }
    for reason in &table.absent {
        println!("not run: {reason}");
    }
    println!("{} passed, {} failed", table.ran - table.failed, table.failed);
    if let Some(step) = &table.next_step {
        println!("{step}");
    }
    if table.failed > 0 || table.ran == 0 {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

struct Table {
    ran: usize,
    failed: usize,
    absent: Vec<String>,
    /// After a backend that was named and cannot run.
    next_step: Option<String>,
}

impl Table {
    fn line(&mut self, arguments: &Arguments, case: &Case, backend: Backend, precision: Precision) {
        let (backend_name, precision_name) = (backend.to_string(), precision.to_string());
        let mut builder = Scorer::builder(&case.model)
            .backend(backend)
            .precision(precision)
            .max_candidates(case.rows.max(1));
        if let Some(name) = &arguments.adapter {
            builder = builder.adapter(name);
        }
        let scorer = match builder.max_in_flight(1).build() {
            Ok(scorer) => scorer,
            Err(error) => {
                let absent = match &error {
                    Error::BackendUnavailable { .. } => arguments.backend.is_empty(),
                    Error::Unsupported { .. } => arguments.precision.is_empty(),
                    _ => false,
                };
                if absent {
                    let reason = error.to_string();
                    if !self.absent.contains(&reason) {
                        self.absent.push(reason);
                    }
                } else {
                    self.next_step = self.next_step.take().or_else(|| next_step(&error));
                    self.fail(&case.name, &backend_name, &precision_name, &error.to_string());
                }
                return;
            }
        };
        match case.check(&scorer) {
            Err(error) => self.fail(&case.name, &backend_name, &precision_name, &error.to_string()),
            Ok(comparison) => {
                self.ran += 1;
                let passed = comparison.passed();
                self.failed += usize::from(!passed);
                let bound =
                    comparison.checks.iter().find(|c| c.name == "logits").map_or(f64::NAN, |c| c.bound);
                println!(
                    "{:<24} {backend_name:<8} {precision_name:<5} {:>12.3e} {bound:>12.3e} {:>12.3e}  {}",
                    case.name,
                    comparison.logit_error,
                    comparison.score_error,
                    if passed { "ok".to_owned() } else { format!("FAILED: {}", comparison.failures()) }
                );
            }
        }
    }

    fn fail(&mut self, case: &str, backend: &str, precision: &str, why: &str) {
        self.ran += 1;
        self.failed += 1;
        println!("{case:<24} {backend:<8} {precision:<5} {:>12} {:>12} {:>12}  FAILED: {why}", "-", "-", "-");
    }
}
