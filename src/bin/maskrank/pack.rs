//! `pack`: a model folder into one file that opens with no work.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use maskrank::{Backend, CpuKernel, Model, Scorer};

use crate::Outcome;
use crate::columns::RequestColumns;
use crate::select::{BackendName, PrecisionName};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder
    #[arg(long)]
    model: PathBuf,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
    /// What the file is for; auto means the CPU
    #[arg(long, value_enum, default_value = "cpu")]
    backend: BackendName,
    /// Storage type of the weights: f32, bf16 or f16
    #[arg(long, value_enum, default_value = "f32")]
    precision: PrecisionName,
    /// On the CPU, the kernel whose layout is written: amx, avx512-bf16, avx512, avx2 or portable. Default: the best here
    #[arg(long, value_parser = parse_kernel)]
    kernel: Option<CpuKernel>,
    /// Columns that come once a request, as the scorer will declare them: user_embedding, user_eng_embedding,
    /// author_embedding, continuous:FROM..TO, binary:FROM..TO, with commas between; or @FILE that holds them
    #[arg(long, value_name = "COLUMNS|@FILE")]
    request_columns: Option<RequestColumns>,
}

fn parse_kernel(text: &str) -> Result<CpuKernel, String> {
    let found = CpuKernel::ALL.into_iter().find(|kernel| kernel.name() == text);
    found.ok_or_else(|| format!("expected one of {}", CpuKernel::ALL.map(CpuKernel::name).join(", ")))
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let start = Instant::now();
    let model = Model::open(&arguments.model)?;
    let mut builder = Scorer::builder(&model)
        .backend(Backend::from(arguments.backend))
        .precision(arguments.precision.into());
    if let Some(columns) = &arguments.request_columns {
        builder = builder.split(columns.of(model.widths()));
    }
    if let Some(kernel) = arguments.kernel {
        builder = builder.cpu_kernel(kernel);
    }
    builder.pack(&arguments.out)?;
    let out = &arguments.out;
    let bytes =
        std::fs::metadata(out).map_err(|error| format!("cannot read {}: {error}", out.display()))?.len();
    // What was written must open.
    let packed = Model::open(out)?;
    let Some(packed) = packed.weights().packed() else {
        return Err(format!("{} is not a packed model", out.display()).into());
    };
    println!(
        "wrote {}: {bytes} bytes for {} in {}, layout {}, in {:.2} s",
        out.display(),
        packed.backend(),
        packed.precision(),
        packed.layout(),
        start.elapsed().as_secs_f64()
    );
    Ok(ExitCode::SUCCESS)
}
