//! Records written from the world give, scored by the library, the bits that the pipeline's own scoring of the request
//! gave.
#![cfg(all(feature = "stores", feature = "model"))]

use std::ops::Range;
use std::sync::Arc;

use maskrank::config::Widths;
use maskrank::records::{BlockReader, LayoutSpec, ReadOptions, RecordBlock, RecordLayout, Schema};
use maskrank::{
    Batch, Binary, Columns, Features, Model, Outputs, Request, ScoreOptions, Scorer, Scores, Split,
};
use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::domain::stores::Stores;
use maskrank_pipeline::domain::{
    FeatureBatch, ManualClock, ModelInputs, PostId, RequestColumns, RequestFacts, Task, UserId,
};
use maskrank_pipeline::engine::EngineConfig;
use maskrank_pipeline::features::{
    BINARY_SLOTS, CONTINUOUS_SLOTS, DISCRETE_SLOTS, FeaturePlan, Registry, discrete, families,
};
use maskrank_pipeline::model_client::{ModelClient, inputs_of};
use maskrank_pipeline::products::for_you;
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::world::training::{LabelledRequest, write_training_records};
use maskrank_pipeline::world::{LoadedWorld, WorldConfig};

/// Ten tasks, three embeddings of 16.
const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/serial");

/// Of each row of `width` values those at the places that are wanted.
fn columns<T: Copy>(values: &[T], width: usize, wanted: impl Fn(usize) -> bool) -> Vec<T> {
    let row =
        |row: &[T]| row.iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, v)| *v).collect::<Vec<_>>();
    values.chunks_exact(width.max(1)).flat_map(row).collect()
}

/// What a request gives once, of what a model reads.
fn plan_columns(stores: &Stores, inputs: ModelInputs) -> RequestColumns {
    Registry::new(families::all(stores)).expect("fits").request_columns(inputs)
}

