// What happens to four neighbouring sums of a row before they are stored.
//
// A functor is made once for a lane's four columns (scale and bias are read then) and called for each of its rows. Rows and
// columns that it is called with exist. Pad columns hold zeros: their weights, bias and factor are zero.
#pragma once
#include "element.cuh"
#include "params.cuh"

// out = acc · scale + bias; without a scale, by 1, which is exact
template <typename Element>
struct EpilogueBias {
    static constexpr bool NORMALISES = false;
    const GemmGroup& group;
    const uint32_t column;
    const float4 scale, bias;

    __device__ __forceinline__ EpilogueBias(const GemmGroup& group, uint32_t column)
        : group(group),
          column(column),
          scale(group.scale == nullptr ? make_float4(1.0f, 1.0f, 1.0f, 1.0f) : F32::load4(group.scale, column)),
          bias(F32::load4(group.bias, column)) {}
    __device__ __forceinline__ float4 sum(float4 v) const {
        return make_float4(__fmaf_rn(v.x, scale.x, bias.x), __fmaf_rn(v.y, scale.y, bias.y),
                           __fmaf_rn(v.z, scale.z, bias.z), __fmaf_rn(v.w, scale.w, bias.w));
    }
    __device__ __forceinline__ void store(uint32_t row, float4 v) const {
        Element::store4(group.out, static_cast<uint64_t>(row) * group.out_stride + column, v);
    }
    __device__ __forceinline__ void operator()(uint32_t row, float4 v) const { store(row, sum(v)); }
};

// out = max(acc · scale + bias, 0); a NaN stays one, so that it can be reported
template <typename Element>
struct EpilogueBiasRelu : EpilogueBias<Element> {
    using EpilogueBias<Element>::EpilogueBias;
    static __device__ __forceinline__ float relu(float v) { return v < 0.0f ? 0.0f : v; }
    __device__ __forceinline__ void operator()(uint32_t row, float4 v) const {
        v = this->sum(v);
        this->store(row, make_float4(relu(v.x), relu(v.y), relu(v.z), relu(v.w)));
    }
};

// out = (acc · scale + bias) ⊙ factor: the instance-guided mask
template <typename Element>
struct EpilogueBiasMask : EpilogueBias<Element> {
    using EpilogueBias<Element>::EpilogueBias;
    __device__ __forceinline__ void operator()(uint32_t row, float4 v) const {
        v = this->sum(v);
        const float4 f = Element::load4(this->group.factor,
                                        static_cast<uint64_t>(row) * this->group.factor_stride + this->column);
        this->store(row, make_float4(v.x * f.x, v.y * f.y, v.z * f.z, v.w * f.w));
    }
};

// scratch = acc · scale + bias in f32; the last tile of a row of tiles normalises (gemm.cu)
template <typename Element>
struct EpilogueBiasNorm : EpilogueBias<Element> {
    static constexpr bool NORMALISES = true;
    using EpilogueBias<Element>::EpilogueBias;
    __device__ __forceinline__ void operator()(uint32_t row, float4 v) const {
        F32::store4(this->group.scratch, static_cast<uint64_t>(row) * this->group.n + this->column, this->sum(v));
    }
};
