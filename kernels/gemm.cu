// gemm: grouped matrix products with a fused epilogue; one group a linear layer, all groups of a step in one launch.
//
//   out_g = epilogue( (a_g · b_gᵀ + r_g) · scale_g + bias_g )        epilogue: none, relu, ⊙ factor_g, layer norm
//   scratch_g = a_g · b_gᵀ                                           epilogue: sums, whose rows are requests
//
//   r_g: the rest of K, that the request's candidates share: plain_g + terms.y · normed_g + terms.z · center_g; else absent
//
// Operands     a (rows, k)  b (n, k)  scale, bias (n) f32  factor, out (rows, n); row-major, K contiguous; a, b, factor and out
//              are column ranges of wider matrices (strides). k and n are padded to 64 with zeros, rows is ragged.
// Tile         BLOCK_M candidates × BLOCK_N features, K in steps of BLOCK_K_BYTES bytes, NUM_STAGES buffers; three shapes,
//              chosen by the number of candidates. grid.x: column tiles of all groups in order; grid.y: row tiles.
// Threads      NUM_WARPS warps of WARP_M × WARP_N, column-major over the block tile's warps; accumulator.cuh has the lanes
// Barriers     (1) top of a K-step: every thread's copies of the stage have landed, and all are done with the stage
//              before it, which is then refilled   (2) after the last step: the stages become the epilogue's slices
//              (3) norm: all of the block's sums are visible before its ticket is drawn   (4) the ticket is known to all
// Numerics     a, b, factor, out of one type (f32, tf32 in f32 words, bf16, f16); products added in f32, k ascending,
//              one chain per output, never split: bits do not depend on tile, batch or neighbours. Scale, bias, factor and
//              norm in f32, one rounding at the store. Norm: variance in two passes over f32 sums, epsilon from the group.
// Limits       k, n multiples of 64; pointers and row strides multiples of 16 bytes; up to MAX_GROUPS groups; rows may be 0
// Not done     split-K: it would fill more SMs at few candidates, but tie a candidate's bits to the batch
#include "common/accumulator.cuh"
#include "common/epilogue.cuh"
#include "common/row_norm.cuh"

// Shared memory that a block may have: 163 KiB on sm_80, 227 KiB on sm_90 and sm_100, 99 KiB on every other target. PTX
// that must fit any GPU is compiled with MASKRANK_PORTABLE.
#if !defined(MASKRANK_PORTABLE) && (__CUDA_ARCH__ == 900 || __CUDA_ARCH__ == 1000)
constexpr uint32_t LARGE_BLOCK_K_BYTES = 128, LARGE_NUM_STAGES = 4;
#elif !defined(MASKRANK_PORTABLE) && __CUDA_ARCH__ == 800
constexpr uint32_t LARGE_BLOCK_K_BYTES = 128, LARGE_NUM_STAGES = 3;
#else
constexpr uint32_t LARGE_BLOCK_K_BYTES = 64, LARGE_NUM_STAGES = 4;
#endif

// The layer norm of EpilogueBiasNorm: the block that finishes a group's row of tiles last normalises those rows.
// Whichever block that is, a row is read whole and summed in row_norm.cuh's order.
template <typename Element, typename TileShape>
__device__ __forceinline__ void normalise_when_last(const GemmParams& params, const GemmGroup& group, uint32_t group_idx,
                                                    uint32_t first_row, uint32_t valid_rows) {
    __shared__ uint32_t smem_is_last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        const uint32_t num_tiles = (group.n + TileShape::BLOCK_N - 1) / TileShape::BLOCK_N;
        uint32_t* ticket = params.tickets + group_idx * gridDim.y + blockIdx.y;
        const bool is_last = atomicAdd(ticket, 1u) == num_tiles - 1;
        if (is_last) *ticket = 0;  // ready for the next launch
        smem_is_last = is_last;
    }
    __syncthreads();
    if (!smem_is_last) return;
    __threadfence();

    const auto valid = [&](uint32_t column) {
        return make_float4(column < group.width ? 1.0f : 0.0f, column + 1 < group.width ? 1.0f : 0.0f,
                           column + 2 < group.width ? 1.0f : 0.0f, column + 3 < group.width ? 1.0f : 0.0f);
    };
    const auto affine = [&](uint32_t column, float4 v) {
        if (group.gamma == nullptr) return v;
        const float4 gamma = F32::load4(group.gamma, column), beta = F32::load4(group.beta, column);
        return make_float4(__fmaf_rn(v.x, gamma.x, beta.x), __fmaf_rn(v.y, gamma.y, beta.y),
                           __fmaf_rn(v.z, gamma.z, beta.z), __fmaf_rn(v.w, gamma.w, beta.w));
    };
    for (uint32_t r = threadIdx.x / WARP_SIZE; r < valid_rows; r += TileShape::NUM_WARPS) {
        const uint64_t row = first_row + r;
        const float* sums = group.scratch + row * group.n;  // (n)
        normalise_row(
            group.n, group.width, group.epsilon, [&](uint32_t column) { return load_cached_in_l2(sums + column); },
            valid, affine,
            [&](uint32_t column, float4 v) { Element::store4(group.out, row * group.out_stride + column, v); });
    }
}