#[tokio::test]
async fn records_score_to_the_bits_that_the_request_was_scored_with() {
    let config = WorldConfig::sized(300, 3_000);
    let clock = Arc::new(ManualClock::new(config.now));
    let world = LoadedWorld::generate(config).expect("a world");
    let embedded = Embedded::in_memory(world.base, clock.clone(), StoreOptions::default()).expect("stores");
    let stores = Arc::new(embedded).stores();
    let registry = Arc::new(Registry::new(families::all(&stores)).expect("fits"));
    // The case's layers over as many features as the released model reads, so that some are given once a request.
    let (case, _) = Model::open_case(CASE).expect("the case opens");
    let widths = Widths { continuous: 2_117, binary: 59, ..case.widths() };
    let model = Model::seeded(case.config().clone(), widths, 3).expect("seeded");
    let client = Arc::new(ModelClient::new(&model, &registry, |builder| builder).expect("built"));
    let constants = PipelineConfig { engine: EngineConfig::patient(), ..PipelineConfig::default() };
    let key = Key::new([0; 32]);
    let product =
        for_you(&constants, &stores, Arc::clone(&registry), client, clock.clone(), &key).expect("declared");
    // A record's embeddings have 200 places; the case's model reads its first 16.
    let inputs =
        ModelInputs { continuous: CONTINUOUS_SLOTS, binary: BINARY_SLOTS, ..ModelInputs::PRODUCTION };
    let embeddings = Arc::clone(&stores.embeddings);
    let plan =
        FeaturePlan::new(registry, inputs, &RequestColumns::default(), embeddings, clock).expect("laid out");
    let request_columns = plan_columns(&stores, inputs_of(&model));
    let split = Split {
        continuous: request_columns.continuous.clone(),
        binary: request_columns.binary.clone(),
        embeddings: [true, true, false],
    };
    assert!(!split.continuous.is_empty(), "the model reads something that a request gives once");
    let folder = tempfile::tempdir().expect("a folder");
    let mut compared = 0;
    for viewer in [2, 3, 5, 8].map(UserId) {
        let (query, candidates) = product.scored(viewer, RequestFacts::default()).await.expect("ranks");
        let mut batch = FeatureBatch::default();
        plan.fill(&query, &candidates, &mut batch);
        let slots = discrete(&stores, &query, &candidates);
        assert_eq!(slots.len(), candidates.len() * DISCRETE_SLOTS);
        let ids: Vec<(PostId, UserId)> = candidates.iter().map(|c| (c.post_id, c.author_id)).collect();
        let labels = vec![[false; Task::COUNT]; ids.len()];
        let path = folder.path().join(format!("{viewer}.tfrecord"));
        let request =
            LabelledRequest { viewer, candidates: &ids, features: &batch, discrete: &slots, labels: &labels };
        write_training_records(&path, [request]).expect("writes");

        let (schema, spec) = (Schema::released(), LayoutSpec::default());
        let full = Widths::from_schema(&schema, &spec).expect("fits");
        let layout = RecordLayout::new(&schema, &spec, full).expect("fits");
        let mut block = RecordBlock::new(&layout, candidates.len().max(1)).expect("allocates");
        let mut reader = BlockReader::new(vec![path], layout, ReadOptions::default());
        assert_eq!(reader.read_into(&mut block).expect("reads"), !candidates.is_empty());
        let cut = |values: &[f32], from: usize, to: usize| -> Vec<f32> {
            values.chunks_exact(from).take(candidates.len()).flat_map(|row| row[..to].to_vec()).collect()
        };
        let continuous = cut(block.continuous(), full.continuous, widths.continuous);
        let binary: Vec<u8> = block
            .binary()
            .chunks_exact(full.binary)
            .take(candidates.len())
            .flat_map(|row| row[..widths.binary].to_vec())
            .collect();
        let user = cut(block.user_embedding(), full.user_embedding, widths.user_embedding);
        let interest = cut(block.user_eng_embedding(), full.user_eng_embedding, widths.user_eng_embedding);
        let author = cut(block.author_embedding(), full.author_embedding, widths.author_embedding);
        let scorer = Scorer::builder(&model).max_candidates(candidates.len().max(1)).split(split.clone());
        let scorer = scorer.build().expect("built");
        let weights = vec![0.0; scorer.tasks().len()];
        let outputs = Outputs { calibrated_probabilities: true, ..Outputs::default() };
        let mut scores = Scores::default();
        // Every record holds what its request gave once: each is a request of its own here, which is the same bits.
        let inside = |at: usize, ranges: &[Range<usize>]| ranges.iter().any(|range| range.contains(&at));
        let [once, each] = [true, false].map(|wanted| {
            let continuous =
                columns(&continuous, widths.continuous, |at| inside(at, &split.continuous) == wanted);
            (continuous, columns(&binary, widths.binary, |at| inside(at, &split.binary) == wanted))
        });
        let rows = candidates.len();
        let part = |values: usize, row: usize| row * values / rows..(row + 1) * values / rows;
        let requests: Vec<Request<'_>> = (0..rows)
            .map(|row| Request {
                candidates: 1,
                request: Columns {
                    continuous: Features::F32(&once.0[part(once.0.len(), row)]),
                    binary: Binary::Bytes(&once.1[part(once.1.len(), row)]),
                    user_embedding: Features::F32(&user[part(user.len(), row)]),
                    user_eng_embedding: Features::F32(&interest[part(interest.len(), row)]),
                    author_embedding: Features::default(),
                },
                candidate: Columns {
                    continuous: Features::F32(&each.0[part(each.0.len(), row)]),
                    binary: Binary::Bytes(&each.1[part(each.1.len(), row)]),
                    author_embedding: Features::F32(&author[part(author.len(), row)]),
                    ..Columns::default()
                },
            })
            .collect();
        let options = ScoreOptions::new(&weights).with_outputs(outputs);
        scorer.score(Batch { requests: &requests }, &options, &mut scores).expect("scores");
        let rows = scores.calibrated_probabilities.chunks_exact(scorer.tasks().len());
        for (row, candidate) in rows.zip(&candidates) {
            let own = candidate.probabilities.value().expect("was scored");
            for (task, got) in scorer.tasks().iter().zip(row) {
                let Some(place) = Task::ALL.iter().position(|other| other.label() == task.as_str()) else {
                    continue;
                };
                assert_eq!(
                    got.to_bits(),
                    own[place].to_bits(),
                    "viewer {viewer} {task}: {got} and {}",
                    own[place]
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 1_000, "{compared}");
}
