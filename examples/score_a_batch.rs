//! One request with a few candidates, and the best of them.

mod common;

use common::{WIDTHS, flags, model, values};
use maskrank::{
    Batch, Binary, Columns, Features, Outputs, Request, Result, ScoreOptions, ScoreWeights, Scorer, Scores,
};

fn main() -> Result<()> {
    let model = model(1)?;
    let scorer = Scorer::builder(&model).max_candidates(100).build()?;
    let weights = ScoreWeights::default().resolve(model.tasks())?;

    let candidates = 5;
    let continuous = values(candidates * WIDTHS.continuous, 1);
    let binary = flags(candidates * WIDTHS.binary);
    let user = values(candidates * WIDTHS.user_embedding, 2);
    let author = values(candidates * WIDTHS.author_embedding, 3);
    let request = Request {
        candidates,
        request: Columns::default(),
        candidate: Columns {
            continuous: Features::F32(&continuous),
            binary: Binary::Bytes(&binary),
            user_embedding: Features::F32(&user),
            user_eng_embedding: Features::default(), // this model has none
            author_embedding: Features::F32(&author),
        },
    };

    let mut scores = Scores::default(); // reused from call to call
    let outputs = Outputs { calibrated_probabilities: true, top_k: 3, ..Outputs::default() };
    let options = ScoreOptions::new(&weights).with_outputs(outputs);
    scorer.score(Batch { requests: &[request] }, &options, &mut scores)?;
    for &best in &scores.top_k {
        let best = best as usize;
        let tasks = scorer.tasks().len();
        let probabilities = &scores.calibrated_probabilities[best * tasks..(best + 1) * tasks];
        println!("candidate {best}: score {:.4} of {probabilities:?}", scores.scores[best]);
    }
    Ok(())
}
