//! One scorer, many threads: `&self`, in the order of arrival, the same bits as alone.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use maskrank::golden::Case;
use maskrank::{Backend, Batch, Error, ScoreOptions, Scorer, Scores};

fn case() -> Case {
    Case::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ragged-input-norm"))
        .expect("a golden case")
}

#[test]
fn every_thread_gets_its_own_bits() {
    let case = case();
    let scorer = Scorer::builder(&case.model)
        .backend(Backend::Cpu)
        .max_candidates(case.rows)
        .max_in_flight(3)
        .build()
        .unwrap();
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let options = ScoreOptions::new(&weights);
    let mut alone = Scores::default();
    scorer.score(Batch { requests: &[case.request()] }, &options, &mut alone).unwrap();
    let bits = |scores: &Scores| scores.scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();

    let (answered, busy) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (scorer, case, options, alone, answered, busy) =
                (&scorer, &case, &options, &alone, &answered, &busy);
            scope.spawn(move || {
                let mut scores = Scores::default();
                for call in 0..20 {
                    let batch = [case.request()];
                    let batch = Batch { requests: &batch };
                    if (thread + call) % 3 == 0 {
                        match scorer.try_score(batch, options, &mut scores) {
                            Ok(()) => {}
                            Err(Error::Busy { max_in_flight: 3 }) => {
                                busy.fetch_add(1, Ordering::Relaxed);
                                continue;
                            }
                            Err(other) => panic!("{other}"),
                        }
                    } else {
                        scorer.score(batch, options, &mut scores).unwrap();
                    }
                    assert_eq!(bits(&scores), bits(alone));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(answered.into_inner() + busy.into_inner(), 16 * 20);
}

#[test]
fn score_weights_change_between_calls_without_touching_the_model() {
    let case = case();
    let scorer =
        Scorer::builder(&case.model).backend(Backend::Cpu).max_candidates(case.rows).build().unwrap();
    let tasks = case.score_weights.len();
    let mut scores = Scores::default();
    let outputs = maskrank::Outputs { calibrated_probabilities: true, ..Default::default() };
    for task in 0..tasks {
        let mut weights = vec![0.0; tasks];
        weights[task] = 1.0;
        let options = ScoreOptions::new(&weights).with_outputs(outputs);
        scorer.score(Batch { requests: &[case.request()] }, &options, &mut scores).unwrap();
        for row in 0..case.rows {
            assert_eq!(scores.scores[row], scores.calibrated_probabilities[row * tasks + task]);
        }
    }
}

#[test]
fn settings_without_meaning_are_refused() {
    let case = case();
    let builder = || Scorer::builder(&case.model).backend(Backend::Cpu);
    assert!(matches!(
        builder().max_candidates(0).build(),
        Err(Error::Argument { argument: "max_candidates", .. })
    ));
    assert!(matches!(
        builder().max_in_flight(0).build(),
        Err(Error::Argument { argument: "max_in_flight", .. })
    ));
    let split = maskrank::Split { continuous: std::iter::once(0..999).collect(), ..Default::default() };
    assert!(matches!(
        builder().split(split).build(),
        Err(Error::Argument { argument: "split.continuous", .. })
    ));
}
