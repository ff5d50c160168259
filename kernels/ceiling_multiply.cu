// ceiling_multiply: products on registers alone, by the instructions of gemm.cu: what no product of ours goes beyond.
//
//   acc_ij += a_i · b_j, TURNS · rounds times for each of a thread's PIECES × PIECES accumulators
//
// Operands     sums (threads of the grid) f32: each thread's accumulators, added up, so that no compiler leaves them out
// Tile         none; as many blocks as the host asks for
// Threads      warps by themselves; a (64, k) and b (k, 32) of a warp lie in its registers and never change; f32: a
//              thread's own PIECES × PIECES products
// Barriers     none
// Numerics     operands are multiples of 1/8 in [-1, 1), exact in every type and different in every lane, because equal ones
//              would save power and with it raise the clock; sums are exact up to 2^18
// Limits       rounds up to 2^32 - 1
#include "common/accumulator.cuh"
#include "common/params.cuh"

constexpr uint32_t BLOCK_THREADS = 256;
constexpr uint32_t PIECES = 4;

// The operand's element `index` of this lane.
__device__ __forceinline__ float number(uint32_t index) {
    const uint32_t mixed = (threadIdx.x % WARP_SIZE * 64 + index + 1) * 0x9e3779b9u;
    return static_cast<float>(static_cast<int32_t>(mixed) >> 28) * 0.125f;
}

// Register `index` of a fragment.
template <typename Element>
__device__ __forceinline__ uint32_t fragment(uint32_t index);
template <>
__device__ __forceinline__ uint32_t fragment<Bf16>(uint32_t index) {
    return pack_bf16(number(2 * index), number(2 * index + 1));
}
template <>
__device__ __forceinline__ uint32_t fragment<F16>(uint32_t index) {
    return pack_f16(number(2 * index), number(2 * index + 1));
}
template <>
__device__ __forceinline__ uint32_t fragment<Tf32>(uint32_t index) {
    return __float_as_uint(number(index));
}

// A warp's 16 × 8 pieces by mma.sync.
template <typename Element>
struct Pieces {
    float acc[PIECES][PIECES][4] = {};
    uint32_t a[PIECES][4], b[PIECES][2];

    __device__ __forceinline__ Pieces() {
#pragma unroll
        for (uint32_t i = 0; i < PIECES; ++i) {
#pragma unroll
            for (uint32_t r = 0; r < 4; ++r) a[i][r] = fragment<Element>(4 * i + r);
#pragma unroll
            for (uint32_t r = 0; r < 2; ++r) b[i][r] = fragment<Element>(4 * PIECES + 2 * i + r);
        }
    }

    __device__ __forceinline__ void add() {
#pragma unroll
        for (uint32_t i = 0; i < PIECES; ++i) {
#pragma unroll
            for (uint32_t j = 0; j < PIECES; ++j) mma<Element>(acc[i][j], a[i], b[j][0], b[j][1]);
        }
    }

    __device__ __forceinline__ float sum() const {
        float all = 0.0f;
#pragma unroll
        for (uint32_t i = 0; i < PIECES; ++i) {
#pragma unroll
            for (uint32_t j = 0; j < PIECES; ++j) all += (acc[i][j][0] + acc[i][j][1]) + (acc[i][j][2] + acc[i][j][3]);
        }
        return all;
    }
};

// A thread's fused multiply-adds.
template <>
struct Pieces<F32> {
    float acc[PIECES][PIECES] = {};
    float a[PIECES], b[PIECES];

    __device__ __forceinline__ Pieces() {
#pragma unroll
        for (uint32_t i = 0; i < PIECES; ++i) {
            a[i] = number(i);
            b[i] = number(PIECES + i);
        }
    }

    __device__ __forceinline__ void add() {
#pragma unroll
        for (uint32_t i = 0; i < PIECES; ++i) {
#pragma unroll
            for (uint32_t j = 0; j < PIECES; ++j) acc[i][j] = __fmaf_rn(a[i], b[j], acc[i][j]);
        }
    }

    __device__ __forceinline__ float sum() const {
        float all = 0.0f;
#pragma unroll
        for (uint32_t i = 0; i < PIECES; ++i) {
#pragma unroll
            for (uint32_t j = 0; j < PIECES; ++j) all += acc[i][j];
        }
        return all;
    }
};

template <typename Element>
__device__ __forceinline__ void ceiling_multiply(const CeilingMultiplyParams& params) {
    constexpr uint32_t TURNS = 4;  // of a round, so that counting rounds costs next to nothing
    Pieces<Element> pieces;
#pragma unroll 1
    for (uint32_t round = 0; round < params.rounds; ++round) {
#pragma unroll
        for (uint32_t turn = 0; turn < TURNS; ++turn) pieces.add();
    }
    params.sums[static_cast<uint64_t>(blockIdx.x) * BLOCK_THREADS + threadIdx.x] = pieces.sum();
}

#include "common/entry.cuh"
#define CEILING_MULTIPLY_ENTRY(ELEMENT, element) \
    KERNEL_ENTRY(ceiling_multiply_##element, CeilingMultiplyParams, BLOCK_THREADS, 2, 0, ceiling_multiply<ELEMENT>(params))
CEILING_MULTIPLY_ENTRY(F32, f32)
CEILING_MULTIPLY_ENTRY(Tf32, tf32)
CEILING_MULTIPLY_ENTRY(Bf16, bf16)
CEILING_MULTIPLY_ENTRY(F16, f16)
