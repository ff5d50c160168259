//! Where each family's columns lie in the batch that a model takes.

use std::ops::Range;

use super::registry::{Placed, clip};
use super::{Level, Registry, RegistryError};
use crate::domain::{ModelInputs, RequestColumns};

/// Widths of the batch's matrices.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    pub(super) continuous: usize,
    pub(super) binary: usize,
    pub(super) request_continuous: usize,
    pub(super) request_binary: usize,
}

/// One family's columns, as far as the model reads them.
pub(super) struct Part {
    pub(super) of_request: bool,
    /// In the request's row when `continuous_once`, else in the candidates' matrix.
    pub(super) continuous: Range<usize>,
    pub(super) continuous_once: bool,
    /// In the request's row when `binary_once`, else in the candidates' matrix.
    pub(super) binary: Range<usize>,
    pub(super) binary_once: bool,
    /// Columns, in the candidates' matrix, of the families that it reads.
    pub(super) after: Vec<Range<usize>>,
}

impl Part {
    pub(super) fn reads_nothing(&self) -> bool {
        self.continuous.is_empty() && self.binary.is_empty()
    }
}

/// All families' columns, in the registry's order.
pub(super) struct Layout {
    pub(super) widths: Widths,
    pub(super) parts: Vec<Part>,
}

impl Layout {
    pub(super) fn new(
        registry: &Registry,
        inputs: ModelInputs,
        once: &RequestColumns,
    ) -> Result<Self, RegistryError> {
        let total = |ranges: &[Range<usize>]| ranges.iter().map(ExactSizeIterator::len).sum::<usize>();
        let (request_continuous, request_binary) = (total(&once.continuous), total(&once.binary));
        let widths = Widths {
            continuous: inputs.continuous - request_continuous,
            binary: inputs.binary - request_binary,
            request_continuous,
            request_binary,
        };
        let part = |placed: &Placed| {
            let of_request = placed.family.level() == Level::Request;
            let continuous = clip(&placed.continuous, inputs.continuous);
            let binary = clip(&placed.binary, inputs.binary);
            let refused = |kind, slots: &Range<usize>| RegistryError::Split {
                family: placed.family.name(),
                kind,
                slots: slots.clone(),
            };
            let (continuous_once, continuous) = place(&continuous, &once.continuous, of_request)
                .ok_or_else(|| refused("continuous", &continuous))?;
            let (binary_once, binary) =
                place(&binary, &once.binary, of_request).ok_or_else(|| refused("binary", &binary))?;
            let after = placed.after.iter().map(|slots| {
                let slots = clip(slots, inputs.continuous);
                // A family of candidates is never given once: it was placed above, or refused.
                place(&slots, &once.continuous, false).map_or(0..0, |(_, columns)| columns)
            });
            let after = after.collect();
            Ok(Part { of_request, continuous, continuous_once, binary, binary_once, after })
        };
        let parts = registry.placed.iter().map(part).collect::<Result<_, _>>()?;
        Ok(Self { widths, parts })
    }
}

/// Whether `slots` are given once, and their columns there; none when they are given once only in part, or must not be.
fn place(slots: &Range<usize>, once: &[Range<usize>], may_be_once: bool) -> Option<(bool, Range<usize>)> {
    let below = |slot: usize| {
        once.iter().map(|range| slot.clamp(range.start, range.end) - range.start).sum::<usize>()
    };
    let (start, given_once) = (below(slots.start), below(slots.end) - below(slots.start));
    if given_once == 0 {
        let first = slots.start - start;
        return Some((false, first..first + slots.len()));
    }
    (may_be_once && given_once == slots.len()).then(|| (true, start..start + slots.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_move_up_where_earlier_ones_are_given_once() {
        let once = [4..6, 10..13];
        for (slots, may_be_once, expected) in [
            (0..4, false, Some((false, 0..4))),
            (6..10, false, Some((false, 4..8))),
            (13..20, false, Some((false, 8..15))),
            (4..6, true, Some((true, 0..2))),
            (10..13, true, Some((true, 2..5))),
            (4..6, false, None),
            (3..5, true, None),
            (9..14, true, None),
            (7..7, false, Some((false, 5..5))),
        ] {
            assert_eq!(place(&slots, &once, may_be_once), expected, "{slots:?}");
        }
    }
}
