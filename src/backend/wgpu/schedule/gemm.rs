//! Dispatches of a gemm step: groups by their operands, column tiles, and the norms that follow.

use crate::Result;
use crate::plan::{Epilogue, GemmGroup, Plan};

use super::super::pack::{Panels, column_values, quads as in_fours};
use super::super::params::{EPILOGUE_BIAS, EPILOGUE_MULTIPLY, EPILOGUE_RELU, GemmColumns, GemmTile};
use super::super::variants::Variant;
use super::rows::{Rows, rows_dispatches};
use super::{Dispatch, Limits, Matrix, PANEL_QUADS, Schedule, Work, quads, unsupported};

/// Groups of one dispatch have these in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Operands {
    a: usize,
    multiplier: Option<usize>,
    d: Matrix,
    epilogue: u32,
}

/// Some panels of one group, where they write, and where they lie in the dispatch's weights.
struct Part<'a> {
    group: &'a GemmGroup,
    panels: Panels,
    /// First column of D's row.
    d_column: usize,
}

pub(super) fn gemm(
    schedule: &mut Schedule,
    plan: &Plan,
    step: usize,
    groups: &[GemmGroup],
    variant: &Variant,
    limits: Limits,
) -> Result<()> {
    // Rows that a second pass finishes, and where the scratch matrix holds them.
    let mut rest: Vec<Rows<'_>> = Vec::new();
    let mut scratch = 0;
    let mut dispatches: Vec<(Operands, Vec<Part<'_>>)> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let (a, output) = (group.input.buffer, group.output.buffer);
        let (multiplier, epilogue) = match &group.epilogue {
            Epilogue::Bias | Epilogue::BiasLayerNorm(_) => (None, EPILOGUE_BIAS),
            Epilogue::BiasRelu => (None, EPILOGUE_RELU),
            Epilogue::BiasMultiply(view) => (Some(*view), EPILOGUE_MULTIPLY),
        };
        let norm = match &group.epilogue {
            Epilogue::BiasLayerNorm(norm) => Some(norm),
            _ => None,
        };
        let is_read = output == a || multiplier.is_some_and(|view| view.buffer == output);
        let (d, d_column) = if norm.is_some() || is_read {
            let column = scratch;
            scratch += plan.padded(group.output);
            rest.push(Rows { name: &group.linear.name, output: group.output, input_column: column, norm });
            (Matrix::Scratch, column)
        } else {
            (Matrix::Buffer(output), plan.column(group.output))
        };
        let operands = Operands { a, multiplier: multiplier.map(|view| view.buffer), d, epilogue };
        let panels = plan.padded(group.output).div_ceil(4 * PANEL_QUADS);
        let panels = Panels { step, group: index, first: 0, count: panels };
        let part = Part { group, panels, d_column };
        match dispatches.iter_mut().find(|(other, _)| *other == operands) {
            Some((_, parts)) => parts.push(part),
            None => dispatches.push((operands, vec![part])),
        }
    }
    schedule.scratch_columns = schedule.scratch_columns.max(scratch);
    for (operands, parts) in dispatches {
        for parts in fit(plan, parts, variant, limits)? {
            schedule.dispatches.push(dispatch(plan, operands, &parts, variant));
        }
    }
    rows_dispatches(schedule, plan, Matrix::Scratch, &rest)
}

/// Panels of the widest tile: what a split may not divide.
fn stride(variant: &Variant) -> usize {
    variant.tiles.iter().map(|tile| tile.block_n as usize / (4 * PANEL_QUADS)).max().unwrap_or(1)
}

