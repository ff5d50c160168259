//! Where activations lie in a workspace, and in which order operations run.
//!
//! Segments of a buffer that some operation reads together form one matrix; the others are matrices of their own.
//! Matrices whose lives do not overlap share memory, so that a block of candidates stays in L2: run depth first,
//! one mask block's aggregation and masked rows are dead before the next block's are made.

use crate::plan::{Epilogue, Plan, Reuse, Step, View};

/// In which order the groups of a plan run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// A group's reader right after it: for a thread that takes a block of candidates through the whole model.
    DepthFirst,
    /// Step by step: for threads that share every step's columns.
    ByStep,
}

/// One group of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) step: usize,
    pub(super) group: usize,
}

/// Where a view lies in a workspace of any number of panels, in elements per panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Operand {
    /// Columns of all matrices before this one: times the workspace's candidates, where the matrix starts.
    pub(super) matrix: usize,
    /// Columns of the whole matrix, and those of nothing behind them.
    pub(super) matrix_columns: usize,
    /// First column of the view in its matrix.
    pub(super) first: usize,
    /// Columns of the view, padding included.
    pub(super) columns: usize,
}

/// An order and the memory that goes with it.
#[derive(Debug)]
pub(super) struct Layout {
    /// All groups of all steps but the head, in order.
    pub(super) order: Vec<Place>,
    /// Elements a candidate.
    pub(super) columns: usize,
    /// Rows of requests, not of candidates: their columns of `x` that are multiplied once a request and, where values
    /// are rounded, what rounding cuts off the normed ones.
    pub(super) requests: Operand,
    matrices: Vec<Matrix>,
}

#[derive(Clone, Debug)]
struct Matrix {
    buffer: usize,
    first: usize,
    count: usize,
    start_column: usize,
    columns: usize,
    offset: usize,
}

impl Layout {
    pub(super) fn new(plan: &Plan, order: Order, rounds: bool) -> Self {
        let mut matrices = matrices(plan);
        let (order, times): (Vec<Place>, Vec<usize>) = match order {
            // Groups of one step run at the same time.
            Order::ByStep => places(plan).into_iter().map(|place| (place, place.step)).unzip(),
            Order::DepthFirst => depth_first(plan).into_iter().zip(0..).unzip(),
        };
        let matrix = assign(plan, &order, &times, &mut matrices);
        let twice = |reuse: &Reuse| if rounds { reuse.normed } else { 0 };
        let once = plan.reuse.as_ref().map_or(0, |reuse| reuse.columns() + twice(reuse));
        let requests = Operand { matrix, matrix_columns: once, first: 0, columns: once };
        Self { order, columns: matrix + once, requests, matrices }
    }

    pub(super) fn operand(&self, plan: &Plan, view: View) -> Operand {
        let matrix = &self.matrices[find(&self.matrices, view)];
        Operand {
            matrix: matrix.offset,
            matrix_columns: matrix.columns,
            first: plan.column(view) - matrix.start_column,
            columns: plan.padded(view),
        }
    }
}

/// All groups of all steps but the head.
fn places(plan: &Plan) -> Vec<Place> {
    let groups = |step: &Step| match step {
        Step::Featurize(_) => 1,
        Step::LayerNorm(groups) => groups.len(),
        Step::Gemm(groups) => groups.len(),
        Step::Head(_) => 0,
    };
    let steps = plan.steps.iter().enumerate();
    steps.flat_map(|(step, s)| (0..groups(s)).map(move |group| Place { step, group })).collect()
}

/// What a group reads and what it writes.
fn views(plan: &Plan, place: Place) -> (Vec<View>, View) {
    match &plan.steps[place.step] {
        Step::Featurize(featurize) => (Vec::new(), featurize.output),
        Step::LayerNorm(groups) => (vec![groups[place.group].input], groups[place.group].output),
        Step::Gemm(groups) => {
            let group = &groups[place.group];
            let mut inputs = vec![group.input];
            if let Epilogue::BiasMultiply(by) = &group.epilogue {
                inputs.push(*by);
            }
            (inputs, group.output)
        }
        Step::Head(_) => unreachable!("places lists no head"),
    }
}

