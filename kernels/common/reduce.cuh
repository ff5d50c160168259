// Sums over a warp. Fixed order, the same value in every lane, so that a result does not depend on who asks.
#pragma once
#include "ptx.cuh"

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
    for (uint32_t offset = WARP_SIZE / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(FULL_WARP, v, offset);
    return v;
}

__device__ __forceinline__ float sum4(float4 v) { return (v.x + v.y) + (v.z + v.w); }
