//! `random-weights` and `random-records`: seeded data to try things with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use maskrank::config::Widths;
use maskrank::records::{Compression, RandomRecords, Schema, TweetIds};
use maskrank::weights::Weights;
use maskrank::{Model, ModelConfig};

use crate::Outcome;
use crate::inspect::parse_widths;

#[derive(Args)]
pub(crate) struct WeightsArguments {
    /// The model folder to write
    #[arg(long)]
    out: PathBuf,
    /// A configuration; default: the production model's
    #[arg(long, requires = "widths")]
    config: Option<PathBuf>,
    /// Widths of the inputs: continuous,binary,user_embedding,user_eng_embedding,author_embedding
    #[arg(long, value_parser = parse_widths)]
    widths: Option<Widths>,
    /// Seed of the weights
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn weights(arguments: &WeightsArguments) -> Outcome {
    let folder = &arguments.out;
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    match (&arguments.config, arguments.widths) {
        (Some(path), Some(widths)) => {
            let config = ModelConfig::read(path)?;
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let shapes = format!(
                "{{\"shapes\": {{\"continuous\": {}, \"binary\": {}, \"user_embedding\": {}, \"user_eng_embedding\": {}, \
                 \"author_embedding\": {}}}}}\n",
                widths.continuous,
                widths.binary,
                widths.user_embedding,
                widths.user_eng_embedding,
                widths.author_embedding
            );
            write(folder, &text, "case.json", &shapes, &config, widths, arguments.seed)?;
        }
        _ => write_production(folder, arguments.seed)?,
    }
    let model = Model::open(folder)?;
    println!("{}: {} tasks, seed {}", folder.display(), model.tasks().len(), arguments.seed);
    Ok(ExitCode::SUCCESS)
}

/// Writes the production model with seeded weights.
pub(crate) fn write_production(folder: &Path, seed: u64) -> Result<(), Box<dyn std::error::Error>> {
    let config = ModelConfig::production()?;
    write(
        folder,
        ModelConfig::PRODUCTION_YAML,
        "segdense.json",
        &Schema::released().to_json(),
        &config,
        Widths::PRODUCTION,
        seed,
    )
}

fn write(
    folder: &Path,
    config_text: &str,
    beside: &str,
    beside_text: &str,
    config: &ModelConfig,
    widths: Widths,
    seed: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    for (name, text) in [("config.yaml", config_text), (beside, beside_text)] {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    // Last, and by renaming: a folder with weights is a whole model.
    Weights::seeded(config, widths, seed)?.write(folder.join("model.safetensors"))?;
    Ok(())
}

#[derive(Args)]
pub(crate) struct RecordsArguments {
    /// The file to write; `.gz` compresses
    #[arg(long)]
    out: PathBuf,
    /// Records
    #[arg(long, default_value_t = 1500)]
    records: u64,
    /// Consecutive records with one `meta.user_id`
    #[arg(long, default_value_t = 1500)]
    per_request: u64,
    /// A segdense schema; default: the released one
    #[arg(long)]
    schema: Option<PathBuf>,
    /// Seed of the values
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn records(arguments: &RecordsArguments) -> Outcome {
    let schema = match &arguments.schema {
        Some(path) => Schema::open(path)?,
        None => Schema::released(),
    };
    let records = RandomRecords {
        seed: arguments.seed,
        records: arguments.records,
        records_per_request: arguments.per_request,
        tweet_ids: TweetIds::Numbered,
    };
    records.write(&schema, &arguments.out, Compression::from_path(&arguments.out))?;
    println!("{}: {} records, seed {}", arguments.out.display(), arguments.records, arguments.seed);
    Ok(ExitCode::SUCCESS)
}
