// layer_norm: the norm of a mask block's input, where no product's epilogue can carry it.
//
//   out = (v - mean) / sqrt(variance + epsilon) · gamma + beta
//
// Operands     input, out (rows, padded), row-major with strides; several segments, each followed by zero columns, are one
//              row of `width` values: `valid` (padded) says which columns they are; gamma, beta (padded) are 0 elsewhere
// Tile         ROWS_PER_BLOCK candidates; grid.x: rows / ROWS_PER_BLOCK; grid.y: groups
// Threads      a warp a row; row_norm.cuh has the lanes
// Barriers     none: a row is one warp's
// Numerics     input and out of one type; f32 inside; variance in two passes; one rounding at the store
// Limits       padded a multiple of 64; pointers and row strides multiples of 16 bytes; rows may be 0
#include "common/element.cuh"
#include "common/params.cuh"
#include "common/row_norm.cuh"

constexpr uint32_t ROWS_PER_BLOCK = 4;

template <typename Element>
__device__ __forceinline__ void layer_norm(const LayerNormParams& params) {
    const LayerNormGroup& group = params.groups[blockIdx.y];
    const uint64_t row = blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / WARP_SIZE;
    if (row >= *params.rows) return;
    normalise_row(
        group.padded, group.width, group.epsilon,
        [&](uint32_t column) { return Element::load4(group.input, row * group.input_stride + column); },
        [&](uint32_t column) { return F32::load4(group.valid, column); },
        [&](uint32_t column, float4 v) {
            const float4 gamma = F32::load4(group.gamma, column), beta = F32::load4(group.beta, column);
            return make_float4(__fmaf_rn(v.x, gamma.x, beta.x), __fmaf_rn(v.y, gamma.y, beta.y),
                               __fmaf_rn(v.z, gamma.z, beta.z), __fmaf_rn(v.w, gamma.w, beta.w));
        },
        [&](uint32_t column, float4 v) { Element::store4(group.out, row * group.out_stride + column, v); });
}

#include "common/entry.cuh"
#define LAYER_NORM_ENTRY(ELEMENT, element) \
    KERNEL_ENTRY(layer_norm_##element, LayerNormParams, ROWS_PER_BLOCK* WARP_SIZE, 6, 0, layer_norm<ELEMENT>(params))
LAYER_NORM_ENTRY(F32, f32)
LAYER_NORM_ENTRY(Tf32, tf32)
LAYER_NORM_ENTRY(Bf16, bf16)
LAYER_NORM_ENTRY(F16, f16)
