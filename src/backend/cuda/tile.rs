//! Which block tile a product runs with. The tile never changes a bit of the result, only the time.

use super::element;
use crate::Precision;

/// Rows and columns of D that a block computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// Candidates.
    pub(crate) m: usize,
    /// Output features.
    pub(crate) n: usize,
}

/// The tiles of a precision, largest first. A test compares the list with the manifest.
pub(crate) fn tiles(precision: Precision) -> [Tile; 3] {
    let largest = match precision {
        Precision::F32 => Tile { m: 128, n: 128 },
        Precision::Tf32 | Precision::Bf16 | Precision::F16 => Tile { m: 128, n: 256 },
    };
    [largest, Tile { m: 64, n: 64 }, Tile { m: 16, n: 32 }]
}

impl Tile {
    /// Tiles in a row of tiles: one group's columns.
    pub(crate) fn columns(self, n: usize) -> usize {
        n.div_ceil(self.n)
    }

    /// The largest tile of which there is one for every multiprocessor, else the smallest; or a larger one where that
    /// takes less time although multiprocessors idle, because smaller tiles read operands more often ([`Self::time`]).
    pub(crate) fn choose(
        precision: Precision,
        rows: usize,
        widths: &[usize],
        multiprocessors: usize,
    ) -> Self {
        let all = tiles(precision);
        let columns = |tile: &Self| widths.iter().map(|&n| tile.columns(n)).sum::<usize>();
        // Half of the tile would be empty.
        let wastes = |tile: &Self| columns(tile) * tile.n >= 2 * widths.iter().sum::<usize>().max(1);
        let fills = |tile: &Self| rows.div_ceil(tile.m) * columns(tile) >= multiprocessors && !wastes(tile);
        let first = all[..2].iter().position(fills).unwrap_or(2);
        let time = |tile: &Self| tile.time(precision, rows, widths, multiprocessors);
        let larger = all[..first].iter().rev().filter(|tile| !wastes(tile));
        larger.fold(all[first], |best, tile| if time(tile) < time(&best) { *tile } else { best })
    }

    /// Time of a product for each element of K, in bytes that a multiprocessor reads from L2 meanwhile: the longer of
    /// what it reads, and of whole tiles in whole waves at the rate of [`flops_a_byte`].
    fn time(self, precision: Precision, rows: usize, widths: &[usize], multiprocessors: usize) -> f64 {
        let row_tiles = rows.div_ceil(self.m);
        let columns: usize = widths.iter().map(|&n| self.columns(n)).sum();
        let read = element::bytes(precision) * (rows * columns + row_tiles * widths.iter().sum::<usize>());
        let waves = (row_tiles * columns).div_ceil(multiprocessors);
        let flops = (waves * 2 * self.m * self.n) as f64;
        (read as f64 / multiprocessors as f64).max(flops / flops_a_byte(precision))
    }
}

/// FLOPs of a multiprocessor in the time in which it reads a byte from L2: an assumption, from an H200's 0.6 of 989
/// TFLOP/s for 16-bit products, half of that for tf32, 0.9 of 67 TFLOP/s for f32, and 5.5 TB/s. Other GPUs since sm_80
/// are within a factor of two.
fn flops_a_byte(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 11.0,
        Precision::Tf32 => 54.0,
        Precision::Bf16 | Precision::F16 => 108.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cuda::artifacts::manifest;

    #[test]
    fn every_tile_has_its_kernels() {
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16] {
            for tile in tiles(precision) {
                for epilogue in ["bias", "relu", "mask", "norm"] {
                    let name = format!("gemm_{precision}_{}x{}_{epilogue}", tile.m, tile.n);
                    for target in &manifest().expect("the manifest parses").targets {
                        target.entry(&name).expect("an instantiation");
                    }
                }
            }
        }
    }

    #[test]
    fn larger_batches_take_larger_tiles() {
        let aggregation = |rows| Tile::choose(Precision::Bf16, rows, &[4096], 132);
        assert_eq!(aggregation(1), Tile { m: 16, n: 32 });
        assert_eq!(aggregation(192), Tile { m: 64, n: 64 });
        assert_eq!(aggregation(1500), Tile { m: 128, n: 256 });
        // Too few large tiles for every multiprocessor, but they read a third as much.
        assert_eq!(Tile::choose(Precision::Bf16, 1500, &[2048], 132), Tile { m: 128, n: 256 });
        assert_eq!(Tile::choose(Precision::Bf16, 256, &[2048], 132), Tile { m: 64, n: 64 });
        // Half of a wide tile would be empty.
        assert_eq!(Tile::choose(Precision::Bf16, 16_384, &[128; 10], 132), Tile { m: 64, n: 64 });
    }
}
