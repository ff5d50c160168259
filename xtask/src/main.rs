//! Project automation, run as `cargo xtask <command>`.

mod compare;
mod gpu_suite;
mod import;
mod kernels;
mod peers;
mod report;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Project automation")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs the pinned CUDA compilers into `.toolchain/`, without root.
    CudaToolchain,
    /// Compiles `kernels/` for every target into `kernels/artifacts/`.
    Kernels {
        /// Compile, compare with what is committed, write nothing.
        #[arg(long)]
        check: bool,
        /// Also leave the uncompressed modules in this folder, for reading.
        #[arg(long)]
        keep: Option<PathBuf>,
    },
    /// Runs our CPU backend beside PyTorch, ONNX Runtime and OpenVINO, and prints the table of targets.
    Peers(peers::Arguments),
    /// Renders the records: one HTML page, the README's tables and figures.
    Report(report::Arguments),
    /// Says what changed between two records beyond the noise.
    Compare(compare::Arguments),
    /// Proves and times the CUDA backend: makes a self-contained folder, and runs it here unless told not to.
    GpuSuite {
        /// Make the folder, to be taken to another machine; do not run it.
        #[arg(long)]
        bundle: bool,
        /// Where. Default: target/gpu-suite
        #[arg(long)]
        out: Option<PathBuf>,
        /// How to build it.
        #[arg(long, value_enum, default_value = "release")]
        profile: gpu_suite::Profile,
    },
    /// Brings the results of a GPU suite into the records, for the report.
    Import {
        /// The bundle's results/, from the machine that ran it
        results: PathBuf,
    },
}

/// What the GPU bench's writer returns, which the import's test runs.
#[cfg(test)]
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The repository's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::CudaToolchain => toolchain::install(root()),
        Command::Peers(arguments) => peers::run(root(), &arguments),
        Command::Report(arguments) => report::run(root(), &arguments),
        Command::Compare(arguments) => compare::run(root(), &arguments),
        Command::Import { results } => import::run(root(), &results).map(drop),
        Command::Kernels { check: true, keep } => kernels::check(root(), keep.as_deref()),
        Command::Kernels { check: false, keep } => kernels::build(root(), keep.as_deref()),
        Command::GpuSuite { bundle: true, out, profile } => gpu_suite::bundle(root(), out, profile).map(drop),
        Command::GpuSuite { bundle: false, out, profile } => gpu_suite::run(root(), out, profile),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
