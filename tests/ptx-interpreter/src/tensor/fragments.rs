//! Which lane holds which element of a matrix: stated here and nowhere else.
//!
//! The formulas are those of the PTX ISA manual, section "Warp Level Matrix Multiply-Accumulate Instructions":
//! "Matrix Fragments for mma.m16n8k16 with floating point type", "... for mma.m16n8k8", "... for mma.m16n8k4", and
//! "Warp-level matrix load instruction: ldmatrix". `group` is the manual's `groupID` (lane / 4) and `tig` its
//! `threadID_in_group` (lane % 4). Element `i` of a fragment is the i-th value of the lane, counted through its
//! registers from the low half of the first.

/// Lanes of a group of four, and of groups.
fn split(lane: usize) -> (usize, usize) {
    (lane / 4, lane % 4)
}

/// Row and column of `a_i` for 16-bit elements, `m16n8k8` (4 elements) and `m16n8k16` (8 elements).
pub(crate) fn a_16bit(lane: usize, i: usize) -> (usize, usize) {
    let (group, tig) = split(lane);
    let row = if i % 4 < 2 { group } else { group + 8 };
    let col = tig * 2 + (i & 1) + if i < 4 { 0 } else { 8 };
    (row, col)
}

/// Row and column of `b_i` for 16-bit elements, `m16n8k8` (2 elements) and `m16n8k16` (4 elements).
pub(crate) fn b_16bit(lane: usize, i: usize) -> (usize, usize) {
    let (group, tig) = split(lane);
    (tig * 2 + (i & 1) + if i < 2 { 0 } else { 8 }, group)
}

/// Row and column of `a_i` for tf32 elements, `m16n8k4` (2 elements) and `m16n8k8` (4 elements).
pub(crate) fn a_tf32(lane: usize, i: usize) -> (usize, usize) {
    let (group, tig) = split(lane);
    (if i & 1 == 0 { group } else { group + 8 }, if i < 2 { tig } else { tig + 4 })
}

/// Row and column of `b_i` for tf32 elements, `m16n8k4` (1 element) and `m16n8k8` (2 elements).
pub(crate) fn b_tf32(lane: usize, i: usize) -> (usize, usize) {
    let (group, tig) = split(lane);
    (tig + 4 * i, group)
}

/// Row and column of `c_i` and `d_i`, all shapes `m16n8k*`.
pub(crate) fn c(lane: usize, i: usize) -> (usize, usize) {
    let (group, tig) = split(lane);
    (if i < 2 { group } else { group + 8 }, tig * 2 + (i & 1))
}

/// Row and column in its 8x8 matrix of element `i` (0 or 1) that `ldmatrix` gives to a lane.
pub(crate) fn ldmatrix(lane: usize, i: usize, transposed: bool) -> (usize, usize) {
    let (group, tig) = split(lane);
    let at = (group, tig * 2 + i);
    if transposed { (at.1, at.0) } else { at }
}

/// Lane that gives the address of a row of the `matrix`-th 8x8 matrix.
pub(crate) fn ldmatrix_address_lane(matrix: usize, row: usize) -> usize {
    matrix * 8 + row
}
