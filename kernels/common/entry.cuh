// Entry points. A unit is compiled twice: for its kernels, and, with MASKRANK_LAUNCH_INFO, for what a launch of each of
// them needs, which is stated nowhere else: {threads, blocks on an SM that registers must leave room for, bytes of dynamic
// shared memory}. `cargo xtask kernels` reads it out of the second compilation's PTX into the manifest.
#pragma once

#if defined(MASKRANK_LAUNCH_INFO)
#define KERNEL_ENTRY(NAME, PARAMS, THREADS, MIN_BLOCKS, SMEM_BYTES, BODY) \
    extern "C" __device__ unsigned int NAME##_launch[3] = {THREADS, MIN_BLOCKS, SMEM_BYTES};
#else
#define KERNEL_ENTRY(NAME, PARAMS, THREADS, MIN_BLOCKS, SMEM_BYTES, BODY)                                 \
    extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) NAME(const __grid_constant__ PARAMS params) { \
        BODY;                                                                                             \
    }
#endif