/// Runs of segments that belong together: every view lies inside one.
fn matrices(plan: &Plan) -> Vec<Matrix> {
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    let mut add = |view: View| runs.push((view.buffer, view.first, view.first + view.count));
    for place in places(plan) {
        let (inputs, output) = views(plan, place);
        inputs.into_iter().chain([output]).for_each(&mut add);
    }
    plan.head().tasks.iter().for_each(|task| add(task.input));
    runs.sort_unstable();
    let mut merged: Vec<(usize, usize, usize)> = Vec::new();
    for run in runs {
        match merged.last_mut() {
            Some(last) if last.0 == run.0 && run.1 < last.2 => last.2 = last.2.max(run.2),
            _ => merged.push(run),
        }
    }
    let matrix = |(buffer, first, end): (usize, usize, usize)| {
        let segments = &plan.buffers[buffer].segments[first..end];
        let columns: usize = segments.iter().map(|s| s.padded).sum();
        let columns = columns + apart(columns);
        Matrix { buffer, first, count: end - first, start_column: segments[0].column, columns, offset: 0 }
    };
    merged.into_iter().map(matrix).collect()
}

/// Columns of nothing behind a row, so that the same columns of many panels do not all lie in the same sets of L2 when
/// only a part of K is to stay there: panels of 4,096 columns are a whole number of L2's ways long.
fn apart(columns: usize) -> usize {
    if columns >= 4096 && columns.is_multiple_of(1024) { 352 } else { 0 }
}

fn find(matrices: &[Matrix], view: View) -> usize {
    let inside = |m: &Matrix| {
        m.buffer == view.buffer && m.first <= view.first && view.first + view.count <= m.first + m.count
    };
    matrices.iter().position(inside).unwrap_or_else(|| unreachable!("every view made its matrix"))
}

/// Of the groups whose inputs are there, always the one whose youngest input is the youngest.
fn depth_first(plan: &Plan) -> Vec<Place> {
    let mut waiting = places(plan);
    // When each segment was written; one entry a segment of each buffer.
    let mut written: Vec<Vec<Option<usize>>> =
        plan.buffers.iter().map(|buffer| vec![None; buffer.segments.len()]).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let age = |place: &Place| -> Option<usize> {
            let (inputs, _) = views(plan, *place);
            let mut youngest = 0;
            for view in inputs {
                for time in &written[view.buffer][view.first..view.first + view.count] {
                    youngest = youngest.max((*time)? + 1);
                }
            }
            Some(youngest)
        };
        let ready = waiting.iter().enumerate().filter_map(|(i, place)| Some((age(place)?, i)));
        let (_, next) = ready
            .max_by_key(|&(age, i)| (age, std::cmp::Reverse(i)))
            .unwrap_or_else(|| unreachable!("a plan's steps are in an order that runs"));
        let place = waiting.remove(next);
        let (_, output) = views(plan, place);
        written[output.buffer][output.first..output.first + output.count].fill(Some(order.len()));
        order.push(place);
    }
    order
}

/// Gives each matrix the first gap that is free for its whole life; returns the columns needed.
fn assign(plan: &Plan, order: &[Place], times: &[usize], matrices: &mut [Matrix]) -> usize {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; matrices.len()];
    let mut touch = |view: View, time: usize| {
        let life = &mut lives[find(matrices, view)];
        *life = Some(life.map_or((time, time), |(birth, _)| (birth, time)));
    };
    for (&place, &time) in order.iter().zip(times) {
        let (inputs, output) = views(plan, place);
        inputs.into_iter().chain([output]).for_each(|view| touch(view, time));
    }
    plan.head().tasks.iter().for_each(|task| touch(task.input, usize::MAX));

    let mut by_birth: Vec<usize> = (0..matrices.len()).collect();
    by_birth.sort_by_key(|&m| lives[m]);
    let mut placed: Vec<usize> = Vec::new();
    let mut total = 0;
    for m in by_birth {
        let overlap = |&&other: &&usize| match (lives[m], lives[other]) {
            (Some((birth, death)), Some((b, d))) => b <= death && birth <= d,
            _ => false,
        };
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(overlap)
            .map(|&other| (matrices[other].offset, matrices[other].offset + matrices[other].columns))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + matrices[m].columns <= start {
                break;
            }
            offset = offset.max(end);
        }
        matrices[m].offset = offset;
        total = total.max(offset + matrices[m].columns);
        placed.push(m);
    }
    total
}
