//! Which block tile a product runs with. The tile never changes a bit of the result, only the time.

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

    /// The largest tile of which there is one for every multiprocessor, else the smallest: a wave that leaves
    /// multiprocessors idle costs more than the operands that smaller tiles read again.
    pub(crate) fn choose(
        precision: Precision,
        rows: usize,
        widths: &[usize],
        multiprocessors: usize,
    ) -> Self {
        let [large, medium, small] = tiles(precision);
        let fills = |tile: &Self| {
            let columns: usize = widths.iter().map(|&n| tile.columns(n)).sum();
            let waste = columns * tile.n >= 2 * widths.iter().sum::<usize>().max(1);
            rows.div_ceil(tile.m) * columns >= multiprocessors && !waste
        };
        [large, medium].into_iter().find(fills).unwrap_or(small)
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
        // Half of a wide tile would be empty.
        assert_eq!(Tile::choose(Precision::Bf16, 16_384, &[128; 10], 132), Tile { m: 64, n: 64 });
    }
}
