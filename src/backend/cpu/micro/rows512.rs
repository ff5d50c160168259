//! A tile in groups of up to 8 candidates × 32 columns, sixteen accumulators of sixteen f32: what both AVX-512 kernels
//! share. They differ in what a step of K multiplies.

/// Defines `tile_rows`, which runs `$step` over K for groups of candidates. `$step::<R>(a, b, sums)` adds `$line` columns
/// of K for R candidates, whose lines start at `a`, against the strip's lines from `b` on.
macro_rules! tile_by_rows {
    ($features:literal, $element:ty, $line:expr, $step:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn tile_rows(tile: &Tile<$element>) {
            let mut row = 0;
            while row < tile.rows {
                // SAFETY: each call has at most the rows that are left.
                row += unsafe {
                    match tile.rows - row {
                        8.. => rows::<8>(tile, row),
                        4.. => rows::<4>(tile, row),
                        2.. => rows::<2>(tile, row),
                        _ => rows::<1>(tile, row),
                    }
                };
            }
        }

        /// Rows `[row, row + R)`; returns R.
        #[target_feature(enable = $features)]
        unsafe fn rows<const R: usize>(tile: &Tile<$element>, row: usize) -> usize {
            let mut sums = [[_mm512_setzero_ps(); 2]; R];
            // This group's share of the weights to come, spread over the steps.
            let share = tile.ahead_lines * R / tile.rows;
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
                    let a = tile.a.add(line * PANEL * $line + row * $line);
                    let b = tile.b.add(line * $line * STRIP);
                    $step::<R>(a, b, &mut sums);
                }
            }
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
            R
        }
    };
}

pub(super) use tile_by_rows;
