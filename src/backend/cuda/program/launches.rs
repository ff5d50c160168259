//! The launches of a batch size: kernel, grid and parameters.

use std::borrow::Cow;

use bytemuck::Zeroable;

use crate::Precision;
use crate::backend::staged::{BinaryType, FeatureType};
use crate::plan::{Epilogue, GemmGroup, HeadTask, LayerNormGroup, Norm, Step, View};

use super::super::element;
use super::super::layout::Region;
use super::super::params;
use super::super::tile::Tile;
use super::Program;
use super::call::{Feed, HeadCall, Place};
use super::constants::{GemmConstants, NormConstants};
use super::once::{Once, OnceMemory, Sums};

/// Candidates of a block of `layer_norm` and `head`.
const ROWS_PER_BLOCK: usize = 4;

/// One launch; making those of a call allocates nothing.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The kernel's symbol.
    pub(crate) entry: Cow<'static, str>,
    /// Blocks.
    pub(crate) grid: [u32; 3],
    /// The parameter struct.
    pub(crate) parameters: Parameters,
}

/// The parameter struct of a launch.
#[derive(Clone, Debug)]
pub(crate) enum Parameters {
    /// Of `featurize`.
    Featurize(params::FeaturizeParams),
    /// Of `gemm`.
    Gemm(params::GemmParams),
    /// Of `layer_norm`.
    LayerNorm(params::LayerNormParams),
    /// Of `head`.
    Head(params::HeadParams),
}

impl Parameters {
    /// The struct's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Featurize(params) => bytemuck::bytes_of(params),
            Self::Gemm(params) => bytemuck::bytes_of(params),
            Self::LayerNorm(params) => bytemuck::bytes_of(params),
            Self::Head(params) => bytemuck::bytes_of(params),
        }
    }
}

impl Program {
    /// The launches between featurization and head, for batches of up to `bucket` candidates; the batch's own size is
    /// read on the device.
    pub(crate) fn middle(&self, place: Place, bucket: usize) -> Vec<Launch> {
        let mut launches = Vec::new();
        for (index, step) in self.plan.steps.iter().enumerate() {
            match step {
                Step::Featurize(_) | Step::Head(_) => {}
                Step::Gemm(groups) => {
                    let constants = &self.constants.gemms[index];
                    let pieces = groups.chunks(params::MAX_GROUPS).zip(constants.chunks(params::MAX_GROUPS));
                    let sums = self.lane.once.as_ref().map_or(&[][..], |once| &once.sums[index]);
                    let mut sums = sums.chunks(params::MAX_GROUPS);
                    launches.extend(pieces.map(|(groups, constants)| {
                        self.gemm(place, bucket, (groups, constants), sums.next().unwrap_or_default())
                    }));
                }
                Step::LayerNorm(groups) => {
                    let constants = &self.constants.norms[index];
                    let pieces = groups.chunks(params::MAX_GROUPS).zip(constants.chunks(params::MAX_GROUPS));
                    launches.extend(
                        pieces.map(|(groups, constants)| self.layer_norm(place, bucket, groups, constants)),
                    );
                }
            }
        }
        launches
    }

    /// Address of a view's first column, and the elements between its rows.
    fn view(&self, place: Place, view: View) -> (u64, u32) {
        let column = self.plan.column(view) * element::bytes(self.precision);
        let base = self.lane.buffers[view.buffer].at(place.lane);
        (base + column as u64, self.plan.buffers[view.buffer].columns() as u32)
    }

