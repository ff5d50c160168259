//! Dispatches of the head: one for each buffer that its tasks read; the last one makes the scores.

use crate::plan::{Head, Plan};

use super::super::params::HeadTask;
use super::{Dispatch, Schedule, Work, quads};

pub(super) fn head(schedule: &mut Schedule, plan: &Plan, head: &Head) {
    let mut inputs: Vec<usize> = head.tasks.iter().map(|task| task.input.buffer).collect();
    inputs.sort_unstable();
    inputs.dedup();
    for input in inputs {
        let first_task = schedule.tasks.len();
        for (index, task) in head.tasks.iter().enumerate().filter(|(_, task)| task.input.buffer == input) {
            let mut row = vec![0.0; plan.padded(task.input)];
            plan.spread(task.input, &task.weight, &mut row);
            schedule.tasks.push(HeadTask {
                input_column: quads(plan.column(task.input)),
                weights: schedule.head_weights.len() as u32,
                quads: quads(row.len()),
                relu: u32::from(task.relu),
                bias: task.bias as f32,
                scale: task.scale as f32,
                shift: task.shift as f32,
                ln_ratio: task.ln_ratio as f32,
                index: index as u32,
            });
            schedule.head_weights.extend(row.chunks_exact(4).map(|q| std::array::from_fn(|i| q[i] as f32)));
        }
        let last_task = schedule.tasks.len();
        schedule
            .dispatches
            .push(Dispatch { label: "head".to_owned(), work: Work::Head { input, first_task, last_task } });
    }
}
