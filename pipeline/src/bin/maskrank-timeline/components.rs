//! `components`: what runs, in the order of execution.

use std::io::Write;

use maskrank_pipeline::listing;
use maskrank_pipeline::world::WorldConfig;

use crate::Outcome;
use crate::setup::{ModelArguments, World};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The funnel's constants, as YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let model = ModelArguments::stand_in(arguments.config.clone());
    let world = World::generate(WorldConfig::sized(10, 10))?;
    let timeline = model.timeline(world, &model.pipeline_config()?)?;
    let document = listing::document(&timeline.home.components(), &timeline.registry.rows());
    std::io::stdout().lock().write_all(document.as_bytes())?;
    Ok(())
}
