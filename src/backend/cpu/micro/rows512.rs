//! A tile in groups of up to 8 candidates × 32 columns, or 6 × 64 of two strips: what both AVX-512 kernels share. They
//! differ in what a step of K multiplies.

/// Candidates whose lines are gathered. In a panel they are 1 KiB apart, which is four sets of L1: one candidate's 174 lines
/// of the widest product do not stay there, and every strip reads them from L2 again, in the places of its own lines.
pub(super) const FEW: usize = 4;

/// How far ahead of its loads a call of one group fetches the strip that it reads, bytes. Its loads are all that it waits
/// for: 16 lines can be on their way to L1, and what is fetched in bursts or long before takes their place.
pub(super) const NEAR: usize = 2048;

/// Most candidates a group: of two strips 24 sums, four lines of weights and a value of A are 29 of 32 registers.
pub(super) const GROUP_OF_TWO: usize = 6;

/// Defines `tile_rows` and `two_tiles`, which run `$step` over K for groups of candidates. `$step::<R, S, N>(a, b, sums)`
/// adds `$line` columns of K for R candidates, whose lines start at `a`, against the lines of S strips from `b` on; with N
/// it fetches the lines that lie [`NEAR`] bytes behind those that it loads.
macro_rules! tile_by_rows {
    ($features:literal, $element:ty, $line:expr, $step:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn tile_rows(tile: &Tile<$element>) {
            let (mut row, tiles) = (0, [tile]);
            // One group reads the strip from memory and waits for nothing else; where the strip's own next lines are what
            // comes next, it fetches those. Several find it in L1, and fetch what is still to come.
            let own = tile.b.wrapping_add(tile.columns * STRIP).cast::<u8>() == tile.ahead;
            while row < tile.rows {
                // SAFETY: each call has at most the rows that are left.
                row += unsafe {
                    match tile.rows - row {
                        1 if own && row == 0 => rows::<1, 1, true>(tiles, row),
                        2 if own && row == 0 => rows::<2, 1, true>(tiles, row),
                        4 if own && row == 0 => rows::<4, 1, true>(tiles, row),
                        8 if own && row == 0 => rows::<8, 1, true>(tiles, row),
                        8.. => rows::<8, 1, false>(tiles, row),
                        4.. => rows::<4, 1, false>(tiles, row),
                        2.. => rows::<2, 1, false>(tiles, row),
                        _ => rows::<1, 1, false>(tiles, row),
                    }
                };
            }
        }

        /// Two strips: for few candidates because two streams from memory are read faster than one, for many because a
        /// value of A meets four lines of weights instead of two.
        #[target_feature(enable = $features)]
        unsafe fn two_tiles(tiles: [&Tile<$element>; 2]) {
            let mut row = 0;
            let all = tiles[0].rows;
            while row < all {
                // Groups as equal as can be: of 16 they are 6, 5 and 5.
                let left = all - row;
                let group = left.div_ceil(left.div_ceil(rows512::GROUP_OF_TWO));
                // SAFETY: each call has at most the rows that are left.
                row += unsafe {
                    match group {
                        1 if all == 1 => rows::<1, 2, true>(tiles, row),
                        2 if all == 2 => rows::<2, 2, true>(tiles, row),
                        3 if all == 3 => rows::<3, 2, true>(tiles, row),
                        4 if all == 4 => rows::<4, 2, true>(tiles, row),
                        6 => rows::<6, 2, false>(tiles, row),
                        5 => rows::<5, 2, false>(tiles, row),
                        4 => rows::<4, 2, false>(tiles, row),
                        3 => rows::<3, 2, false>(tiles, row),
                        2 => rows::<2, 2, false>(tiles, row),
                        _ => rows::<1, 2, false>(tiles, row),
                    }
                };
            }
        }

        /// Rows `[row, row + R)` of S strips; returns R.
        #[target_feature(enable = $features)]
        unsafe fn rows<const R: usize, const S: usize, const N: bool>(
            tiles: [&Tile<$element>; S],
            row: usize,
        ) -> usize {
            let tile = tiles[0];
            let mut sums = [[[_mm512_setzero_ps(); 2]; S]; R];
            // This group's share of the weights to come, spread over the steps.
            let share = if N { 0 } else { tile.ahead_lines * R / tile.rows };
            let mut ahead =
                tiles.map(|tile| tile.ahead.wrapping_add(tile.ahead_lines * row / tile.rows * 64));
            let steps = tile.columns / $line;
            let each = share.div_ceil(steps);
            for line in 0..steps {
                for _ in 0..each {
                    for ahead in &mut ahead {
                        fetch(*ahead);
                        *ahead = ahead.wrapping_add(64);
                    }
                }
                // SAFETY: `line · $line` and its columns are below `columns`, `row + R` at most 16: inside what the
                // caller vouches for.
                unsafe {
                    let a = tile.a.add(line * tile.line_stride + row * $line);
                    let b = tiles.map(|tile| tile.b.add(line * $line * STRIP));
                    $step::<R, S, N>(a, b, &mut sums);
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                for (tile, sums) in tiles.iter().zip(sums) {
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
            R
        }
    };
}

pub(super) use tile_by_rows;
