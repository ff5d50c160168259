//! Products that a request's candidates share ([`crate::plan::Reuse`]): a row of each request, multiplied by the first
//! columns of every product over `x`, in launches of their own. The candidates' products start behind those columns, and
//! their epilogues add what each candidate takes of its request's sums.

use std::borrow::Cow;

use bytemuck::Zeroable;

use crate::Precision;
use crate::plan::{Plan, Step};

use super::super::element;
use super::super::layout::{Arena, Region};
use super::super::params;
use super::super::tile::Tile;
use super::Program;
use super::call::Place;
use super::launches::{Launch, Parameters};

/// Tiles of the sums: a batch has few requests. The second is for more requests than the first has rows.
pub(crate) const TILES: [Tile; 2] = [Tile { m: 16, n: 32 }, Tile { m: 64, n: 64 }];

/// Which of the tiles so many requests take. It changes no bit.
pub(crate) fn tile(requests: usize) -> usize {
    usize::from(requests > TILES[0].m)
}

/// Rows of tiles of so many requests.
pub(crate) fn tile_rows(requests: usize) -> u32 {
    requests.div_ceil(TILES[tile(requests)].m).max(1) as u32
}

/// The columns of a request's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Once {
    /// Under the candidates' norm.
    pub(super) normed: usize,
    /// After those, the same for every candidate.
    pub(super) plain: usize,
    /// Whether what rounding cut off the normed columns follows them.
    pub(super) has_rest: bool,
}

impl Once {
    /// None where a plan computes nothing once a request.
    pub(super) fn new(plan: &Plan, precision: Precision) -> Option<Self> {
        let reuse = plan.reuse.as_ref()?;
        let has_rest = precision != Precision::F32 && reuse.normed > 0;
        Some(Self { normed: reuse.normed, plain: reuse.plain, has_rest })
    }

    /// Columns of `x` that candidates do not multiply.
    pub(super) fn columns(self) -> usize {
        self.normed + self.plain
    }

    /// Columns of a row that the normed ones take.
    fn normed_row(self) -> usize {
        self.normed * if self.has_rest { 2 } else { 1 }
    }

    /// Columns of a request's row.
    pub(super) fn row(self) -> usize {
        self.normed_row() + self.plain
    }
}

/// Where a product's sums of requests lie, (max_candidates, n) f32 each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) plain: Option<Region>,
    pub(super) normed: Option<Region>,
}

/// What a lane holds of it. A batch has at most as many requests with candidates as candidates.
pub(super) struct OnceMemory {
    /// Rows of requests, (max_candidates, row).
    pub(super) rows: Region,
    /// Number of them.
    pub(super) count: Region,
    /// What featurize says of each candidate, (max_candidates, 4) f32.
    pub(super) terms: Region,
    /// By step and group; empty for steps that are no product, none for products that share nothing.
    pub(super) sums: Vec<Vec<Option<Sums>>>,
}

impl OnceMemory {
    pub(super) fn new(plan: &Plan, once: Once, precision: Precision, max: usize, arena: &mut Arena) -> Self {
        let rows = arena.push(max * once.row() * element::bytes(precision));
        let count = arena.push(size_of::<u32>());
        let terms = arena.push(max * 4 * size_of::<f32>());
        let mut sums =
            |columns: usize, n: usize| (columns > 0).then(|| arena.push(max * n * size_of::<f32>()));
        let of_step = |step: &Step| match step {
            Step::Gemm(groups) => groups
                .iter()
                .map(|group| {
                    let n = plan.padded(group.output);
                    plan.reuse_of(group.input)?;
                    Some(Sums { plain: sums(once.plain, n), normed: sums(once.normed, n) })
                })
                .collect(),
            _ => Vec::new(),
        };
        let sums = plan.steps.iter().map(of_step).collect();
        Self { rows, count, terms, sums }
    }
}

