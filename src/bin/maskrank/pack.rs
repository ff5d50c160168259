//! `pack`: a model folder into one file that opens with no work.

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use maskrank::config::EMBEDDINGS;
use maskrank::{Backend, CpuKernel, Model, Scorer, Split};

use crate::Outcome;
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
    /// author_embedding, continuous:FROM..TO, binary:FROM..TO
    #[arg(long, value_delimiter = ',', value_parser = parse_columns)]
    request_columns: Vec<RequestColumns>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RequestColumns {
    Embedding(usize),
    Continuous(Range<usize>),
    Binary(Range<usize>),
}

fn parse_kernel(text: &str) -> Result<CpuKernel, String> {
    let found = CpuKernel::ALL.into_iter().find(|kernel| kernel.name() == text);
    found.ok_or_else(|| format!("expected one of {}", CpuKernel::ALL.map(CpuKernel::name).join(", ")))
}

fn parse_columns(text: &str) -> Result<RequestColumns, String> {
    if let Some(at) = EMBEDDINGS.iter().position(|name| *name == text) {
        return Ok(RequestColumns::Embedding(at));
    }
    let expected = || format!("expected {}, continuous:FROM..TO or binary:FROM..TO", EMBEDDINGS.join(", "));
    let (kind, range) = text.split_once(':').ok_or_else(expected)?;
    let (from, to) = range.split_once("..").ok_or_else(expected)?;
    let (Ok(from), Ok(to)) = (from.parse(), to.parse()) else { return Err(expected()) };
    match kind {
        "continuous" => Ok(RequestColumns::Continuous(from..to)),
        "binary" => Ok(RequestColumns::Binary(from..to)),
        _ => Err(expected()),
    }
}

fn split(columns: &[RequestColumns]) -> Split {
    let mut split = Split::default();
    for column in columns {
        match column {
            RequestColumns::Embedding(at) => split.embeddings[*at] = true,
            RequestColumns::Continuous(range) => split.continuous.push(range.clone()),
            RequestColumns::Binary(range) => split.binary.push(range.clone()),
        }
    }
    split.continuous.sort_by_key(|range| range.start);
    split.binary.sort_by_key(|range| range.start);
    split
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let start = Instant::now();
    let model = Model::open(&arguments.model)?;
    let mut builder = Scorer::builder(&model)
        .backend(Backend::from(arguments.backend))
        .precision(arguments.precision.into())
        .split(split(&arguments.request_columns));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_the_inputs_are() {
        let parsed: Vec<RequestColumns> =
            ["binary:3..9", "user_embedding", "continuous:40..50", "continuous:0..7"]
                .into_iter()
                .map(|text| parse_columns(text).unwrap())
                .collect();
        let expected =
            Split { continuous: vec![0..7, 40..50], binary: vec![3..9], embeddings: [true, false, false] };
        assert_eq!(split(&parsed), expected);
        for wrong in ["", "continuous", "continuous:", "continuous:3", "binary:a..b", "user"] {
            assert!(parse_columns(wrong).is_err(), "{wrong}");
        }
    }
}
