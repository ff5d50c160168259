//! A tile in groups of up to 8 candidates × 32 columns, sixteen accumulators of sixteen f32: what both AVX-512 kernels
//! share. They differ in what a step of K multiplies.

/// Candidates whose lines are gathered. In a panel they are 1 KiB apart, which is four sets of L1: one candidate's 174 lines
/// of the widest product do not stay there, and every strip reads them from L2 again, in the places of its own lines.
pub(super) const FEW: usize = 4;

/// How far ahead of its loads a call of one group fetches the strip that it reads, bytes. Its loads are all that it waits
/// for: 16 lines can be on their way to L1, and what is fetched in bursts or long before takes their place.
pub(super) const NEAR: usize = 2048;

/// Defines `tile_rows`, which runs `$step` over K for groups of candidates, and `two_tiles` for few of them and two strips.
/// `$step::<R, N>(a, b, sums)` adds `$line` columns of K for R candidates, whose lines start at `a`, against the strip's
/// lines from `b` on; with N it fetches the lines that lie [`NEAR`] bytes behind those that it loads.
macro_rules! tile_by_rows {
    ($features:literal, $element:ty, $line:expr, $step:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn tile_rows(tile: &Tile<$element>) {
            let mut row = 0;
            // One group reads the strip from memory and waits for nothing else; where the strip's own next lines are what
            // comes next, it fetches those. Several find it in L1, and fetch what is still to come.
            let own = tile.b.wrapping_add(tile.columns * STRIP).cast::<u8>() == tile.ahead;
            while row < tile.rows {
                // SAFETY: each call has at most the rows that are left.
                row += unsafe {
                    match tile.rows - row {
                        1 if own && row == 0 => rows::<1, true>(tile, row),
                        2 if own && row == 0 => rows::<2, true>(tile, row),
                        4 if own && row == 0 => rows::<4, true>(tile, row),
                        8 if own && row == 0 => rows::<8, true>(tile, row),
                        8.. => rows::<8, false>(tile, row),
                        4.. => rows::<4, false>(tile, row),
                        2.. => rows::<2, false>(tile, row),
                        _ => rows::<1, false>(tile, row),
                    }
                };
            }
        }

        /// Rows `[row, row + R)`; returns R.
        #[target_feature(enable = $features)]
        unsafe fn rows<const R: usize, const N: bool>(tile: &Tile<$element>, row: usize) -> usize {
            let mut sums = [[_mm512_setzero_ps(); 2]; R];
            // This group's share of the weights to come, spread over the steps.
            let share = if N { 0 } else { tile.ahead_lines * R / tile.rows };
            let mut ahead = tile.ahead.wrapping_add(tile.ahead_lines * row / tile.rows * 64);
            let steps = tile.columns / $line;
            let each = share.div_ceil(steps);
            for line in 0..steps {
                for _ in 0..each {
                    fetch(ahead);
                    ahead = ahead.wrapping_add(64);
                }
                // SAFETY: `line · $line` and its columns are below `columns`, `row + R` at most 16: inside what the
                // caller vouches for.
                unsafe {
                    let a = tile.a.add(line * tile.line_stride + row * $line);
                    let b = tile.b.add(line * $line * STRIP);
                    $step::<R, N>(a, b, &mut sums);
                }
            }
            // SAFETY: rows below `row + R` are the tile's.
            unsafe { store_rows(tile, row, &sums) };
            R
        }

        /// Sums of rows `[row, row + R)` to C, or added to it.
        #[target_feature(enable = $features)]
        unsafe fn store_rows<const R: usize>(tile: &Tile<$element>, row: usize, sums: &[[__m512; 2]; R]) {
            for (r, sums) in sums.iter().enumerate() {
                for (half, sum) in sums.iter().enumerate() {
                    // SAFETY: row `row + r` is below `rows`, for which C is writable.
                    unsafe {
                        let c = tile.c.add((row + r) * STRIP + half * 16);
                        let sum =
                            if tile.accumulate { _mm512_add_ps(_mm512_loadu_ps(c), *sum) } else { *sum };
                        _mm512_storeu_ps(c, sum);
                    }
                }
            }
        }

        /// Two strips against the same few candidates, line by line in turn: two streams from memory are read faster than one.
        #[target_feature(enable = $features)]
        unsafe fn two_tiles(tiles: &[Tile<$element>; 2]) {
            // SAFETY: both have the same rows, at most `FEW`.
            unsafe {
                match tiles[0].rows {
                    1 => rows_of_two::<1>(tiles),
                    2 => rows_of_two::<2>(tiles),
                    3 => rows_of_two::<3>(tiles),
                    4 => rows_of_two::<4>(tiles),
                    _ => tiles.iter().for_each(|tile| tile_rows(tile)),
                }
            }
        }

        #[target_feature(enable = $features)]
        unsafe fn rows_of_two<const R: usize>(tiles: &[Tile<$element>; 2]) {
            let mut sums = [[[_mm512_setzero_ps(); 2]; R]; 2];
            for line in 0..tiles[0].columns / $line {
                for (tile, sums) in tiles.iter().zip(&mut sums) {
                    // SAFETY: as in `rows`.
                    unsafe {
                        let a = tile.a.add(line * tile.line_stride);
                        let b = tile.b.add(line * $line * STRIP);
                        $step::<R, true>(a, b, sums);
                    }
                }
            }
            for (tile, sums) in tiles.iter().zip(&sums) {
                // SAFETY: R rows are the tile's.
                unsafe { store_rows(tile, 0, sums) };
            }
        }
    };
}

pub(super) use tile_by_rows;
