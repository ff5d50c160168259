//! `inspect`: what a model is made of.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use maskrank::config::Widths;
use maskrank::{Architecture, Backend, LayerKind, Model, ModelConfig, Precision, Scorer};

use crate::Outcome;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, a packed model, or a configuration file (then with --widths)
    model: PathBuf,
    /// Widths of the inputs: continuous,binary,user_embedding,user_eng_embedding,author_embedding
    #[arg(long, value_parser = parse_widths)]
    widths: Option<Widths>,
    /// Candidates of the largest batch, for the memory that a scorer takes
    #[arg(long, default_value_t = 1500)]
    max_candidates: usize,
    /// Calls in flight, for the same
    #[arg(long, default_value_t = 2)]
    max_in_flight: usize,
}

/// What a scorer allocates on a GPU; no GPU is needed to tell.
fn memory(model: &Model, arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "memory on cuda, for batches of {} candidates and {} calls in flight",
        arguments.max_candidates, arguments.max_in_flight
    );
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16] {
        let builder = Scorer::builder(model)
            .backend(Backend::Cuda)
            .precision(precision)
            .max_candidates(arguments.max_candidates)
            .max_in_flight(arguments.max_in_flight);
        match builder.memory() {
            Ok(Some(memory)) => println!("  {:<9} {memory}", precision.to_string()),
            Ok(None) => {}
            // Packed for another backend or precision: nothing to tell, and nothing wrong with the file.
            Err(maskrank::Error::Packed { .. }) => {
                println!("  {:<9} not what this file is packed for", precision.to_string())
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// `2117,59,200,200,200`; embeddings that are left out are absent.
pub(crate) fn parse_widths(text: &str) -> Result<Widths, String> {
    let parts: Result<Vec<usize>, _> = text.split(',').map(|part| part.trim().parse::<usize>()).collect();
    match parts.as_deref() {
        Ok([continuous, binary, rest @ ..]) if rest.len() <= 3 => Ok(Widths {
            continuous: *continuous,
            binary: *binary,
            user_embedding: rest.first().copied().unwrap_or(0),
            user_eng_embedding: rest.get(1).copied().unwrap_or(0),
            author_embedding: rest.get(2).copied().unwrap_or(0),
        }),
        _ => {
            Err("expected continuous,binary[,user_embedding[,user_eng_embedding[,author_embedding]]]".into())
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.model;
    let is_model = path.is_dir() || maskrank::weights::packed::is_packed(path);
    let model = is_model.then(|| Model::open(path)).transpose()?;
    let (config, widths) = if let Some(model) = &model {
        (model.config().clone(), model.widths())
    } else {
        let config = ModelConfig::read(path)?;
        let Some(widths) = arguments.widths else {
            return Err(format!(
                "{}: a configuration alone does not hold the widths of the inputs: add --widths \
                 continuous,binary,user_embedding,user_eng_embedding,author_embedding (production: 2117,59,200,200,200)",
                path.display()
            )
            .into());
        };
        (config, widths)
    };

    println!("inputs");
    for (name, width) in widths.named() {
        println!("  {name:<20} {width:>8}");
    }
    println!("  {:<20} {:>8}", "input_dim", widths.input_dim());

    let architecture = Architecture::new(&config, widths)?;
    println!("layers");
    println!("  {:<84} {:<11} {:>11} {:>13}  shape", "name", "kind", "parameters", "FLOP/cand.");
    let mut linear = 0;
    for layer in &architecture.layers {
        linear += usize::from(layer.kind == LayerKind::Linear);
        println!(
            "  {:<84} {:<11} {:>11} {:>13}  {}",
            layer.name,
            layer.kind.name(),
            layer.parameters(),
            layer.flops(),
            layer.shape_text()
        );
    }
    let parameters = architecture.parameters();
    println!("tasks       {}", config.tasks.len());
    println!("parameters  {parameters}");
    println!("bytes       {} f32, {} bf16 or f16", parameters * 4, parameters * 2);
    println!("work        {:.3} MFLOP a candidate in {linear} linear layers", architecture.flops() / 1e6);
    println!("input       {} bytes a candidate in f32", widths.input_dim() * 4);
    if let Some(model) = &model {
        memory(model, arguments)?;
    }
    Ok(ExitCode::SUCCESS)
}
