//! Shared memory between matrices: a plan is walked with every column tagged by who wrote it last.

use std::path::PathBuf;

use super::super::layout::{Layout, Operand, Order, Place};
use crate::plan::{Epilogue, Folding, Plan, Step, View};
use crate::{Model, Split};

fn views(plan: &Plan, place: Place) -> (Vec<View>, View) {
    match &plan.steps[place.step] {
        Step::Featurize(step) => (vec![], step.output),
        Step::LayerNorm(groups) => (vec![groups[place.group].input], groups[place.group].output),
        Step::Gemm(groups) => {
            let group = &groups[place.group];
            let mut inputs = vec![group.input];
            if let Epilogue::BiasMultiply(by) = &group.epilogue {
                inputs.push(*by);
            }
            (inputs, group.output)
        }
        Step::Head(_) => unreachable!("no group"),
    }
}

/// One tag a column: buffer and segment that wrote it.
struct Memory {
    tags: Vec<Option<(usize, usize)>>,
}

impl Memory {
    fn columns(plan: &Plan, operand: Operand, view: View) -> impl Iterator<Item = (usize, (usize, usize))> {
        let start = operand.matrix + operand.first;
        let segments: Vec<_> = plan.segments(view).to_vec();
        let base = segments[0].column;
        segments.into_iter().enumerate().flat_map(move |(i, s)| {
            (s.column - base..s.column - base + s.padded)
                .map(move |c| (start + c, (view.buffer, view.first + i)))
        })
    }

    fn write(&mut self, plan: &Plan, layout: &Layout, view: View) {
        for (column, tag) in Self::columns(plan, layout.operand(plan, view), view) {
            self.tags[column] = Some(tag);
        }
    }

    fn check(&self, plan: &Plan, layout: &Layout, view: View, who: &str) {
        for (column, tag) in Self::columns(plan, layout.operand(plan, view), view) {
            assert_eq!(self.tags[column], Some(tag), "{who} reads column {column}");
        }
    }
}

fn walk(plan: &Plan, order: Order) -> usize {
    let layout = Layout::new(plan, order, true);
    let mut memory = Memory { tags: vec![None; layout.columns] };
    // Groups that run at the same time: one, or a whole step.
    let together = |a: &Place, b: &Place| order == Order::ByStep && a.step == b.step;
    for places in layout.order.chunk_by(together) {
        for place in places {
            memory.write(plan, &layout, views(plan, *place).1);
        }
        // Every group's inputs outlive every group's output.
        for place in places {
            for input in views(plan, *place).0 {
                memory.check(plan, &layout, input, &format!("{order:?} {place:?}"));
            }
        }
    }
    for task in &plan.head().tasks {
        memory.check(plan, &layout, task.input, &format!("{order:?} head {}", task.name));
    }
    layout.columns
}

#[test]
fn nothing_is_overwritten_before_it_is_read() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in ["tiny-parallel", "ragged-input-norm", "serial", "share-none", "share-partial", "production"]
    {
        let (model, _) = Model::open_case(golden.join(name)).unwrap();
        let once = Split { continuous: vec![0..model.widths().continuous / 2], ..Split::user_embeddings() };
        for (align, split) in [(32, Split::default()), (64, Split::default()), (32, once)] {
            let (config, widths, weights) = (model.config(), model.widths(), model.weights());
            let plan = Plan::build_for(config, widths, weights, align, Folding::Weights, &split);
            let buffers = plan.buffers.iter().map(crate::plan::Buffer::columns);
            // Rows of requests lie beside, once as they are and once as what rounding cuts off.
            let all: usize =
                buffers.sum::<usize>() + 2 * plan.reuse.as_ref().map_or(0, |reuse| reuse.columns());
            let by_step = walk(&plan, Order::ByStep);
            let depth_first = walk(&plan, Order::DepthFirst);
            assert!(depth_first <= by_step && by_step <= all, "{name}: {depth_first} {by_step} {all}");
            if name == "production" {
                // One mask block's aggregation and masked row at a time.
                assert!(2 * depth_first < all, "{name}: {depth_first} of {all} columns");
            }
        }
    }
}
