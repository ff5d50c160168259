//! Writing features once, straight into memory that the library lends: pinned on CUDA, plain elsewhere, the same code.

mod common;

use common::{WIDTHS, flags, model, values};
use half::bf16;
use maskrank::{BinaryMut, BinaryType, Outputs, Result, ScoreOptions, ScoreWeights, Scorer, Scores, Split};

fn main() -> Result<()> {
    let model = model(1)?;
    let scorer = Scorer::builder(&model).max_candidates(100).split(Split::user_embeddings()).build()?;
    println!("{}: {}", scorer.device().name, scorer.memory());
    let weights = ScoreWeights::default().resolve(model.tasks())?;

    // Two requests; features as bf16, binary features as bits.
    let sizes = [3, 5];
    let mut staging = scorer.staging::<bf16>(&sizes, BinaryType::Bits)?;
    for (index, candidates) in sizes.into_iter().enumerate() {
        let Some(rows) = staging.request(index) else { continue };
        write(rows.request.user_embedding, 10 + index);
        write(rows.candidate.continuous, index);
        write(rows.candidate.author_embedding, 20 + index);
        if let BinaryMut::Bits(bits) = rows.candidate.binary {
            let stride = WIDTHS.binary.div_ceil(8);
            bits.fill(0);
            for (feature, flag) in flags(candidates * WIDTHS.binary).into_iter().enumerate() {
                let (row, column) = (feature / WIDTHS.binary, feature % WIDTHS.binary);
                bits[row * stride + column / 8] |= flag << (column % 8);
            }
        }
    }
    let mut scores = Scores::default();
    let options = ScoreOptions::new(&weights).with_outputs(Outputs { top_k: 2, ..Outputs::default() });
    staging.score(&options, &mut scores)?;
    for (request, best) in scores.top_k_offsets.windows(2).enumerate() {
        println!("request {request}: best {:?}", &scores.top_k[best[0]..best[1]]);
    }
    Ok(())
}

fn write(into: &mut [bf16], seed: usize) {
    for (into, value) in into.iter_mut().zip(values(WIDTHS.input_dim() * 10, seed)) {
        *into = bf16::from_f32(value);
    }
}
