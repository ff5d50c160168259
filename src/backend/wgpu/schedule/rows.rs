//! Dispatches that work on whole rows: featurize, layer norms, and copies out of the scratch matrix.

use crate::Result;
use crate::batch::Split;
use crate::plan::{Featurize, LayerNormGroup as PlanGroup, Norm, Plan, View};

use super::super::pack::{column_values, quads as in_fours};
use super::super::params::{FeaturizeColumn, LayerNormColumns, LayerNormGroup, ORIGIN_REQUEST};
use super::{Dispatch, Matrix, Schedule, Work, quads, unsupported};

/// Rows to be normalised, or only copied where there is no norm.
pub(super) struct Rows<'a> {
    pub(super) name: &'a str,
    pub(super) output: View,
    /// First column of the input's row.
    pub(super) input_column: usize,
    pub(super) norm: Option<&'a Norm>,
}

pub(super) fn layer_norm(schedule: &mut Schedule, plan: &Plan, groups: &[PlanGroup]) -> Result<()> {
    let mut inputs: Vec<usize> = groups.iter().map(|group| group.input.buffer).collect();
    inputs.sort_unstable();
    inputs.dedup();
    for input in inputs {
        let rows: Vec<Rows<'_>> = groups
            .iter()
            .filter(|group| group.input.buffer == input)
            .map(|group| Rows {
                name: &group.name,
                output: group.output,
                input_column: plan.column(group.input),
                norm: Some(&group.norm),
            })
            .collect();
        rows_dispatches(schedule, plan, Matrix::Buffer(input), &rows)?;
    }
    Ok(())
}

/// One dispatch for each buffer that the rows go to.
pub(super) fn rows_dispatches(
    schedule: &mut Schedule,
    plan: &Plan,
    input: Matrix,
    rows: &[Rows<'_>],
) -> Result<()> {
    let mut outputs: Vec<usize> = rows.iter().map(|rows| rows.output.buffer).collect();
    outputs.sort_unstable();
    outputs.dedup();
    for output in outputs {
        if input == Matrix::Buffer(output) {
            let name = &plan.buffers[output].name;
            return Err(unsupported(format!("a layer norm inside buffer \"{name}\": two buffers")));
        }
        let members: Vec<&Rows<'_>> = rows.iter().filter(|rows| rows.output.buffer == output).collect();
        let mut groups = Vec::new();
        let mut columns = Vec::new();
        for rows in &members {
            groups.push(LayerNormGroup {
                input_column: quads(rows.input_column),
                output_column: quads(plan.column(rows.output)),
                quads: quads(plan.padded(rows.output)),
                constants: columns.len() as u32,
                width: plan.width(rows.output) as f32,
                epsilon: rows.norm.map_or(0.0, |norm| norm.epsilon as f32),
                normalise: u32::from(rows.norm.is_some()),
                unused: 0,
            });
            columns.extend(norm_columns(plan, rows));
        }
        let more = if members.len() > 1 { format!(" and {} more", members.len() - 1) } else { String::new() };
        let what = if members.iter().all(|rows| rows.norm.is_none()) { "copy" } else { "layer_norm" };
        let label = format!("{what}: {}{more}", members.first().map_or("", |rows| rows.name));
        schedule
            .dispatches
            .push(Dispatch { label, work: Work::LayerNorm { input, output, groups, columns } });
    }
    Ok(())
}

fn norm_columns(plan: &Plan, rows: &Rows<'_>) -> Vec<LayerNormColumns> {
    let values = column_values(plan, rows.output);
    let affine = rows.norm.and_then(|norm| norm.affine.as_ref());
    let gamma = values.iter().map(|v| match (v, affine) {
        (Some(v), Some(affine)) => affine.gamma[*v] as f32,
        _ => 1.0,
    });
    let beta = values.iter().map(|v| match (v, affine) {
        (Some(v), Some(affine)) => affine.beta[*v] as f32,
        _ => 0.0,
    });
    let keep = values.iter().map(|v| if v.is_some() { 1.0 } else { 0.0 });
    let (gamma, beta, keep) = (in_fours(gamma), in_fours(beta), in_fours(keep));
    gamma
        .into_iter()
        .zip(beta)
        .zip(keep)
        .map(|((gamma, beta), keep)| LayerNormColumns { gamma, beta, keep })
        .collect()
}

/// Where each column of x comes from, and its constants.
pub(super) fn featurize(plan: &Plan, featurize: &Featurize, split: &Split) -> Dispatch {
    let widths = plan.widths;
    let mut columns = Vec::with_capacity(widths.input_dim());
    let mut push = |origin: u32, batch_norm: (f64, f64), norm: Option<&Norm>, index: usize| {
        let affine = norm.and_then(|norm| norm.affine.as_ref());
        columns.push(FeaturizeColumn {
            origin,
            log_scale: batch_norm.0 as f32,
            log_shift: batch_norm.1 as f32,
            norm_scale: affine.map_or(1.0, |affine| affine.gamma[index] as f32),
            norm_shift: affine.map_or(0.0, |affine| affine.beta[index] as f32),
        });
    };
    let dense = featurize.layer_norm.as_ref();
    for (column, origin) in origins(&split.continuous, widths.continuous).into_iter().enumerate() {
        let batch_norm =
            featurize.batch_norm.as_ref().map_or((1.0, 0.0), |a| (a.gamma[column], a.beta[column]));
        push(origin, batch_norm, dense, column);
    }
    for (column, origin) in origins(&split.binary, widths.binary).into_iter().enumerate() {
        push(origin, (1.0, 0.0), dense, widths.continuous + column);
    }
    for (part, width) in widths.embeddings().into_iter().enumerate() {
        let flag = if split.embeddings[part] { ORIGIN_REQUEST } else { 0 };
        for column in 0..width {
            push(column as u32 | flag, (1.0, 0.0), featurize.embeddings[part].as_ref(), column);
        }
    }
    Dispatch {
        label: "featurize".to_owned(),
        work: Work::Featurize { output: featurize.output.buffer, columns },
    }
}

/// For each column, its place in the matrix that holds it, with a flag where that is given once a request.
fn origins(once: &[std::ops::Range<usize>], width: usize) -> Vec<u32> {
    let (mut in_request, mut in_candidate) = (0, 0);
    (0..width)
        .map(|column| {
            let is_once = once.iter().any(|range| range.contains(&column));
            let counter = if is_once { &mut in_request } else { &mut in_candidate };
            let origin = *counter;
            *counter += 1;
            if is_once { origin | ORIGIN_REQUEST } else { origin }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_count_each_side() {
        let request = ORIGIN_REQUEST;
        let once = [1..3, 4..5];
        assert_eq!(origins(&once, 6), [0, request, request | 1, 1, request | 2, 2]);
    }
}
