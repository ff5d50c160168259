//! `records`: training records of the candidates that the model would be asked about.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use maskrank::records::Schema;
use maskrank_pipeline::domain::{Candidate, ModelInputs, PostId, RequestColumns, Task, UserId};
use maskrank_pipeline::features::{BINARY_SLOTS, CONTINUOUS_SLOTS, FeaturePlan, discrete};
use maskrank_pipeline::world::training::{
    LabelledRequest, labels, request_columns_text, write_training_records,
};

use crate::Outcome;
use crate::client::ClientArguments;
use crate::setup::{self, ModelArguments, World};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose requests, by id
    #[arg(long, value_name = "ID", value_delimiter = ',', required = true)]
    viewers: Vec<UserId>,
    /// The file; compressed when its name ends in .gz. Beside it come FILE.segdense.json, their schema, and
    /// FILE.request_columns: with both, `maskrank score` gives the records the bits of the request
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also write what the requests themselves were scored with: ids and probabilities, a line a record, as `maskrank score`
    /// writes them
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// The world's folder; without it the small world
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    client: ClientArguments,
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
        let scored = timeline.home.for_you().scored(*viewer, arguments.client.facts());
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
    if let Some(path) = &arguments.scores {
        let of_request = requests.iter().map(|(viewer, _, candidates, _)| (*viewer, candidates.as_slice()));
        write(path, &scores_text(of_request)?)?;
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
    let beside = |suffix: &str| {
        let mut name = arguments.out.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (columns_file, schema_file) = (beside(".request_columns"), beside(".segdense.json"));
    write(&columns_file, &request_columns_text(&columns))?;
    write(&schema_file, &Schema::released().to_json())?;
    println!("{written} records of {} requests in {}", arguments.viewers.len(), arguments.out.display());
    println!(
        "to score them as the requests were: maskrank score --model {} --schema {} --records {} --request-columns @{}",
        Path::new(&arguments.model.model).display(),
        schema_file.display(),
        arguments.out.display(),
        columns_file.display()
    );
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Ids and probabilities of each candidate in the order of its request; a number is written so that it is read as the
/// same bits.
fn scores_text<'a>(requests: impl Iterator<Item = (UserId, &'a [Candidate])>) -> Result<String, String> {
    let names = Task::ALL.map(|task| {
        let name = task.label().rsplit('.').next().unwrap_or_default();
        name.strip_prefix("is_").unwrap_or(name)
    });
    let mut text = format!("user_id,author_id,tweet_id,{}\n", names.join(","));
    for (viewer, candidates) in requests {
        for candidate in candidates {
            let (author, post) = (candidate.original_author_id(), candidate.original_id());
            let Some(probabilities) = candidate.probabilities.value() else {
                return Err(format!("viewer {viewer}: post {post} was not scored"));
            };
            text += &format!("{viewer},{author},{post}");
            probabilities.iter().for_each(|probability| text += &format!(",{probability}"));
            text.push('\n');
        }
    }
    Ok(text)
}
