//! A call on a lane allocates nothing: not from the caller's memory, not from lent staging, not from device memory.
//!
//! The driver double is hollow here: it says that everything worked and does nothing, so that only our own code runs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use super::runtime::{WIDTHS, columns, executor, model, options};
use crate::backend::staged;
use crate::backend::{
    BinaryType, Call, DeviceBatch, DeviceCall, DeviceColumns, DeviceOutputs, DeviceStream, Executor,
    FeatureType, StagedCall,
};
use crate::weights::seeded;
use crate::{Batch, Outputs, Request, Scores, Split};
use maskrank_ptx_driver::faults::{self, Plan};

/// Counts the calling thread's blocks while it is told to.
struct Counting;

thread_local! {
    static BLOCKS: Cell<Option<usize>> = const { Cell::new(None) };
}

// SAFETY: every call goes to the system allocator with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter any more.
        let _ended = BLOCKS.try_with(|blocks| blocks.set(blocks.get().map(|count| count + 1)));
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

fn blocks(run: impl FnOnce()) -> usize {
    BLOCKS.set(Some(0));
    run();
    BLOCKS.replace(None).expect("counting")
}

#[test]
fn the_counter_counts() {
    assert_eq!(blocks(|| drop(std::hint::black_box(Box::new([1u8; 100])))), 1);
}

#[test]
fn no_call_allocates() {
    let (model, split) = (model(), Split::user_embeddings());
    let mut executor = executor(&model, &options(150, split.clone()));
    executor.min_chunk = 16;
    let executor = Arc::new(executor);
    let mut lane = Arc::clone(&executor).lane().expect("a lane");
    let weights = [1.0, 2.0];
    let outputs = Outputs { logits: true, probabilities: true, ..Outputs::default() };
    for candidates in [1, 16, 150] {
        let (once, each) = (split.request_widths(WIDTHS), split.candidate_widths(WIDTHS));
        let (once, each) = (seeded::inputs(once, 1, 1), seeded::inputs(each, candidates, 2));
        let requests = [Request { candidates, request: columns(&once), candidate: columns(&each) }];
        let mut scores = Scores::default();
        scores.prepare(candidates, 2, outputs);
        let layout =
            staged::Layout::new((FeatureType::Bf16, BinaryType::Bits), (1, candidates), WIDTHS, &split);
        let none = DeviceColumns::default();
        let batch = DeviceBatch::one_request(candidates, none, none);
        faults::set(Plan::Hollow);
        let count = blocks(|| {
            let call =
                Call { batch: Batch { requests: &requests }, weights: &weights, calibrated: true, outputs };
            lane.score(&call, &mut scores).expect("hollow calls work");
            let sizes = &[candidates];
            let staged = StagedCall { layout: &layout, sizes, weights: &weights, calibrated: true, outputs };
            lane.score_staged(&staged, &mut scores).expect("hollow calls work");
            let call = DeviceCall {
                batch: &batch,
                outputs: &DeviceOutputs::default(),
                weights: &weights,
                calibrated: true,
                stream: DeviceStream::DEFAULT,
            };
            lane.enqueue(&call).expect("hollow calls work");
        });
        faults::set(Plan::None);
        assert_eq!(count, 0, "{candidates} candidates");
    }
}