    /// One launch; `sums` of those groups that start behind what is computed once a request, or nothing at all.
    fn gemm(
        &self,
        place: Place,
        bucket: usize,
        (groups, constants): (&[GemmGroup], &[GemmConstants]),
        sums: &[Option<Sums>],
    ) -> Launch {
        let widths: Vec<usize> = constants.iter().map(|c| c.n).collect();
        let tile = Tile::choose(self.precision, bucket, &widths, place.multiprocessors);
        let mut params = params::GemmParams::zeroed();
        params.rows = self.lane.rows.at(place.lane);
        params.tickets = self.lane.tickets.at(place.lane);
        params.num_groups = groups.len() as u32;
        let (mut columns, mut scratch) = (0, self.lane.scratch.at(place.lane));
        let mut epilogue = "bias";
        for (index, ((group, constants), out)) in
            groups.iter().zip(constants).zip(&mut params.groups).enumerate()
        {
            let (k, n) = (self.plan.padded(group.input), constants.n);
            (out.a, out.a_stride) = self.view(place, group.input);
            (out.out, out.out_stride) = self.view(place, group.output);
            out.b = constants.weight.at(place.image);
            out.scale = constants.scale.map_or(0, |scale| scale.at(place.image));
            out.bias = constants.bias.at(place.image);
            (out.b_stride, out.n, out.first_tile) = (k as u32, n as u32, columns as u32);
            let sums = sums.get(index).copied().flatten();
            let skipped = sums.and(self.once).map_or(0, Once::columns);
            if let (Some(sums), Some(once)) = (sums, &self.lane.once) {
                let bytes = (skipped * element::bytes(self.precision)) as u64;
                (out.a, out.b) = (out.a + bytes, out.b + bytes);
                let at = |region: Option<Region>| region.map_or(0, |region| region.at(place.lane));
                (out.terms, out.plain, out.normed) =
                    (once.terms.at(place.lane), at(sums.plain), at(sums.normed));
                out.center = constants.center.map_or(0, |center| center.at(place.image));
            }
            (out.k, out.repeat_k) = ((k - skipped) as u32, (k - skipped) as u32);
            match &group.epilogue {
                Epilogue::Bias => {}
                Epilogue::BiasRelu => epilogue = "relu",
                Epilogue::BiasMultiply(factor) => {
                    epilogue = "mask";
                    (out.factor, out.factor_stride) = self.view(place, *factor);
                }
                Epilogue::BiasLayerNorm(norm) => {
                    epilogue = "norm";
                    out.scratch = scratch;
                    out.width = self.plan.width(group.output) as u32;
                    out.epsilon = norm.epsilon as f32;
                    [out.gamma, out.beta] = pair(constants.affine, place.image);
                    scratch += (self.max_candidates * n * size_of::<f32>()) as u64;
                }
            }
            columns += tile.columns(n);
        }
        Launch {
            entry: format!("gemm_{}_{}x{}_{epilogue}", self.precision, tile.m, tile.n).into(),
            grid: [columns as u32, bucket.div_ceil(tile.m) as u32, 1],
            parameters: Parameters::Gemm(params),
        }
    }

    fn layer_norm(
        &self,
        place: Place,
        bucket: usize,
        groups: &[LayerNormGroup],
        constants: &[NormConstants],
    ) -> Launch {
        let mut params = params::LayerNormParams::zeroed();
        params.rows = self.lane.rows.at(place.lane);
        for ((group, constants), out) in groups.iter().zip(constants).zip(&mut params.groups) {
            (out.input, out.input_stride) = self.view(place, group.input);
            (out.out, out.out_stride) = self.view(place, group.output);
            out.valid = constants.valid.at(place.image);
            out.gamma = constants.gamma.at(place.image);
            out.beta = constants.beta.at(place.image);
            out.padded = self.plan.padded(group.input) as u32;
            out.width = self.plan.width(group.input) as u32;
            out.epsilon = group.norm.epsilon as f32;
        }
        Launch {
            entry: format!("layer_norm_{}", self.precision).into(),
            grid: [bucket.div_ceil(ROWS_PER_BLOCK) as u32, groups.len() as u32, 1],
            parameters: Parameters::LayerNorm(params),
        }
    }

