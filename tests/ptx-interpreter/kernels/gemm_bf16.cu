// gemm_bf16: D = A · Bᵀ on tensor cores, for the tests of the PTX interpreter.
//
// Operands (row-major, K contiguous)   A (M, K) bf16   B (N, K) bf16   D (M, N) f32
// Tile         BLOCK_M x BLOCK_N of D, K in steps of BLOCK_K, NUM_STAGES buffers
// Threads      4 warps, 2 x 2, each a tile of 32 x 32
// Barriers     one per K step: it makes the landed stage visible and frees the stage that was computed before it
// Shared       rows of 32 elements (64 bytes, four chunks of 16); chunk c of row r lies at c ^ (r / 2 % 4)
// Numerics     bf16 in, f32 accumulate, f32 out
// Limits       K a multiple of 8 elements (16-byte copies); any M and N, tails are zero-filled and predicated
#include <cuda_bf16.h>
#include <cstdint>

constexpr int BLOCK_M = 64;
constexpr int BLOCK_N = 64;
constexpr int BLOCK_K = 32;
constexpr int NUM_STAGES = 3;
constexpr int NUM_THREADS = 128;
constexpr int CHUNK = 8;                          // elements of one 16-byte copy
constexpr int CHUNKS_PER_ROW = BLOCK_K / CHUNK;   // 4
constexpr int STAGE_ELEMENTS = (BLOCK_M + BLOCK_N) * BLOCK_K;

static_assert(BLOCK_M * CHUNKS_PER_ROW % NUM_THREADS == 0, "every thread copies the same number of chunks of A");
static_assert(BLOCK_N * CHUNKS_PER_ROW % NUM_THREADS == 0, "every thread copies the same number of chunks of B");

struct GemmParams {
    const __nv_bfloat16* a;
    const __nv_bfloat16* b;
    float* d;
    int m, n, k;
    int ldd;   // elements between rows of D
};

// Element offset in a stage of chunk `chunk` of row `row`.
__device__ __forceinline__ int swizzled(int row, int chunk) {
    return row * BLOCK_K + (chunk ^ (row / 2 % CHUNKS_PER_ROW)) * CHUNK;
}

// Copies 16 bytes; `bytes` of them are read, the rest is zero.
__device__ __forceinline__ void copy_16(uint32_t smem, const void* gmem, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(smem), "l"(gmem), "r"(bytes) : "memory");
}

__device__ __forceinline__ void load_tile(uint32_t smem, const __nv_bfloat16* gmem, int row0, int rows, int k0, int k) {
#pragma unroll
    for (int i = 0; i < BLOCK_M * CHUNKS_PER_ROW / NUM_THREADS; ++i) {
        const int c = threadIdx.x + i * NUM_THREADS;
        const int row = c / CHUNKS_PER_ROW, chunk = c % CHUNKS_PER_ROW;
        const int col = k0 + chunk * CHUNK;
        const bool inside = row0 + row < rows && col < k;
        const __nv_bfloat16* from = inside ? gmem + size_t(row0 + row) * k + col : gmem;
        copy_16(smem + swizzled(row, chunk) * 2, from, inside ? 16 : 0);
    }
}

__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], uint32_t smem) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(smem)
                 : "memory");
}

__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

extern "C" __global__ void __launch_bounds__(NUM_THREADS) gemm_bf16(const GemmParams p) {
    extern __shared__ __align__(128) __nv_bfloat16 smem_tiles[];   // (NUM_STAGES, BLOCK_M + BLOCK_N, BLOCK_K)
    const uint32_t smem = uint32_t(__cvta_generic_to_shared(smem_tiles));
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int warp_m = warp / 2 * 32, warp_n = warp % 2 * 32;
    const int m0 = blockIdx.y * BLOCK_M, n0 = blockIdx.x * BLOCK_N;
    const int steps = (p.k + BLOCK_K - 1) / BLOCK_K;

    auto load_stage = [&](int step) {
        if (step < steps) {
            const uint32_t stage = smem + step % NUM_STAGES * STAGE_ELEMENTS * 2;
            load_tile(stage, p.a, m0, p.m, step * BLOCK_K, p.k);
            load_tile(stage + BLOCK_M * BLOCK_K * 2, p.b, n0, p.n, step * BLOCK_K, p.k);
        }
        asm volatile("cp.async.commit_group;" ::: "memory");
    };
    for (int s = 0; s < NUM_STAGES - 1; ++s) load_stage(s);

    float acc[2][4][4] = {};   // (WARP_M / 16, WARP_N / 8, 4)
    for (int step = 0; step < steps; ++step) {
        asm volatile("cp.async.wait_group %0;" ::"n"(NUM_STAGES - 2) : "memory");
        __syncthreads();
        load_stage(step + NUM_STAGES - 1);
        const uint32_t tile_a = smem + step % NUM_STAGES * STAGE_ELEMENTS * 2;
        const uint32_t tile_b = tile_a + BLOCK_M * BLOCK_K * 2;
#pragma unroll
        for (int kk = 0; kk < BLOCK_K / 16; ++kk) {
            uint32_t a[2][4], b[2][4];
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                ldmatrix_x4(a[i], tile_a + swizzled(warp_m + i * 16 + lane % 16, kk * 2 + lane / 16) * 2);
                ldmatrix_x4(b[i], tile_b + swizzled(warp_n + i * 16 + lane % 8 + lane / 16 * 8, kk * 2 + lane / 8 % 2) * 2);
            }
#pragma unroll
            for (int i = 0; i < 2; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) mma_m16n8k16(acc[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
        }
    }
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int row = m0 + warp_m + i * 16 + lane / 4 + e / 2 * 8;
                const int col = n0 + warp_n + j * 8 + lane % 4 * 2 + e % 2;
                if (row < p.m && col < p.n) p.d[size_t(row) * p.ldd + col] = acc[i][j][e];
            }
}
