//! The viewer's features given once a request, not once a candidate.

mod common;

use common::{WIDTHS, flags, model, values};
use maskrank::{
    Batch, Binary, Columns, Features, Request, Result, ScoreOptions, ScoreWeights, Scorer, Scores, Split,
};

fn main() -> Result<()> {
    let model = model(1)?;
    let weights = ScoreWeights::default().resolve(model.tasks())?;
    // Continuous columns 0 to 9 and the viewer's embedding are the request's.
    let once = 0..10;
    let split =
        Split { embeddings: [true, false, false], continuous: vec![once.clone()], ..Split::default() };
    let scorer = Scorer::builder(&model).max_candidates(100).split(split).build()?;

    let candidates = 4;
    let (viewer, embedding) = (values(once.len(), 5), values(WIDTHS.user_embedding, 6));
    let continuous = values(candidates * (WIDTHS.continuous - once.len()), 7);
    let (binary, author) =
        (flags(candidates * WIDTHS.binary), values(candidates * WIDTHS.author_embedding, 8));
    let request = Request {
        candidates,
        request: Columns {
            continuous: Features::F32(&viewer),
            user_embedding: Features::F32(&embedding),
            ..Columns::default()
        },
        candidate: Columns {
            continuous: Features::F32(&continuous),
            binary: Binary::Bytes(&binary),
            author_embedding: Features::F32(&author),
            ..Columns::default()
        },
    };
    let mut scores = Scores::default();
    scorer.score(Batch { requests: &[request] }, &ScoreOptions::new(&weights), &mut scores)?;
    println!("{:.4?}", scores.scores);
    Ok(())
}
