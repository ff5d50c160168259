// A block tile's shape, and the copy of one K-step of an operand into swizzled shared memory.
//
// Shared memory of an operand and stage: (rows, CHUNKS) chunks of 16 bytes, chunk c of row r at place
// c ^ swizzle(r), so that eight consecutive rows of one chunk column lie in 32 different banks: that is what
// `ldmatrix` and the SIMT loads read at once. Rows that a tile lacks (ragged candidates, ragged columns) are
// filled with zeros and not read from memory.
#pragma once
#include "ptx.cuh"

constexpr uint32_t CHUNK_BYTES = 16;
constexpr uint32_t STEP_BYTES = 32;  // one product step of a row: k = 16 two-byte or 8 four-byte elements

template <uint32_t BLOCK_M_, uint32_t BLOCK_N_, uint32_t WARP_M_, uint32_t WARP_N_, uint32_t BLOCK_K_BYTES_,
          uint32_t NUM_STAGES_, uint32_t MIN_BLOCKS_>
struct Tile {
    static constexpr uint32_t BLOCK_M = BLOCK_M_;  // candidates
    static constexpr uint32_t BLOCK_N = BLOCK_N_;  // output features
    static constexpr uint32_t WARP_M = WARP_M_;
    static constexpr uint32_t WARP_N = WARP_N_;
    static constexpr uint32_t BLOCK_K_BYTES = BLOCK_K_BYTES_;
    static constexpr uint32_t NUM_STAGES = NUM_STAGES_;
    static constexpr uint32_t MIN_BLOCKS = MIN_BLOCKS_;  // blocks that registers and shared memory leave room for
    static constexpr uint32_t WARPS_N = BLOCK_N / WARP_N;
    static constexpr uint32_t NUM_WARPS = (BLOCK_M / WARP_M) * WARPS_N;
    static constexpr uint32_t NUM_THREADS = NUM_WARPS * WARP_SIZE;
    static constexpr uint32_t CHUNKS = BLOCK_K_BYTES / CHUNK_BYTES;
    static constexpr uint32_t STAGE_A_BYTES = BLOCK_M * BLOCK_K_BYTES;
    static constexpr uint32_t STAGE_BYTES = (BLOCK_M + BLOCK_N) * BLOCK_K_BYTES;
    // One warp's slice of 16 rows on its way out; 8 words of padding keep the fragments' stores apart.
    static constexpr uint32_t SLICE_ROWS = 16;
    static constexpr uint32_t SLICE_STRIDE = WARP_N + 8;
    static constexpr uint32_t SLICE_BYTES = SLICE_ROWS * SLICE_STRIDE * 4;
    static constexpr uint32_t SMEM_BYTES = NUM_STAGES * STAGE_BYTES;

    static_assert(BLOCK_M % WARP_M == 0 && BLOCK_N % WARP_N == 0, "warp tiles fill the block tile");
    static_assert(WARP_M % SLICE_ROWS == 0 && WARP_N % 16 == 0, "a warp tile is whole 16 × 16 pieces");
    static_assert(BLOCK_K_BYTES == 64 || BLOCK_K_BYTES == 128, "the swizzle is stated for 4 and 8 chunks a row");
    static_assert(NUM_STAGES >= 2, "one stage is loaded while another is used");
    static_assert(NUM_WARPS * SLICE_BYTES <= SMEM_BYTES, "the epilogue's slices reuse the stages");
};

// Byte offset of chunk `chunk` of row `row` in an operand's stage.
template <uint32_t CHUNKS>
__device__ __forceinline__ uint32_t chunk_offset(uint32_t row, uint32_t chunk) {
    const uint32_t swizzle = CHUNKS == 8 ? row % 8 : (row / 2) % 4;
    return (row * CHUNKS + (chunk ^ swizzle)) * CHUNK_BYTES;
}

// Copies (ROWS, BLOCK_K_BYTES) of a row-major operand, one K-step after another.
template <uint32_t ROWS, typename TileShape>
struct OperandLoader {
    static constexpr uint32_t ROWS_AT_ONCE = TileShape::NUM_THREADS / TileShape::CHUNKS;
    static constexpr uint32_t COPIES = (ROWS + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    static_assert(ROWS % ROWS_AT_ONCE == 0 || ROWS < ROWS_AT_ONCE, "threads share the rows evenly");

    const char* gmem;            // the K-step's first byte of the tile's first row
    uint32_t offsets[COPIES];    // from there to this thread's chunk of its i-th row, bytes
    uint32_t smem_offset;        // of its first chunk in a stage
    uint32_t valid_rows;

    // `valid_rows`: rows of the tile that exist, at least 1.
    __device__ __forceinline__ OperandLoader(const void* first_row, uint64_t stride_bytes, uint32_t valid_rows)
        : gmem(static_cast<const char*>(first_row)), valid_rows(valid_rows) {
        const uint32_t chunk = threadIdx.x % TileShape::CHUNKS;  // [0, CHUNKS)
        const uint32_t first = threadIdx.x / TileShape::CHUNKS;  // [0, ROWS_AT_ONCE)
        smem_offset = chunk_offset<TileShape::CHUNKS>(first, chunk);
#pragma unroll
        for (uint32_t i = 0; i < COPIES; ++i) {
            const uint32_t row = first + i * ROWS_AT_ONCE;
            const uint32_t existing = row < valid_rows ? row : 0;
            offsets[i] = static_cast<uint32_t>(existing * stride_bytes) + chunk * CHUNK_BYTES;
        }
    }

    // Starts the copies of the current K-step into the stage at shared address `smem`, and moves on to the next.
    __device__ __forceinline__ void start(uint32_t smem) {
        const uint32_t first = threadIdx.x / TileShape::CHUNKS;
#pragma unroll
        for (uint32_t i = 0; i < COPIES; ++i) {
            const uint32_t row = first + i * ROWS_AT_ONCE;
            // Rows ROWS_AT_ONCE apart have the same swizzle: a static assert below holds that.
            const uint32_t to = smem + smem_offset + i * ROWS_AT_ONCE * TileShape::BLOCK_K_BYTES;
            if (ROWS >= ROWS_AT_ONCE || row < ROWS) cp_async_16(to, gmem + offsets[i], row < valid_rows ? 16 : 0);
        }
        gmem += TileShape::BLOCK_K_BYTES;
    }
    static_assert(ROWS_AT_ONCE % 8 == 0, "the swizzle repeats every 8 rows");
};
