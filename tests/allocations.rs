//! After warm-up a call allocates nothing of ours. What rayon allocates to hand work to its threads is counted apart:
//! at most a few blocks a call, none of them for the caller's thread alone (`threads(1)` takes no pool at all).

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use maskrank::golden::Case;
use maskrank::{Backend, Batch, Outputs, Precision, ScoreOptions, Scorer, Scores};

/// Counts while it is told to.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
/// Tests of this file take turns: the counter is the process's.
static TURN: Mutex<()> = Mutex::new(());

// SAFETY: every call goes to the system allocator with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTS.load(Ordering::Relaxed) {
            BLOCKS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
        BLOCKS.store(0, Ordering::Relaxed);
        COUNTS.store(true, Ordering::Relaxed);
        let result = scorer.score(Batch { requests }, &options, &mut scores);
        COUNTS.store(false, Ordering::Relaxed);
        result.unwrap();
        most = most.max(BLOCKS.load(Ordering::Relaxed));
    }
    most
}

#[test]
fn the_counter_counts() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    BLOCKS.store(0, Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    let block = std::hint::black_box(vec![1u8; 100]);
    COUNTS.store(false, Ordering::Relaxed);
    assert!(BLOCKS.load(Ordering::Relaxed) >= 1 && block[0] == 1);
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
