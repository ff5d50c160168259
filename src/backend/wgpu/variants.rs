//! The one list of shader variants, and the choice among them by what an adapter offers.
//!
//! A variant is a storage type, a pair of GEMM tiles and a kind of reduction. The list is in order of preference; the
//! last entry of every precision needs nothing beyond WebGPU's default limits, so there is always one that runs. A
//! scorer keeps its variant for life. The two tiles of a variant give the same bits (the self-test compares them), so
//! the number of candidates may choose between them.

use wgpu::{Features, Limits};

use crate::Precision;

use super::source::Defines;

/// Columns of a packed weight panel: the narrowest tile's width.
pub(crate) const PANEL_N: u32 = 64;
/// What every plan's segments are padded to: a multiple of each tile's `BLOCK_K`.
pub(crate) const ALIGN: usize = 32;
/// Invocations that share a row in every kernel but `gemm`.
pub(crate) const ROW_WORKGROUP: u32 = 128;

/// How activations and weights lie in buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Storage {
    /// `vec4<f32>`.
    F32,
    /// `vec4<f16>`; needs `SHADER_F16`.
    F16Native,
    /// Halves in pairs in u32, unpacked by a core function.
    F16Packed,
    /// bfloat16 in pairs in u32.
    Bf16,
}

impl Storage {
    /// Bytes of one element.
    pub(crate) fn size(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// Bytes of four elements.
    pub(crate) fn quad(self) -> usize {
        4 * self.size()
    }

    fn define(self) -> &'static str {
        match self {
            Self::F32 => "STORAGE_F32",
            Self::F16Native => "STORAGE_F16_NATIVE",
            Self::F16Packed => "STORAGE_F16_PACKED",
            Self::Bf16 => "STORAGE_BF16",
        }
    }
}

/// A GEMM tile: what one workgroup computes, and who computes what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    pub(crate) block_m: u32,
    pub(crate) block_n: u32,
    pub(crate) block_k: u32,
    /// Rows of one invocation.
    pub(crate) thread_m: u32,
    /// Quads of columns of one invocation.
    pub(crate) thread_q: u32,
}

impl Tile {
    /// Invocations of a workgroup.
    pub(crate) const fn invocations(&self) -> u32 {
        (self.block_m / self.thread_m) * (self.block_n / (4 * self.thread_q))
    }

    /// Bytes of workgroup memory: both operands' tiles, in f32.
    pub(crate) const fn workgroup_bytes(&self) -> u32 {
        4 * self.block_k * (self.block_m + self.block_n)
    }
}

/// For a few candidates: no work on rows that are not there.
const TILE_16X64: Tile = Tile { block_m: 16, block_n: 64, block_k: 16, thread_m: 4, thread_q: 1 };
/// For many, inside WebGPU's default limits.
const TILE_64X64: Tile = Tile { block_m: 64, block_n: 64, block_k: 16, thread_m: 4, thread_q: 1 };
/// For many, where an invocation may hold 64 accumulators.
const TILE_128X128: Tile = Tile { block_m: 128, block_n: 128, block_k: 16, thread_m: 8, thread_q: 2 };

/// One entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    pub(crate) precision: Precision,
    pub(crate) storage: Storage,
    /// For few rows and for many.
    pub(crate) tiles: [Tile; 2],
    /// Whether reductions use subgroup operations.
    pub(crate) subgroup: bool,
    /// Whether `gemm` is a third as long to compile, and a little slower to run: for adapters that are programs, whose
    /// first dispatch waits for the processor to compile.
    pub(crate) rolled: bool,
}

/// Every variant, the preferred ones of a precision first.
pub(crate) fn list() -> Vec<Variant> {
    let mut variants = Vec::new();
    for (precision, storages) in [
        (Precision::F32, &[Storage::F32][..]),
        (Precision::F16, &[Storage::F16Native, Storage::F16Packed][..]),
        (Precision::Bf16, &[Storage::Bf16][..]),
    ] {
        for &storage in storages {
            // One tile for any number of rows is one kernel less to compile.
            for (many, rolled) in [(TILE_16X64, true), (TILE_128X128, false), (TILE_64X64, false)] {
                for subgroup in [true, false] {
                    let tiles = [TILE_16X64, many];
                    variants.push(Variant { precision, storage, tiles, subgroup, rolled });
                }
            }
        }
    }
    variants
}

/// What decides between variants.
pub(crate) struct Offer<'a> {
    pub(crate) features: Features,
    pub(crate) limits: &'a Limits,
    /// Whether an invocation can keep 64 accumulators in registers: discrete GPUs can, others spill.
    pub(crate) many_registers: bool,
    /// Whether it is a program on the processor.
    pub(crate) software: bool,
}

impl Variant {
    /// The first variant of a precision that an adapter can run; none for [`Precision::Tf32`].
    pub(crate) fn choose(precision: Precision, offer: &Offer<'_>) -> Option<Self> {
        list().into_iter().find(|variant| variant.precision == precision && variant.fits(offer))
    }

