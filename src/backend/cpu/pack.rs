//! Weights in the order that a micro-kernel reads them: strips of 32 output columns, all of K each.

use rayon::prelude::*;

use crate::Result;
use crate::plan::{GemmGroup, Plan, Step};

use super::element::Element;
use super::memory::Arena;
use super::micro::{Kernel, STRIP};

/// Elements that a group's strips take.
pub(super) fn packed_len(plan: &Plan, group: &GemmGroup) -> usize {
    plan.padded(group.output) * plan.padded(group.input)
}

/// Packs all groups of a plan, `len` elements.
pub(super) fn pack_plan<K: Kernel>(plan: &Plan, len: usize) -> Result<Arena<K::Stored>> {
    let mut weights = Arena::new(len)?;
    let mut rest = weights.as_mut_slice();
    for step in &plan.steps {
        let Step::Gemm(groups) = step else { continue };
        for group in groups {
            let (own, others) = rest.split_at_mut(packed_len(plan, group));
            pack_group::<K>(plan, group, own);
            rest = others;
        }
    }
    Ok(weights)
}

/// Packs one group, rounding each folded weight once. Rows and columns of padding hold zeros.
pub(super) fn pack_group<K: Kernel>(plan: &Plan, group: &GemmGroup, into: &mut [K::Stored]) {
    // Which output feature a padded column carries; 0 for none.
    let features: Vec<usize> = (1..=group.linear.out_features).collect();
    let mut columns = vec![0; plan.padded(group.output)];
    plan.spread(group.output, &features, &mut columns);
    let depth = plan.padded(group.input);
    pack::<K>(depth, into, |column, row| match columns[column] {
        0 => row.fill(0.0),
        feature => {
            let mut values = vec![0.0; group.linear.in_features];
            group.linear.row(feature - 1, &mut values);
            plan.spread(group.input, &values, row);
        }
    });
}

/// Packs `into.len() / depth` output columns, whose rows of weights `row` gives.
pub(super) fn pack<K: Kernel>(depth: usize, into: &mut [K::Stored], row: impl Fn(usize, &mut [f64]) + Sync) {
    into.par_chunks_mut(STRIP * depth).enumerate().for_each(|(strip, into)| {
        let mut values = vec![0.0; depth];
        for column in 0..STRIP {
            row(strip * STRIP + column, &mut values);
            for (k, &value) in values.iter().enumerate() {
                into[K::weight_index(k, column)] = K::Stored::from_f64(value);
            }
        }
    });
}
