// row_norm: layer norm of rows, and the sum of all outputs by the last block, for the tests of the PTX interpreter.
//
//   y = (x - mean) / sqrt(variance + eps) * gain + shift      total = sum of all y
//
// Operands     x (rows, width) f32   gain, shift (width) f32   y (rows, width) f32   partial (rows) f32   total (1)
// Threads      one block of 128 per row; a thread owns the columns threadIdx.x + i * 128
// Barriers     (1) warp sums visible before the block sum (2) block sum visible before use and before the next round
// Numerics     f32; variance in two passes
// Limits       any width above 0; ticket must be 0 before the launch and is 0 again after it
constexpr int NUM_THREADS = 128;
constexpr int NUM_WARPS = NUM_THREADS / 32;

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
    return v;
}

// Sum over the block, in every thread.
__device__ __forceinline__ float block_sum(float v, float* smem_sums) {
    v = warp_sum(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) smem_sums[threadIdx.x / 32] = v;
    __syncthreads();
    float sum = 0.f;
#pragma unroll
    for (int i = 0; i < NUM_WARPS; ++i) sum += smem_sums[i];
    return sum;
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    row_norm(const float* __restrict__ x, const float* __restrict__ gain, const float* __restrict__ shift, float* y,
             float* partial, float* total, unsigned* ticket, int width, float eps) {
    __shared__ float smem_sums[NUM_WARPS];
    __shared__ bool smem_last;
    const int row = blockIdx.x;
    float sum = 0.f;
    for (int c = threadIdx.x; c < width; c += NUM_THREADS) sum += x[size_t(row) * width + c];
    const float mean = block_sum(sum, smem_sums) / width;
    float squares = 0.f;
    for (int c = threadIdx.x; c < width; c += NUM_THREADS) {
        const float d = x[size_t(row) * width + c] - mean;
        squares += d * d;
    }
    const float scale = rsqrtf(block_sum(squares, smem_sums) / width + eps);
    float out = 0.f;
    for (int c = threadIdx.x; c < width; c += NUM_THREADS) {
        const float v = (x[size_t(row) * width + c] - mean) * scale * gain[c] + shift[c];
        y[size_t(row) * width + c] = v;
        out += v;
    }
    out = block_sum(out, smem_sums);
    if (threadIdx.x == 0) {
        partial[row] = out;
        __threadfence();
        smem_last = atomicAdd(ticket, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!smem_last) return;
    float all = 0.f;
    for (int r = threadIdx.x; r < int(gridDim.x); r += NUM_THREADS) all += __ldcg(partial + r);
    all = block_sum(all, smem_sums);
    if (threadIdx.x == 0) {
        *total = all;
        *ticket = 0;
    }
}
