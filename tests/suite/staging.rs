//! Lent staging: what a caller writes in place gives the bits that the same batch from the caller's memory gives.

use half::{bf16, f16};
use maskrank::{
    Batch, Binary, BinaryMut, BinaryType, Columns, ColumnsMut, Error, Feature, Features, Outputs, Request,
    ScoreOptions, Scorer, Scores, Split,
};

use super::{Random, Target, Trial, random_model};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::new("staging/f32_numbers", |target| {
            same_bits::<f32>(target, BinaryType::Numbers, |v| v, |v| Features::F32(v));
        }),
        Trial::new("staging/bf16_bits", |target| {
            same_bits::<bf16>(target, BinaryType::Bits, bf16::from_f32, |v| Features::Bf16(v));
        }),
        Trial::new("staging/f16_bytes", |target| {
            same_bits::<f16>(target, BinaryType::Bytes, f16::from_f32, |v| Features::F16(v));
        }),
        Trial::new("staging/too_many_and_none", limits),
    ]
}

/// One matrix of every input.
struct Owned<T> {
    features: [Vec<T>; 4],
    bytes: Vec<u8>,
    numbers: Vec<f32>,
}

fn fill<T: Copy>(into: &mut ColumnsMut<'_, T>, random: &mut Random, make: fn(f32) -> T) -> Owned<T> {
    let mut matrix = |into: &mut [T], scale: f32| {
        into.iter_mut().for_each(|v| *v = make(random.signed() * scale));
        into.to_vec()
    };
    let features = [
        matrix(into.continuous, 30.0),
        matrix(into.user_embedding, 1.0),
        matrix(into.user_eng_embedding, 1.0),
        matrix(into.author_embedding, 1.0),
    ];
    let (mut bytes, mut numbers) = (Vec::new(), Vec::new());
    match &mut into.binary {
        BinaryMut::Bytes(into) | BinaryMut::Bits(into) => {
            into.iter_mut().for_each(|v| *v = random.below(256) as u8);
            bytes = into.to_vec();
        }
        BinaryMut::Numbers(into) => {
            into.iter_mut().for_each(|v| *v = random.below(10) as f32);
            numbers = into.to_vec();
        }
        #[allow(
            unreachable_patterns,
            reason = "non-exhaustive outside of the crate; the crate's tests share this"
        )]
        other => panic!("{other:?}"),
    }
    Owned { features, bytes, numbers }
}

impl<T> Owned<T> {
    fn columns<'a>(&'a self, binary: BinaryType, view: fn(&'a [T]) -> Features<'a>) -> Columns<'a> {
        let [continuous, user, user_eng, author] = &self.features;
        Columns {
            continuous: view(continuous),
            binary: match binary {
                BinaryType::Bytes => Binary::Bytes(&self.bytes),
                BinaryType::Bits => Binary::Bits(&self.bytes),
                _ => Binary::Numbers(&self.numbers),
            },
            user_embedding: view(user),
            user_eng_embedding: view(user_eng),
            author_embedding: view(author),
        }
    }
}

fn same_bits<T: Feature + Copy>(
    target: Target,
    binary: BinaryType,
    make: fn(f32) -> T,
    view: for<'a> fn(&'a [T]) -> Features<'a>,
) {
    let mut random = Random(7);
    let model = random_model::with_every_input(&mut random);
    let split = Split { continuous: vec![1..3], binary: vec![0..1], ..Split::user_embeddings() };
    let scorer = target.split_scorer(&model, 40, split);
    let outputs = Outputs { logits: true, calibrated_probabilities: true, top_k: 3, ..Outputs::default() };
    for sizes in [&[3, 0, 17, 1][..], &[40], &[1, 1], &[0]] {
        let weights: Vec<f32> = model.tasks().iter().map(|_| random.signed()).collect();
        let options = ScoreOptions::new(&weights).with_outputs(outputs);
        let mut staged = Scores::default();
        let mut owned = Vec::new();
        let mut staging = scorer.staging::<T>(sizes, binary).unwrap();
        for index in 0..sizes.len() {
            let mut rows = staging.request(index).unwrap();
            owned.push((
                fill(&mut rows.request, &mut random, make),
                fill(&mut rows.candidate, &mut random, make),
            ));
        }
        assert!(staging.request(sizes.len()).is_none(), "there is no request after the last");
        let all: usize = staging.columns().candidate.continuous.len();
        assert_eq!(all, owned.iter().map(|(_, each)| each.features[0].len()).sum::<usize>());
        staging.score(&options, &mut staged).unwrap();
        // Again, with nothing written anew.
        let mut again = Scores::default();
        staging.score(&options, &mut again).unwrap();
        drop(staging);

        let requests: Vec<Request<'_>> = sizes
            .iter()
            .zip(&owned)
            .map(|(&candidates, (once, each))| Request {
                candidates,
                request: once.columns(binary, view),
                candidate: each.columns(binary, view),
            })
            .collect();
        let mut expected = Scores::default();
        scorer.score(Batch { requests: &requests }, &options, &mut expected).unwrap();
        for found in [&staged, &again] {
            assert_eq!(bits(&found.scores), bits(&expected.scores), "{sizes:?}: scores");
            assert_eq!(bits(&found.logits), bits(&expected.logits), "{sizes:?}: logits");
            assert_eq!(found.statuses, expected.statuses, "{sizes:?}: statuses");
            assert_eq!(found.top_k, expected.top_k, "{sizes:?}: top k");
            assert_eq!(found.top_k_offsets, expected.top_k_offsets, "{sizes:?}: offsets");
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn limits(target: Target) {
    let model = random_model::with_every_input(&mut Random(8));
    let scorer: Scorer = target.scorer(&model, 4);
    let refused = |sizes: &[usize]| {
        let error = scorer.staging::<f32>(sizes, BinaryType::Bytes).expect_err("too many");
        assert!(matches!(error, Error::TooManyCandidates { max: 4, .. }), "{error}");
    };
    refused(&[3, 2]);
    refused(&[usize::MAX, 2]);
    // The one place is lent: nobody else gets it, and it comes back.
    let staging = scorer.staging::<f32>(&[2], BinaryType::Bytes).unwrap();
    let busy = scorer.try_staging::<f32>(&[2], BinaryType::Bytes).expect_err("the place is taken");
    assert!(busy.is_busy(), "{busy}");
    drop(staging);
    let mut none = scorer.try_staging::<f32>(&[], BinaryType::Bytes).unwrap();
    let mut scores = Scores::default();
    let weights = vec![1.0; scorer.tasks().len()];
    none.score(&ScoreOptions::new(&weights), &mut scores).unwrap();
    assert!(scores.scores.is_empty());
    let error = none.score(&ScoreOptions::new(&[]), &mut scores).expect_err("no weights");
    assert!(matches!(error, Error::Argument { argument: "weights", .. }), "{error}");
}
