// Layer norm of one row by one warp.
//
//   out = (v - mean) / sqrt(variance + epsilon) · gamma + beta
//
// Shapes       v (padded), of which the columns called valid carry values and the others hold 0; out (padded)
// Threads      lane l owns columns 128·c + 4·l + [0, 4); the first CACHED_CHUNKS chunks stay in registers
// Numerics     f32; variance in two passes; sums in a fixed order, whatever the batch or the caller's tile
// Limits       padded a multiple of 4; any width
#pragma once
#include "reduce.cuh"

constexpr uint32_t CHUNK_COLUMNS = WARP_SIZE * 4;
constexpr uint32_t CACHED_CHUNKS = 8;  // 1024 columns: production's hidden width

// `load(column)` gives four neighbours, `valid(column)` 1 or 0 for each, `store(column, v)` takes them.
// `affine(column, v)` applies gamma and beta.
template <typename Load, typename Valid, typename Affine, typename Store>
__device__ __forceinline__ void normalise_row(uint32_t padded, uint32_t width, float epsilon, Load load, Valid valid,
                                              Affine affine, Store store) {
    const uint32_t first = (threadIdx.x % WARP_SIZE) * 4;
    constexpr uint32_t CACHED_COLUMNS = CACHED_CHUNKS * CHUNK_COLUMNS;
    float4 cache[CACHED_CHUNKS];
#pragma unroll
    for (uint32_t c = 0; c < CACHED_CHUNKS; ++c) {
        const uint32_t column = first + c * CHUNK_COLUMNS;
        cache[c] = column < padded ? load(column) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }

    float sum = 0.0f;
#pragma unroll
    for (uint32_t c = 0; c < CACHED_CHUNKS; ++c) sum += sum4(cache[c]);
    for (uint32_t column = first + CACHED_COLUMNS; column < padded; column += CHUNK_COLUMNS) sum += sum4(load(column));
    const float mean = warp_sum(sum) / static_cast<float>(width);

    const auto square = [&](uint32_t column, float4 v) {
        const float4 is_valid = valid(column);
        const float dx = (v.x - mean) * is_valid.x, dy = (v.y - mean) * is_valid.y;
        const float dz = (v.z - mean) * is_valid.z, dw = (v.w - mean) * is_valid.w;
        return (dx * dx + dy * dy) + (dz * dz + dw * dw);
    };
    float squares = 0.0f;
#pragma unroll
    for (uint32_t c = 0; c < CACHED_CHUNKS; ++c) {
        const uint32_t column = first + c * CHUNK_COLUMNS;
        if (column < padded) squares += square(column, cache[c]);
    }
    for (uint32_t column = first + CACHED_COLUMNS; column < padded; column += CHUNK_COLUMNS)
        squares += square(column, load(column));
    const float variance = warp_sum(squares) / static_cast<float>(width);
    const float inverse = 1.0f / sqrtf(variance + epsilon);

    const auto finish = [&](uint32_t column, float4 v) {
        const float4 is_valid = valid(column);
        const float4 normed = make_float4((v.x - mean) * inverse * is_valid.x, (v.y - mean) * inverse * is_valid.y,
                                          (v.z - mean) * inverse * is_valid.z, (v.w - mean) * inverse * is_valid.w);
        store(column, affine(column, normed));
    };
#pragma unroll
    for (uint32_t c = 0; c < CACHED_CHUNKS; ++c) {
        const uint32_t column = first + c * CHUNK_COLUMNS;
        if (column < padded) finish(column, cache[c]);
    }
    for (uint32_t column = first + CACHED_COLUMNS; column < padded; column += CHUNK_COLUMNS)
        finish(column, load(column));
}
