//! A new model takes over while requests are in flight; a bad one does not.

mod common;

use common::{WIDTHS, flags, model, values};
use maskrank::{
    Batch, Binary, Columns, Features, LiveScorer, Model, Request, Result, ScoreOptions, ScoreWeights, Scorer,
    Scores,
};

fn main() -> Result<()> {
    let build = |model: &Model| Scorer::builder(model).max_candidates(100).build();
    let first = model(1)?;
    let weights = ScoreWeights::default().resolve(first.tasks())?;
    let live = LiveScorer::new(build(&first)?)?;

    let (continuous, binary) = (values(2 * WIDTHS.continuous, 1), flags(2 * WIDTHS.binary));
    let embedding = values(2 * WIDTHS.user_embedding, 2);
    let request = Request {
        candidates: 2,
        request: Columns::default(),
        candidate: Columns {
            continuous: Features::F32(&continuous),
            binary: Binary::Bytes(&binary),
            user_embedding: Features::F32(&embedding),
            author_embedding: Features::F32(&embedding),
            ..Columns::default()
        },
    };
    let score = |live: &LiveScorer| -> Result<()> {
        let mut scores = Scores::default();
        let options = ScoreOptions::new(&weights);
        let generation = live.score(Batch { requests: &[request] }, &options, &mut scores)?;
        println!("generation {generation}: {:.4?}", scores.scores);
        Ok(())
    };

    score(&live)?;
    // In production: `live.reload(|| build(&Model::open("new-model")?))`, from a thread of its own.
    live.reload(|| build(&model(2)?))?;
    score(&live)?;
    match live.reload(|| build(&Model::open("no-such-model")?)) {
        Ok(generation) => println!("generation {generation} serves"),
        Err(error) => println!("the old model goes on serving: {error}"),
    }
    score(&live)
}