    /// Whether an adapter can run it.
    pub(crate) fn fits(&self, offer: &Offer<'_>) -> bool {
        let largest = self.tiles[1];
        offer.features.contains(self.features())
            && largest.invocations() <= offer.limits.max_compute_invocations_per_workgroup
            && self
                .tiles
                .iter()
                .all(|t| t.workgroup_bytes() <= offer.limits.max_compute_workgroup_storage_size)
            && (offer.software || !self.rolled)
            && (offer.many_registers || largest.thread_m * largest.thread_q < 16)
    }

    /// The tiles to test: the second only where it is another one.
    pub(crate) fn distinct_tiles(&self) -> std::ops::Range<usize> {
        0..if self.tiles[0] == self.tiles[1] { 1 } else { 2 }
    }

    /// Device features that it needs.
    pub(crate) fn features(&self) -> Features {
        let mut features = Features::empty();
        features.set(Features::SHADER_F16, self.storage == Storage::F16Native);
        features.set(Features::SUBGROUP, self.subgroup);
        features
    }

    /// For people: `f32, tiles 16x64 and 64x64, subgroup reductions`.
    pub(crate) fn name(&self) -> String {
        let storage = match self.storage {
            Storage::F32 => "f32",
            Storage::F16Native => "f16",
            Storage::F16Packed => "f16 packed in u32",
            Storage::Bf16 => "bf16 packed in u32",
        };
        let [few, many] = self.tiles.map(|tile| format!("{}x{}", tile.block_m, tile.block_n));
        let reductions = if self.subgroup { "subgroup" } else { "tree" };
        let tiles =
            if self.rolled { format!("rolled tile {few}") } else { format!("tiles {few} and {many}") };
        format!("{storage}, {tiles}, {reductions} reductions")
    }

    /// Defines of the kernels that work on rows.
    pub(crate) fn row_defines(&self, scratch: bool) -> Defines {
        let mut defines = Defines::from([("WG_SIZE", ROW_WORKGROUP), (self.storage.define(), 1)]);
        if self.subgroup {
            defines.insert("SUBGROUP", 1);
        }
        // In f32 the scratch matrix is stored like any other: one pipeline serves both.
        if scratch && self.storage != Storage::F32 {
            defines.insert("SCRATCH", 1);
        }
        defines
    }

    /// Defines of `gemm` with one of the tiles.
    pub(crate) fn gemm_defines(&self, tile: Tile, scratch: bool) -> Defines {
        let threads_n = tile.block_n / (4 * tile.thread_q);
        let threads = tile.invocations();
        let mut defines = Defines::from([
            ("WG_SIZE", threads),
            (self.storage.define(), 1),
            ("BLOCK_M", tile.block_m),
            ("BLOCK_N", tile.block_n),
            ("BLOCK_K", tile.block_k),
            ("THREAD_M", tile.thread_m),
            ("THREAD_Q", tile.thread_q),
            ("THREADS_M", threads / threads_n),
            ("THREADS_N", threads_n),
            ("LOADS_A", tile.block_m * tile.block_k / 4 / threads),
            ("LOADS_W", tile.block_n * tile.block_k / 4 / threads),
            ("PANEL_N", PANEL_N),
        ]);
        if self.rolled {
            defines.insert("ROLLED", 1);
        }
        // In f32 the scratch matrix is stored like any other: one pipeline serves both.
        if scratch && self.storage != Storage::F32 {
            defines.insert("SCRATCH", 1);
        }
        defines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webgpu_defaults_run_every_precision() {
        let limits = Limits::default();
        for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
            let offer = Offer {
                features: Features::empty(),
                limits: &limits,
                many_registers: false,
                software: false,
            };
            let variant = Variant::choose(precision, &offer).expect("a variant inside the default limits");
            assert!(variant.features().is_empty(), "{}", variant.name());
        }
        let offer =
            Offer { features: Features::all(), limits: &limits, many_registers: true, software: true };
        assert!(Variant::choose(Precision::Tf32, &offer).is_none());
    }

    #[test]
    fn tiles_divide_evenly() {
        for variant in list() {
            for tile in variant.tiles {
                let threads = tile.invocations();
                assert_eq!(ALIGN as u32 % tile.block_k, 0, "{tile:?}: K steps divide the padding");
                assert_eq!(tile.block_n % PANEL_N, 0, "{tile:?}: whole panels");
                assert_eq!(tile.block_m * tile.block_k / 4 % threads, 0, "{tile:?}: loads of A");
                assert_eq!(tile.block_n * tile.block_k / 4 % threads, 0, "{tile:?}: loads of W");
                assert_eq!(tile.block_m % tile.thread_m, 0, "{tile:?}: rows");
                assert_eq!(tile.block_n % (4 * tile.thread_q), 0, "{tile:?}: columns");
            }
        }
    }
}
