//! Timings on an NVIDIA GPU: every kernel of the production model by itself, the whole model at many sizes, and the
//! machine's measured ceilings beside them. Built into the bundle of `cargo xtask gpu-suite`, where `run.sh` calls it.
//!
//! ```text
//! cargo bench --bench gpu -- probe            whether a GPU can be used; non-zero with the reason where not
//! cargo bench --bench gpu -- ceilings OUT.csv what the device can do at most, and our own best product
//! cargo bench --bench gpu -- kernels  OUT.csv each kernel, device events, L2 warm
//! cargo bench --bench gpu -- model    OUT.csv graph (device events), pinned and pageable rows (wall clock)
//! cargo bench --bench gpu -- table    CSV…    all rows as one table
//! ```
//!
//! Nothing is timed before a scorer of the same kernels has given the golden case's answers, and the timed kernels the
//! scorer's, bit by bit. With `MASKRANK_REHEARSAL` set everything runs on a tiny model, to see that it does.

mod ceilings;
mod extent;
#[allow(dead_code, reason = "shared with the other benches; a part of it is used here")]
mod limits;
mod measure;
mod row;

#[path = "../lab/bench/quality.rs"]
#[allow(dead_code, reason = "shared with the other benches; a part of it is used here")]
mod quality;
#[path = "../lab/bench/subject.rs"]
#[allow(dead_code, reason = "as above")]
mod subject;

use std::path::Path;
use std::process::ExitCode;

use extent::Extent;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let extent = Extent::chosen();
    let outcome = match words.as_slice() {
        ["probe"] => measure::probe(),
        ["ceilings", out] => ceilings::ceilings(extent).and_then(|rows| row::write(Path::new(out), &rows)),
        ["kernels", out] => measure::kernels(extent).and_then(|rows| row::write(Path::new(out), &rows)),
        ["model", out] => measure::model(extent).and_then(|rows| row::write(Path::new(out), &rows)),
        ["table", files @ ..] if !files.is_empty() => row::table(files),
        _ => Err("expected probe, ceilings OUT.csv, kernels OUT.csv, model OUT.csv or table CSV…".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpu: {error}");
            ExitCode::FAILURE
        }
    }
}