template <typename Element, typename TileShape, template <typename> class Epilogue>
__device__ __forceinline__ void gemm(const GemmParams& params) {
    typedef typename AccumulatorOf<Element, TileShape>::Type Accumulator;
    extern __shared__ __align__(128) char smem[];  // (NUM_STAGES, BLOCK_M + BLOCK_N, BLOCK_K_BYTES)

    uint32_t group_idx = 0;  // [0, num_groups)
    while (group_idx + 1 < params.num_groups && blockIdx.x >= params.groups[group_idx + 1].first_tile) ++group_idx;
    const GemmGroup& group = params.groups[group_idx];
    const uint32_t rows = *params.rows;
    const uint32_t first_row = blockIdx.y * TileShape::BLOCK_M;                            // of D
    const uint32_t first_column = (blockIdx.x - group.first_tile) * TileShape::BLOCK_N;    // of D
    if (first_row >= rows || first_column >= group.n) return;  // the whole block: a graph is captured for more rows
    const uint32_t valid_rows = min(rows - first_row, TileShape::BLOCK_M);
    const uint32_t valid_columns = min(group.n - first_column, TileShape::BLOCK_N);

    constexpr uint32_t ELEMENT_BYTES = sizeof(typename Element::Storage);
    const uint64_t a_stride = static_cast<uint64_t>(group.a_stride) * ELEMENT_BYTES;
    const uint64_t b_stride = static_cast<uint64_t>(group.b_stride) * ELEMENT_BYTES;
    OperandLoader<TileShape::BLOCK_M, TileShape> loader_a(static_cast<const char*>(group.a) + first_row * a_stride,
                                                          a_stride, valid_rows);
    OperandLoader<TileShape::BLOCK_N, TileShape> loader_b(static_cast<const char*>(group.b) + first_column * b_stride,
                                                          b_stride, valid_columns);
    const uint32_t smem_stages = shared_address(smem);
    const uint32_t num_steps = group.k * ELEMENT_BYTES / TileShape::BLOCK_K_BYTES;
    const uint32_t repeat_steps = group.repeat_k * ELEMENT_BYTES / TileShape::BLOCK_K_BYTES;
    uint32_t b_steps = 0;  // since b began: [0, repeat_steps)
    const auto start_stage = [&](uint32_t stage) {
        loader_a.start(smem_stages + stage * TileShape::STAGE_BYTES);
        loader_b.start(smem_stages + stage * TileShape::STAGE_BYTES + TileShape::STAGE_A_BYTES);
        if constexpr (Epilogue<Element>::REPEATS_B) {
            if (++b_steps == repeat_steps) {
                loader_b.gmem -= repeat_steps * TileShape::BLOCK_K_BYTES;
                b_steps = 0;
            }
        }
    };

    // Prologue: all stages but one are on their way. A step without a copy still commits, so that counts stay fixed.
#pragma unroll
    for (uint32_t stage = 0; stage < TileShape::NUM_STAGES - 1; ++stage) {
        if (stage < num_steps) start_stage(stage);
        cp_async_commit();
    }

    const uint32_t warp = threadIdx.x / WARP_SIZE;
    const uint32_t warp_row = (warp / TileShape::WARPS_N) * TileShape::WARP_M;     // [0, BLOCK_M)
    const uint32_t warp_column = (warp % TileShape::WARPS_N) * TileShape::WARP_N;  // [0, BLOCK_N)
    const uint32_t warp_a = warp_row * TileShape::BLOCK_K_BYTES;
    const uint32_t warp_b = TileShape::STAGE_A_BYTES + warp_column * TileShape::BLOCK_K_BYTES;

    // Mainloop
    Accumulator accumulator;
    uint32_t full = 0, free = TileShape::NUM_STAGES - 1;  // stage to use, stage to refill: [0, NUM_STAGES)
    for (uint32_t step = 0; step < num_steps; ++step) {
        cp_async_wait<TileShape::NUM_STAGES - 2>();
        __syncthreads();
        if (step + TileShape::NUM_STAGES - 1 < num_steps) start_stage(free);
        cp_async_commit();
        const uint32_t stage = full * TileShape::STAGE_BYTES;
        accumulator.add_stage(smem_stages + stage + warp_a, smem_stages + stage + warp_b);
        free = full;
        full = full + 1 == TileShape::NUM_STAGES ? 0 : full + 1;
    }
    cp_async_wait<0>();
    __syncthreads();

    // Epilogue: 16 rows at a time through the warp's own slice, so that a row leaves in neighbouring lanes.
    constexpr uint32_t LANES_PER_ROW = TileShape::WARP_N / 4;
    constexpr uint32_t ROWS_AT_ONCE = WARP_SIZE / LANES_PER_ROW;
    const uint32_t lane = threadIdx.x % WARP_SIZE;
    float* smem_slice = reinterpret_cast<float*>(smem + warp * TileShape::SLICE_BYTES);  // (16, SLICE_STRIDE)
    const uint32_t lane_row = lane / LANES_PER_ROW;           // [0, ROWS_AT_ONCE)
    const uint32_t lane_column = (lane % LANES_PER_ROW) * 4;  // [0, WARP_N)
    const uint32_t tile_column = warp_column + lane_column;   // [0, BLOCK_N)
    const bool has_column = tile_column < valid_columns;
    const Epilogue<Element> epilogue(group, first_column + (has_column ? tile_column : 0));
#pragma unroll
    for (uint32_t slice = 0; slice < TileShape::WARP_M / TileShape::SLICE_ROWS; ++slice) {
        accumulator.store_slice(slice, smem_slice);
        __syncwarp();
#pragma unroll
        for (uint32_t r = 0; r < TileShape::SLICE_ROWS; r += ROWS_AT_ONCE) {
            const uint32_t tile_row = warp_row + slice * TileShape::SLICE_ROWS + r + lane_row;  // [0, BLOCK_M)
            const float4 v =
                *reinterpret_cast<const float4*>(smem_slice + (r + lane_row) * TileShape::SLICE_STRIDE + lane_column);
            if (has_column && tile_row < valid_rows) epilogue(first_row + tile_row, v);
        }
        __syncwarp();
    }
    if constexpr (Epilogue<Element>::NORMALISES)
        normalise_when_last<Element, TileShape>(params, group, group_idx, first_row, valid_rows);
}

