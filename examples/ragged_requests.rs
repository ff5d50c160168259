//! Requests of different sizes in one batch: each candidate's score is the one that it has alone.

mod common;

use common::{WIDTHS, flags, model, values};
use maskrank::{
    Batch, Binary, Columns, Features, Request, Result, ScoreOptions, ScoreWeights, Scorer, Scores,
};

fn main() -> Result<()> {
    let model = model(1)?;
    let scorer = Scorer::builder(&model).max_candidates(100).build()?;
    let weights = ScoreWeights::default().resolve(model.tasks())?;
    let options = ScoreOptions::new(&weights);

    let sizes = [3, 0, 17, 1];
    let data: Vec<_> = sizes
        .iter()
        .enumerate()
        .map(|(seed, &n)| {
            let continuous = values(n * WIDTHS.continuous, seed);
            let user = values(n * WIDTHS.user_embedding, seed + 7);
            (n, continuous, flags(n * WIDTHS.binary), user, values(n * WIDTHS.author_embedding, seed + 9))
        })
        .collect();
    let requests: Vec<Request<'_>> = data
        .iter()
        .map(|(candidates, continuous, binary, user, author)| Request {
            candidates: *candidates,
            request: Columns::default(),
            candidate: Columns {
                continuous: Features::F32(continuous),
                binary: Binary::Bytes(binary),
                user_embedding: Features::F32(user),
                user_eng_embedding: Features::default(),
                author_embedding: Features::F32(author),
            },
        })
        .collect();

    let (mut together, mut alone) = (Scores::default(), Scores::default());
    scorer.score(Batch { requests: &requests }, &options, &mut together)?;
    let mut first = 0;
    for request in &requests {
        scorer.score(Batch { requests: std::slice::from_ref(request) }, &options, &mut alone)?;
        let part = &together.scores[first..first + request.candidates];
        first += request.candidates;
        assert!(part.iter().zip(&alone.scores).all(|(a, b)| a.to_bits() == b.to_bits()), "the same bits");
        println!("{} candidates: {part:.3?}", request.candidates);
    }
    Ok(())
}