impl Program {
    /// The launches that multiply the rows of requests, for each of [`TILES`]; the number of rows of tiles is a call's
    /// own. None where nothing is computed once a request.
    pub(crate) fn sums(&self, place: Place) -> [Vec<Launch>; 2] {
        [0, 1].map(|tile| self.sums_with(place, tile))
    }

    fn sums_with(&self, place: Place, tile: usize) -> Vec<Launch> {
        let (Some(once), Some(memory)) = (self.once, &self.lane.once) else { return Vec::new() };
        let size = element::bytes(self.precision);
        let at = |region: Region, column: usize| region.at(place.lane) + (column * size) as u64;
        let mut all = Vec::new();
        for (index, step) in self.plan.steps.iter().enumerate() {
            let Step::Gemm(groups) = step else { continue };
            for ((group, constants), sums) in
                groups.iter().zip(&self.constants.gemms[index]).zip(&memory.sums[index])
            {
                let Some(sums) = sums else { continue };
                let weight = |column: usize| constants.weight.at(place.image) + (column * size) as u64;
                // Columns of the request's row, and of the weights, where each part starts; and its length in both.
                let parts = [
                    (sums.normed, (0, 0), (once.normed_row(), once.normed)),
                    (sums.plain, (once.normed_row(), once.normed), (once.plain, once.plain)),
                ];
                for (region, (row, column), (k, repeat_k)) in parts {
                    let Some(region) = region else { continue };
                    let mut out = params::GemmGroup::zeroed();
                    (out.a, out.a_stride) = (at(memory.rows, row), once.row() as u32);
                    (out.b, out.b_stride) = (weight(column), self.plan.padded(group.input) as u32);
                    (out.k, out.repeat_k, out.n) = (k as u32, repeat_k as u32, constants.n as u32);
                    out.scratch = region.at(place.lane);
                    all.push(out);
                }
            }
        }
        all.chunks(params::MAX_GROUPS).map(|groups| self.sums_launch(place, tile, groups)).collect()
    }

    fn sums_launch(&self, place: Place, tile: usize, groups: &[params::GemmGroup]) -> Launch {
        let mut params = params::GemmParams::zeroed();
        params.rows = self.lane.once.as_ref().map_or(0, |memory| memory.count.at(place.lane));
        params.num_groups = groups.len() as u32;
        let mut columns = 0;
        for (group, out) in groups.iter().zip(&mut params.groups) {
            *out = *group;
            out.first_tile = columns as u32;
            columns += TILES[tile].columns(group.n as usize);
        }
        Launch {
            entry: Cow::Borrowed(entry(self.precision, tile)),
            grid: [columns as u32, 1, 1],
            parameters: Parameters::Gemm(params),
        }
    }
}

/// Name of the kernel of sums: borrowed, so that a call's launches allocate nothing.
fn entry(precision: Precision, tile: usize) -> &'static str {
    let names = match precision {
        Precision::F32 => ["gemm_f32_16x32_sums", "gemm_f32_64x64_sums"],
        Precision::Tf32 => ["gemm_tf32_16x32_sums", "gemm_tf32_64x64_sums"],
        Precision::Bf16 => ["gemm_bf16_16x32_sums", "gemm_bf16_64x64_sums"],
        Precision::F16 => ["gemm_f16_16x32_sums", "gemm_f16_64x64_sums"],
    };
    names[tile]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cuda::artifacts::manifest;

    #[test]
    fn every_tile_of_sums_has_its_kernels() {
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16] {
            for (index, tile) in TILES.iter().enumerate() {
                let name = entry(precision, index);
                assert_eq!(name, format!("gemm_{precision}_{}x{}_sums", tile.m, tile.n));
                for target in &manifest().expect("the manifest parses").targets {
                    target.entry(name).expect("an instantiation");
                }
            }
        }
    }

    #[test]
    fn tiles_cover_the_requests() {
        for requests in [0, 1, 16, 17, 64, 65, 1000] {
            let rows = tile_rows(requests) as usize * TILES[tile(requests)].m;
            assert!(rows >= requests && rows > 0, "{requests} requests");
        }
    }
}