//                 BLOCK   WARP    K bytes, stages                         blocks on an SM
typedef Tile<128, 256, 64, 64, LARGE_BLOCK_K_BYTES, LARGE_NUM_STAGES, 1> Tile128x256;  // tensor cores, many candidates
typedef Tile<128, 128, 32, 64, 64, 4, 1> Tile128x128;                                  // SIMT, many candidates
typedef Tile<64, 64, 32, 32, 128, 4, 3> Tile64x64;                                     // some candidates
typedef Tile<16, 32, 16, 16, 128, 8, 4> Tile16x32;                                     // few: bound by reading weights

#include "common/entry.cuh"
#define GEMM_TILE(ELEMENT, element, m, n)                      \
    GEMM_ENTRY(ELEMENT, element, m, n, EpilogueBias, bias)     \
    GEMM_ENTRY(ELEMENT, element, m, n, EpilogueBiasRelu, relu) \
    GEMM_ENTRY(ELEMENT, element, m, n, EpilogueBiasMask, mask) \
    GEMM_ENTRY(ELEMENT, element, m, n, EpilogueBiasNorm, norm)
// Sums of requests, of which a batch has few.
#define GEMM_SUMS(ELEMENT, element)                            \
    GEMM_ENTRY(ELEMENT, element, 64, 64, EpilogueSums, sums)   \
    GEMM_ENTRY(ELEMENT, element, 16, 32, EpilogueSums, sums)
#define GEMM_ENTRY(ELEMENT, element, m, n, EPILOGUE, epilogue)                                                        \
    KERNEL_ENTRY(gemm_##element##_##m##x##n##_##epilogue, GemmParams, Tile##m##x##n::NUM_THREADS,                     \
                 Tile##m##x##n::MIN_BLOCKS, Tile##m##x##n::SMEM_BYTES,                                                \
                 (gemm<ELEMENT, Tile##m##x##n, EPILOGUE>(params)))

#if defined(MASKRANK_UNIT_f32)
GEMM_TILE(F32, f32, 128, 128)
GEMM_TILE(F32, f32, 64, 64)
GEMM_TILE(F32, f32, 16, 32)
GEMM_SUMS(F32, f32)
#elif defined(MASKRANK_UNIT_tf32)
GEMM_TILE(Tf32, tf32, 128, 256)
GEMM_TILE(Tf32, tf32, 64, 64)
GEMM_TILE(Tf32, tf32, 16, 32)
GEMM_SUMS(Tf32, tf32)
#elif defined(MASKRANK_UNIT_bf16)
GEMM_TILE(Bf16, bf16, 128, 256)
GEMM_TILE(Bf16, bf16, 64, 64)
GEMM_TILE(Bf16, bf16, 16, 32)
GEMM_SUMS(Bf16, bf16)
#elif defined(MASKRANK_UNIT_f16)
GEMM_TILE(F16, f16, 128, 256)
GEMM_TILE(F16, f16, 64, 64)
GEMM_TILE(F16, f16, 16, 32)
GEMM_SUMS(F16, f16)
#else
#error "a unit is compiled for one compute precision: -DMASKRANK_UNIT_<f32|tf32|bf16|f16>"
#endif