/// Splits parts over dispatches so that each one's weights fit a binding, and its tiles a dispatch.
fn fit<'a>(
    plan: &Plan,
    parts: Vec<Part<'a>>,
    variant: &Variant,
    limits: Limits,
) -> Result<Vec<Vec<Part<'a>>>> {
    let stride = stride(variant);
    let mut fitted: Vec<Vec<Part<'a>>> = vec![Vec::new()];
    let (mut bytes, mut tiles) = (0, 0);
    for part in parts {
        let panel_bytes = plan.padded(part.group.input) * PANEL_QUADS * variant.storage.quad();
        if stride * panel_bytes > limits.binding {
            let name = &part.group.linear.name;
            return Err(unsupported(format!(
                "{name} with {} columns of K: a panel of {panel_bytes} bytes exceeds a binding",
                plan.padded(part.group.input)
            )));
        }
        let mut first = 0;
        while first < part.panels.count {
            let room = ((limits.binding - bytes) / panel_bytes).min(limits.workgroups - tiles);
            let room = room / stride * stride;
            if room == 0 {
                fitted.push(Vec::new());
                (bytes, tiles) = (0, 0);
                continue;
            }
            let count = room.min(part.panels.count - first);
            let packed = count.next_multiple_of(stride);
            let panels = Panels { first, count: packed, ..part.panels.clone() };
            if let Some(last) = fitted.last_mut() {
                last.push(Part { group: part.group, panels, d_column: part.d_column });
            }
            (bytes, tiles, first) = (bytes + packed * panel_bytes, tiles + packed, first + count);
        }
    }
    Ok(fitted)
}

fn dispatch(plan: &Plan, operands: Operands, parts: &[Part<'_>], variant: &Variant) -> Dispatch {
    let mut tables = [Vec::new(), Vec::new()];
    let mut columns = Vec::new();
    let mut weights = 0;
    for Part { group, panels, d_column } in parts {
        let depth = plan.padded(group.input);
        let total = plan.padded(group.output) / 4;
        let constants = columns.len();
        let first_quad = panels.first * PANEL_QUADS;
        let multiplier_column = match &group.epilogue {
            Epilogue::BiasMultiply(view) => plan.column(*view),
            _ => 0,
        };
        for (table, tile) in tables.iter_mut().zip(variant.tiles) {
            let step = tile.block_n as usize / (4 * PANEL_QUADS);
            for panel in (0..panels.count).step_by(step) {
                let quad = first_quad + panel * PANEL_QUADS;
                if quad >= total {
                    break;
                }
                let at = panel * depth * PANEL_QUADS;
                table.push(GemmTile {
                    weights: (weights + at) as u32,
                    depth: depth as u32,
                    a_column: quads(plan.column(group.input)),
                    d_column: quads(*d_column) + quad as u32,
                    multiplier_column: quads(multiplier_column) + quad as u32,
                    constants: (constants + panel * PANEL_QUADS) as u32,
                    quads: (total - quad).min(tile.block_n as usize / 4) as u32,
                    unused: 0,
                });
            }
        }
        weights += panels.count * depth * PANEL_QUADS;
        // Columns of these panels, past the end of the group too: the tiles' guards are per quad.
        let values = column_values(plan, group.output);
        let value_at = |column: usize| values.get(column).copied().flatten();
        let range = 4 * first_quad..4 * (first_quad + panels.count * PANEL_QUADS);
        let (scale, bias) = group.linear.scale_and_bias();
        let scale_at = |v: usize| scale.map_or(1.0, |scale| scale[v] as f32);
        let scale = in_fours(range.clone().map(|c| value_at(c).map_or(1.0, scale_at)));
        let bias = in_fours(range.clone().map(|c| value_at(c).map_or(0.0, |v| bias[v] as f32)));
        let keep = in_fours(range.map(|c| if value_at(c).is_some() { 1.0 } else { 0.0 }));
        columns.extend(scale.into_iter().zip(bias).zip(keep).map(|((scale, bias), keep)| GemmColumns {
            scale,
            bias,
            keep,
        }));
    }
    let more = if parts.len() > 1 { format!(" and {} more", parts.len() - 1) } else { String::new() };
    let name = parts.first().map_or("", |part| part.group.linear.name.as_str());
    Dispatch {
        label: format!("gemm: {name}{more}"),
        work: Work::Gemm {
            a: operands.a,
            multiplier: operands.multiplier,
            d: operands.d,
            epilogue: operands.epilogue,
            tables,
            columns,
            panels: parts.iter().map(|part| part.panels.clone()).collect(),
        },
    }
}
