// ceiling_read: reads a region once, as wide as can be, and does nothing with it.
//
//   found = 1 where any thread's xor of its quads has four words `never`
//
// Operands     quads (threads of the grid · QUADS) of sixteen bytes; found (1)
// Tile         none; as many blocks as the host asks for
// Threads      neighbouring threads read neighbouring quads, QUADS times, all of them under way at once
// Barriers     none
// Numerics     integers
// Limits       the region holds whole multiples of a block's quads
#include "common/params.cuh"

constexpr uint32_t BLOCK_THREADS = 256;
constexpr uint32_t QUADS = 8;

__device__ __forceinline__ void read_region(const CeilingReadParams& params) {
    const uint64_t threads = static_cast<uint64_t>(gridDim.x) * BLOCK_THREADS;
    const uint64_t first = static_cast<uint64_t>(blockIdx.x) * BLOCK_THREADS + threadIdx.x;
    const uint4* const quads = static_cast<const uint4*>(params.quads);
    uint4 read[QUADS];
#pragma unroll
    for (uint32_t i = 0; i < QUADS; ++i) read[i] = quads[i * threads + first];
    uint4 sum = make_uint4(0, 0, 0, 0);
#pragma unroll
    for (uint32_t i = 0; i < QUADS; ++i) {
        sum.x ^= read[i].x;
        sum.y ^= read[i].y;
        sum.z ^= read[i].z;
        sum.w ^= read[i].w;
    }
    // So that no compiler leaves the reads out.
    if (sum.x == params.never && sum.y == params.never && sum.z == params.never && sum.w == params.never) *params.found = 1;
}

#include "common/entry.cuh"
KERNEL_ENTRY(ceiling_read, CeilingReadParams, BLOCK_THREADS, 4, 0, read_region(params))
