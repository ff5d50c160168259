//! Merging lanes: steps of one kind, from lanes that do not depend on each other, become one grouped step.

use std::collections::VecDeque;

use super::Step;

/// Runs several lanes side by side. The order inside each lane is kept.
pub(super) fn merge(lanes: Vec<Vec<Step>>) -> Vec<Step> {
    let mut lanes: Vec<VecDeque<Step>> = lanes.into_iter().map(VecDeque::from).collect();
    let mut merged = Vec::new();
    while let Some(next) = lanes.iter().filter_map(|lane| lane.front().map(kind)).min() {
        let mut step: Option<Step> = None;
        for lane in &mut lanes {
            if lane.front().map(kind) != Some(next) {
                continue;
            }
            match (&mut step, lane.pop_front()) {
                (Some(Step::Gemm(groups)), Some(Step::Gemm(more))) => groups.extend(more),
                (Some(Step::LayerNorm(groups)), Some(Step::LayerNorm(more))) => groups.extend(more),
                (_, first) => step = first,
            }
        }
        merged.extend(step);
    }
    merged
}

/// Lower kinds go first, so that a lane which has one more step than its neighbours catches up with them.
fn kind(step: &Step) -> u8 {
    match step {
        Step::Featurize(_) | Step::LayerNorm(_) => 0,
        Step::Gemm(groups) => groups.first().map_or(0, |group| group.epilogue.kind()),
        Step::Head(_) => u8::MAX,
    }
}
