//! Replacing a model while it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use maskrank::batching::Job;
use maskrank::weights::NamedTensor;
use maskrank::{Backend, Batch, Error, Model, ScoreOptions, Scorer, Scores, Split};

use crate::support::{Random, WEIGHTS, WIDTHS, alone, bits, config, live, model, request, scorer, split};

#[test]
fn the_old_scorer_finishes_what_it_began_and_is_then_freed() {
    let live = live(1, 16);
    let mut random = Random(1);
    let job = Job::new(request(&mut random, 5), WEIGHTS);
    let held = live.current();
    let freed = Arc::downgrade(&held);
    let before = alone(held.scorer(), &job);
    assert_eq!(live.reload(|| Ok(scorer(2, 16))).unwrap(), 1);

    let after = alone(live.current().scorer(), &job);
    assert_ne!(bits(&before), bits(&after), "another model answers now");
    assert_eq!(bits(&alone(held.scorer(), &job)), bits(&before), "who held the old one still has it");
    assert!(freed.upgrade().is_some());
    drop(held);
    assert!(freed.upgrade().is_none(), "the old one goes with its last request");
    assert_eq!(live.current().number(), 1);
}

#[test]
fn a_bad_new_model_leaves_the_old_one_serving() {
    let live = live(1, 16);
    let mut random = Random(2);
    let job = Job::new(request(&mut random, 5), WEIGHTS);
    let before = bits(&alone(live.current().scorer(), &job));
    let build = |model: &Model, split: Split, max| {
        Scorer::builder(model).backend(Backend::Cpu).threads(1).split(split).max_candidates(max).build()
    };

    let missing = live.reload(|| build(&Model::open("/nonexistent/model")?, split(), 16));
    assert!(missing.unwrap_err().to_string().contains("/nonexistent/model"));
    let wider = maskrank::config::Widths { continuous: 31, ..WIDTHS };
    let wider = Model::seeded(config(), wider, 1).unwrap();
    let mut fewer = config();
    fewer.tasks.truncate(1);
    let fewer = Model::seeded(fewer, WIDTHS, 1).unwrap();
    let cases = [
        (build(&wider, split(), 16), "continuous 30"),
        (build(&fewer, split(), 16), "tasks"),
        (build(&model(2), Split::default(), 16), "split"),
        (build(&model(2), split(), 15), "max_candidates"),
        (build(&overflowing(), split(), 16), "finite scores"),
    ];
    for (bad, word) in cases {
        let error = live.reload(move || bad).unwrap_err().to_string();
        assert!(error.contains(word), "expected \"{word}\" in: {error}");
    }
    let error = live.reload(|| Err(Error::Stopped)).unwrap_err();
    assert!(matches!(error, Error::Stopped));
    let panicked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| live.reload(|| panic!("planned"))));
    assert!(panicked.is_err());

    let current = live.current();
    assert_eq!(current.number(), 0);
    assert_eq!(bits(&alone(current.scorer(), &job)), before);
    assert_eq!(live.reload(|| Ok(scorer(2, 32))).unwrap(), 1, "a good one still comes in");
    assert_eq!(live.max_candidates(), 16, "what callers may rely on does not change");
}

/// Finite weights, so that the model opens, whose products are not.
fn overflowing() -> Model {
    let good = model(1);
    let names: Vec<String> = good.weights().names().map(str::to_owned).collect();
    let tensors: Vec<NamedTensor> = names
        .iter()
        .map(|name| {
            let tensor = good.weights().find(name).unwrap();
            if name.ends_with("num_batches_tracked") {
                let (shape, bytes) = (tensor.shape.to_vec(), tensor.bytes.to_vec());
                return NamedTensor { name: name.clone(), dtype: tensor.dtype, shape, bytes };
            }
            let is_tower = name.contains("_towers") && name.ends_with("weight");
            let values: Vec<f32> =
                tensor.to_vec().iter().map(|&v| if is_tower { 3e38 } else { v as f32 }).collect();
            NamedTensor::f32(name.clone(), tensor.shape, &values)
        })
        .collect();
    let weights = maskrank::weights::Weights::from_tensors("overflowing", &tensors).unwrap();
    Model::new(config(), WIDTHS, weights).expect("every value is finite")
}

#[test]
fn no_call_is_lost_or_mixed_while_models_change() {
    let live = live(0, 16);
    let mut random = Random(3);
    let job = Job::new(request(&mut random, 9), WEIGHTS);
    let expected: Vec<_> = (0..2).map(|seed| bits(&alone(&scorer(seed, 16), &job))).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (mut scores, options) = (Scores::default(), ScoreOptions::new(&WEIGHTS));
                while !done.load(Ordering::Relaxed) {
                    let batch = Batch { requests: &[job.request.view()] };
                    let number = live.score(batch, &options, &mut scores).unwrap();
                    assert_eq!(bits(&scores), expected[number as usize % 2], "generation {number}");
                }
            });
        }
        for number in 1..=40 {
            assert_eq!(live.reload(|| Ok(scorer(number % 2, 16))).unwrap(), number);
        }
        done.store(true, Ordering::Relaxed);
    });
}
