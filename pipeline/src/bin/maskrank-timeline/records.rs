//! `records`: training records of the candidates that the model would be asked about.

use std::path::PathBuf;
use std::sync::Arc;

use maskrank_pipeline::domain::{ModelInputs, PostId, RequestColumns, RequestFacts, Task, UserId};
use maskrank_pipeline::features::{BINARY_SLOTS, CONTINUOUS_SLOTS, FeaturePlan, discrete};
use maskrank_pipeline::world::training::{
    LabelledRequest, labels, request_columns_text, write_training_records,
};

use crate::Outcome;
use crate::setup::{self, ModelArguments, World};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose requests, by id
    #[arg(long, value_name = "ID", value_delimiter = ',', required = true)]
    viewers: Vec<UserId>,
    /// The file; compressed when its name ends in .gz. Beside it comes FILE.request_columns, for `maskrank score
    /// --request-columns @FILE.request_columns`, which gives the records the bits of the request
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The world's folder; without it the small world
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    /// Seed of the labels
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let config = arguments.model.pipeline_config()?;
    let timeline = arguments.model.timeline(World::open(arguments.world.as_deref())?, &config)?;
    let (stores, clock) = (&timeline.world.stores, Arc::clone(&timeline.world.clock));
    let inputs =
        ModelInputs { continuous: CONTINUOUS_SLOTS, binary: BINARY_SLOTS, ..ModelInputs::PRODUCTION };
    let registry = Arc::clone(&timeline.registry);
    let columns = registry.request_columns(inputs);
    let embeddings = Arc::clone(&stores.embeddings);
    let plan = FeaturePlan::new(registry, inputs, &RequestColumns::default(), embeddings, clock)?;
    let runtime = setup::runtime()?;
    let mut requests = Vec::new();
    for viewer in &arguments.viewers {
        let scored = timeline.home.for_you().scored(*viewer, RequestFacts::default());
        let (query, candidates) =
            runtime.block_on(scored).map_err(|failure| format!("viewer {viewer}: {failure}"))?;
        let communities = stores.embeddings.user_communities(*viewer).unwrap_or_default();
        let happened: Vec<[bool; Task::COUNT]> = candidates
            .iter()
            .filter_map(|candidate| candidate.content())
            .map(|post| {
                let appeal = stores.embeddings.post_communities(post.id).unwrap_or_default();
                labels(arguments.seed, *viewer, post, &communities, &appeal)
            })
            .collect();
        requests.push((*viewer, query, candidates, happened));
    }
    let parts: Vec<_> = requests
        .into_iter()
        .map(|(viewer, query, candidates, happened)| {
            let mut batch = Default::default();
            plan.fill(&query, &candidates, &mut batch);
            let slots = discrete(stores, &query, &candidates);
            let ids: Vec<(PostId, UserId)> =
                candidates.iter().map(|c| (c.original_id(), c.original_author_id())).collect();
            (viewer, ids, batch, slots, happened)
        })
        .collect();
    let labelled = parts.iter().map(|(viewer, candidates, features, discrete, labels)| LabelledRequest {
        viewer: *viewer,
        candidates,
        features,
        discrete,
        labels,
    });
    let written = write_training_records(&arguments.out, labelled)?;
    let mut beside = arguments.out.clone().into_os_string();
    beside.push(".request_columns");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, request_columns_text(&columns))
        .map_err(|error| format!("cannot write {}: {error}", beside.display()))?;
    println!("{written} records of {} requests in {}", arguments.viewers.len(), arguments.out.display());
    println!("to score them as they were scored: maskrank score --request-columns @{} …", beside.display());
    Ok(())
}
