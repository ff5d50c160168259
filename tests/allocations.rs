//! After warm-up a call allocates nothing of ours. What rayon allocates to hand work to its threads is counted apart:
//! at most a few blocks a call, none of them for the caller's thread alone (`threads(1)` takes no pool at all).

use std::path::Path;
use std::sync::Mutex;

use maskrank::golden::Case;
use maskrank::{Backend, Batch, BinaryType, Outputs, Precision, ScoreOptions, Scorer, Scores};

mod common;

use common::allocator::{Counting, blocks, own_blocks};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests of this file take turns: the counter is the process's.
static TURN: Mutex<()> = Mutex::new(());

/// Most blocks of one call, over several calls after warm-up.
fn blocks_of_a_call(threads: usize, precision: Precision) -> usize {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let case = Case::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-parallel")).unwrap();
    let scorer = Scorer::builder(&case.model)
        .backend(Backend::Cpu)
        .precision(precision)
        .threads(threads)
        .max_in_flight(1)
        .max_candidates(4 * case.rows)
        .build()
        .unwrap();
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let outputs = Outputs { logits: true, probabilities: true, calibrated_probabilities: true, top_k: 7 };
    let options = ScoreOptions::new(&weights).with_outputs(outputs);
    let request = case.request();
    let batches = [vec![request; 4], vec![request], vec![request, request, request]];
    let mut scores = Scores::default();
    for _ in 0..50 {
        for requests in &batches {
            scorer.score(Batch { requests }, &options, &mut scores).unwrap();
        }
    }
    let mut most = 0;
    for requests in batches.iter().cycle().take(30) {
        let call = || scorer.score(Batch { requests }, &options, &mut scores);
        // One thread is the caller's own.
        let (result, blocks) = if threads == 1 { own_blocks(call) } else { blocks(call) };
        result.unwrap();
        most = most.max(blocks);
    }
    most
}

#[test]
fn the_counter_counts() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (block, blocks) = blocks(|| std::hint::black_box(vec![1u8; 100]));
    assert!(blocks >= 1 && block[0] == 1);
}

#[test]
fn one_thread_allocates_nothing() {
    for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
        assert_eq!(blocks_of_a_call(1, precision), 0, "{precision}");
    }
}

#[test]
fn a_pool_allocates_only_what_rayon_needs_to_hand_work_over() {
    for precision in [Precision::F32, Precision::Bf16] {
        let blocks = blocks_of_a_call(2, precision);
        println!("{precision}: at most {blocks} blocks a call, all of them rayon's");
        assert!(blocks <= 4, "{precision}: {blocks} blocks");
    }
}

/// From the lending of the memory to the scores.
#[test]
fn lent_staging_allocates_nothing_after_the_first_time() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let case = Case::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny-parallel")).unwrap();
    let builder = Scorer::builder(&case.model).backend(Backend::Cpu).threads(1).max_in_flight(1);
    let scorer = builder.max_candidates(20).build().unwrap();
    let weights: Vec<f32> = case.score_weights.iter().map(|&w| w as f32).collect();
    let options = ScoreOptions::new(&weights).with_outputs(Outputs { top_k: 3, ..Outputs::default() });
    let mut scores = Scores::default();
    let mut call = |sizes: &[usize]| {
        let mut staging = scorer.staging::<f32>(sizes, BinaryType::Bits).unwrap();
        staging.columns().candidate.continuous.fill(0.5);
        staging.score(&options, &mut scores).unwrap();
    };
    call(&[5, 0, 10, 5]);
    for sizes in [&[20][..], &[5, 0, 10, 5], &[], &[1, 1]] {
        let ((), blocks) = own_blocks(|| call(sizes));
        assert_eq!(blocks, 0, "{sizes:?}");
    }
}
