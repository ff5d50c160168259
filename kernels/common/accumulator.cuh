// A warp's part of D in registers: how a product step adds to it, and how 16 rows of it leave through shared memory.
//
// Both kinds read operands as tile.cuh lays them out, (WARP_M, k) and (WARP_N, k), and both add the products of one
// output in ascending k, so that a value does not depend on the tile it was computed in.
//
//   TensorCoreAccumulator   16 × 8 pieces of mma.sync; lane 4·g + t holds rows g and g + 8, columns 2·t and 2·t + 1
//   SimtAccumulator         fused multiply-adds; lane 8·m + n holds rows m + 4·i and columns n + 8·j
#pragma once
#include "element.cuh"
#include "tile.cuh"

template <typename Element>
__device__ __forceinline__ void mma(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
template <>
__device__ __forceinline__ void mma<Bf16>(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    mma_bf16(acc, a, b0, b1);
}
template <>
__device__ __forceinline__ void mma<F16>(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    mma_f16(acc, a, b0, b1);
}
template <>
__device__ __forceinline__ void mma<Tf32>(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    mma_tf32(acc, a, b0, b1);
}

template <typename Element, typename TileShape>
struct TensorCoreAccumulator {
    static constexpr uint32_t PIECES_M = TileShape::WARP_M / 16;
    static constexpr uint32_t PIECES_N = TileShape::WARP_N / 8;
    static constexpr uint32_t STEPS = TileShape::BLOCK_K_BYTES / STEP_BYTES;

    float acc[PIECES_M][PIECES_N][4] = {};      // (WARP_M, WARP_N)
    uint32_t frag_a[2][PIECES_M][4];            // (WARP_M, 32 bytes), of this step and the next
    uint32_t frag_b[2][PIECES_N / 2][4];        // (WARP_N, 32 bytes), two pieces in one load

    // ldmatrix matrices of A, by lane / 8: rows [0, 8) and [8, 16) of the first 16 bytes, then of the second 16.
    // Of B: columns [0, 8) of the first and the second 16 bytes, then columns [8, 16).
    __device__ __forceinline__ void load(uint32_t buffer, uint32_t step, uint32_t smem_a, uint32_t smem_b) {
        const uint32_t lane = threadIdx.x % WARP_SIZE, matrix = lane / 8, r = lane % 8;
#pragma unroll
        for (uint32_t i = 0; i < PIECES_M; ++i) {
            const uint32_t row = i * 16 + (matrix % 2) * 8 + r;  // [0, WARP_M)
            ldmatrix_x4(frag_a[buffer][i], smem_a + chunk_offset<TileShape::CHUNKS>(row, step * 2 + matrix / 2));
        }
#pragma unroll
        for (uint32_t j = 0; j < PIECES_N / 2; ++j) {
            const uint32_t row = j * 16 + (matrix / 2) * 8 + r;  // [0, WARP_N)
            ldmatrix_x4(frag_b[buffer][j], smem_b + chunk_offset<TileShape::CHUNKS>(row, step * 2 + matrix % 2));
        }
    }

    // Adds one stage; the fragments of a step are read while the step before is multiplied.
    __device__ __forceinline__ void add_stage(uint32_t smem_a, uint32_t smem_b) {
        load(0, 0, smem_a, smem_b);
#pragma unroll
        for (uint32_t step = 0; step < STEPS; ++step) {
            const uint32_t buffer = step % 2;
            if (step + 1 < STEPS) load(buffer ^ 1, step + 1, smem_a, smem_b);
#pragma unroll
            for (uint32_t i = 0; i < PIECES_M; ++i) {
#pragma unroll
                for (uint32_t j = 0; j < PIECES_N; ++j) {
                    const uint32_t(&b)[4] = frag_b[buffer][j / 2];
                    mma<Element>(acc[i][j], frag_a[buffer][i], b[(j % 2) * 2], b[(j % 2) * 2 + 1]);
                }
            }
        }
    }

    // Writes rows [16·slice, 16·slice + 16) of the warp tile to its shared-memory slice (16, SLICE_STRIDE).
    __device__ __forceinline__ void store_slice(uint32_t slice, float* smem_slice) const {
        const uint32_t lane = threadIdx.x % WARP_SIZE, row = lane / 4, column = (lane % 4) * 2;
#pragma unroll
        for (uint32_t j = 0; j < PIECES_N; ++j) {
            const float(&v)[4] = acc[slice][j];
            float* to = smem_slice + row * TileShape::SLICE_STRIDE + j * 8 + column;
            *reinterpret_cast<float2*>(to) = make_float2(v[0], v[1]);
            *reinterpret_cast<float2*>(to + 8 * TileShape::SLICE_STRIDE) = make_float2(v[2], v[3]);
        }
    }
};

template <typename TileShape>
struct SimtAccumulator {
    static constexpr uint32_t THREAD_M = TileShape::WARP_M / 4;
    static constexpr uint32_t THREAD_N = TileShape::WARP_N / 8;

    float acc[THREAD_M][THREAD_N] = {};  // (THREAD_M, THREAD_N) of (WARP_M, WARP_N)

    // Eight lanes read eight consecutive rows of B, one chunk column: conflict-free; a row of A is the same for them.
    __device__ __forceinline__ void add_stage(uint32_t smem_a, uint32_t smem_b) {
        const uint32_t lane = threadIdx.x % WARP_SIZE, lane_m = lane / 8, lane_n = lane % 8;
#pragma unroll 2
        for (uint32_t chunk = 0; chunk < TileShape::CHUNKS; ++chunk) {
            float4 a[THREAD_M];
#pragma unroll
            for (uint32_t i = 0; i < THREAD_M; ++i)
                a[i] = load_shared_f4(smem_a + chunk_offset<TileShape::CHUNKS>(lane_m + 4 * i, chunk));
#pragma unroll
            for (uint32_t j = 0; j < THREAD_N; ++j) {
                const float4 b = load_shared_f4(smem_b + chunk_offset<TileShape::CHUNKS>(lane_n + 8 * j, chunk));
#pragma unroll
                for (uint32_t i = 0; i < THREAD_M; ++i) {
                    acc[i][j] = __fmaf_rn(a[i].x, b.x, acc[i][j]);
                    acc[i][j] = __fmaf_rn(a[i].y, b.y, acc[i][j]);
                    acc[i][j] = __fmaf_rn(a[i].z, b.z, acc[i][j]);
                    acc[i][j] = __fmaf_rn(a[i].w, b.w, acc[i][j]);
                }
            }
        }
    }

    __device__ __forceinline__ void store_slice(uint32_t slice, float* smem_slice) const {
        const uint32_t lane = threadIdx.x % WARP_SIZE, lane_m = lane / 8, lane_n = lane % 8;
#pragma unroll
        for (uint32_t i = 0; i < 4; ++i) {
#pragma unroll
            for (uint32_t j = 0; j < THREAD_N; ++j)
                smem_slice[(lane_m + 4 * i) * TileShape::SLICE_STRIDE + lane_n + 8 * j] = acc[slice * 4 + i][j];
        }
    }
};

// The accumulator of a compute precision.
template <typename Element, typename TileShape>
struct AccumulatorOf {
    typedef TensorCoreAccumulator<Element, TileShape> Type;
};
template <typename TileShape>
struct AccumulatorOf<F32, TileShape> {
    typedef SimtAccumulator<TileShape> Type;
};