    /// The first launch, for `grid_rows` blocks of which the batch uses as many as it has candidates, and as many more
    /// as rows of requests are made.
    pub(crate) fn featurize(&self, place: Place, grid_rows: usize, feed: &Feed) -> Launch {
        let step = self.plan.featurize();
        let constants = &self.constants.featurize;
        let (x, x_stride) = self.view(place, step.output);
        let columns = |index: usize, width: usize| {
            let source = &feed.columns[index];
            params::Columns {
                candidate: source.candidate,
                request: source.request,
                map: constants.maps[index].map_or(0, |map| map.at(place.image)),
                candidate_stride: source.candidate_stride as u32,
                request_stride: source.request_stride as u32,
                width: width as u32,
                reserved: 0,
            }
        };
        let widths = self.plan.widths;
        let [user, user_eng, author] = widths.embeddings();
        let embedding = |index: usize| {
            let [gamma, beta] = pair(constants.embeddings[index], place.image);
            let epsilon = step.embeddings[index].as_ref().map_or(0.0, |norm| norm.epsilon as f32);
            params::EmbeddingNorm { gamma, beta, epsilon, reserved: 0 }
        };
        let [scale, shift] = pair(constants.batch_norm, place.image);
        let [gamma, beta] = pair(constants.layer_norm, place.image);
        let x_padded = self.plan.padded(step.output);
        let requests = if self.once.is_some() { feed.requests } else { 0 };
        let in_lane = |region: fn(&OnceMemory) -> Region| {
            self.lane.once.as_ref().map_or(0, |once| region(once).at(place.lane))
        };
        let once = self.once;
        let params = params::FeaturizeParams {
            continuous: columns(0, widths.continuous),
            binary: columns(1, widths.binary),
            embeddings: [columns(2, user), columns(3, user_eng), columns(4, author)],
            embedding_norms: [embedding(0), embedding(1), embedding(2)],
            candidate_request: feed.candidate_request,
            scale,
            shift,
            gamma,
            beta,
            x,
            status: feed.status,
            rows_out: self.lane.rows.at(place.lane),
            order: constants.order.map_or(0, |order| order.at(place.image)),
            request_rows: in_lane(|once| once.rows),
            terms: in_lane(|once| once.terms),
            requests_out: in_lane(|once| once.count),
            rows: feed.candidates as u32,
            requests: requests as u32,
            request_stride: once.map_or(0, Once::row) as u32,
            normed: once.map_or(0, |once| once.normed) as u32,
            plain: once.map_or(0, |once| once.plain) as u32,
            has_rest: once.map_or(0, |once| u32::from(once.has_rest)),
            binary_kind: match feed.binary {
                BinaryType::Bytes => params::BINARY_BYTES,
                BinaryType::Bits => params::BINARY_BITS,
                BinaryType::Numbers => params::BINARY_F32,
            },
            x_stride,
            x_padded: x_padded as u32,
            min_value: step.min_value as f32,
            max_value: step.max_value as f32,
            epsilon: step.layer_norm.as_ref().map_or(0.0, |norm: &Norm| norm.epsilon as f32),
            has_layer_norm: u32::from(step.layer_norm.is_some()),
            reserved: 0,
        };
        Launch {
            entry: featurize_entry(feed.features, self.precision).into(),
            grid: [(grid_rows + requests) as u32, 1, 1],
            parameters: Parameters::Featurize(params),
        }
    }

    /// The last launch.
    pub(crate) fn head(&self, place: Place, bucket: usize, call: HeadCall<'_>) -> Launch {
        let mut params = params::HeadParams::zeroed();
        let tasks = &self.plan.head().tasks;
        params.rows = self.lane.rows.at(place.lane);
        params.status = call.outputs.status;
        params.score = call.outputs.score;
        [params.logits, params.probabilities, params.calibrated] = call.outputs.per_task;
        params.num_tasks = tasks.len() as u32;
        params.uses_uncalibrated = u32::from(!call.calibrated);
        for (((task, weight), score_weight), out) in
            tasks.iter().zip(&self.constants.head).zip(call.weights).zip(&mut params.tasks)
        {
            *out = self.head_task(place, task, *weight, *score_weight);
        }
        Launch {
            entry: self.head_entry().into(),
            grid: [bucket.div_ceil(ROWS_PER_BLOCK) as u32, 1, 1],
            parameters: Parameters::Head(params),
        }
    }

    fn head_task(
        &self,
        place: Place,
        task: &HeadTask,
        weight: Region,
        score_weight: f32,
    ) -> params::HeadTask {
        let (input, input_stride) = self.view(place, task.input);
        params::HeadTask {
            input,
            weight: weight.at(place.image),
            input_stride,
            padded: self.plan.padded(task.input) as u32,
            bias: task.bias as f32,
            has_relu: u32::from(task.relu),
            scale: task.scale as f32,
            shift: task.shift as f32,
            ln_ratio: task.ln_ratio as f32,
            score_weight,
        }
    }
}

/// Addresses of an affine, or nulls.
fn pair(regions: Option<[Region; 2]>, base: u64) -> [u64; 2] {
    regions.map_or([0, 0], |regions| regions.map(|region| region.at(base)))
}

/// Name of the first kernel.
fn featurize_entry(features: FeatureType, precision: Precision) -> &'static str {
    macro_rules! names {
        ($($input:ident $input_name:literal, $to:ident $to_name:literal;)*) => {
            match (features, precision) {
                $((FeatureType::$input, Precision::$to) => concat!("featurize_", $input_name, "_to_", $to_name),)*
            }
        };
    }
    names! {
        F32 "f32", F32 "f32"; Bf16 "bf16", F32 "f32"; F16 "f16", F32 "f32";
        F32 "f32", Tf32 "tf32"; Bf16 "bf16", Tf32 "tf32"; F16 "f16", Tf32 "tf32";
        F32 "f32", Bf16 "bf16"; Bf16 "bf16", Bf16 "bf16"; F16 "f16", Bf16 "bf16";
        F32 "f32", F16 "f16"; Bf16 "bf16", F16 "f16"; F16 "f16", F16 "f16";
    }
}
