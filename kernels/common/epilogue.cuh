// What happens to four neighbouring sums of a row before they are stored.
//
// A functor is made once for a lane's four columns (scale and bias are read then) and called for each of its rows. Rows and
// columns that it is called with exist. Pad columns hold zeros: their weights, bias and factor are zero.
#pragma once
#include "element.cuh"
#include "params.cuh"

// out = acc · scale + bias; without a scale, by 1, which is exact. Where a part of K was multiplied once a request, acc lacks
// it, and gets the candidate's share first.
template <typename Element>
struct EpilogueBias {
    static constexpr bool NORMALISES = false;
    static constexpr bool REPEATS_B = false;
    const GemmGroup& group;
    const uint32_t column;
    const float4 scale, bias;

    __device__ __forceinline__ EpilogueBias(const GemmGroup& group, uint32_t column)
        : group(group),
          column(column),
          scale(group.scale == nullptr ? make_float4(1.0f, 1.0f, 1.0f, 1.0f) : F32::load4(group.scale, column)),
          bias(F32::load4(group.bias, column)) {}
    // What a candidate takes of its request's sums, each of which is one chain over its own columns.
    __device__ __forceinline__ float4 with_request(uint32_t row, float4 v) const {
        const float4 terms = F32::load4(group.terms, static_cast<uint64_t>(row) * 4);
        const uint64_t at = static_cast<uint64_t>(__float_as_uint(terms.x)) * group.n + column;
        if (group.plain != nullptr) {
            const float4 p = F32::load4(group.plain, at);
            v = make_float4(v.x + p.x, v.y + p.y, v.z + p.z, v.w + p.w);
        }
        if (group.normed != nullptr) {
            const float4 s = F32::load4(group.normed, at), c = F32::load4(group.center, column);
            v = make_float4(__fmaf_rn(terms.y, s.x, v.x), __fmaf_rn(terms.y, s.y, v.y), __fmaf_rn(terms.y, s.z, v.z),
                            __fmaf_rn(terms.y, s.w, v.w));
            v = make_float4(__fmaf_rn(terms.z, c.x, v.x), __fmaf_rn(terms.z, c.y, v.y), __fmaf_rn(terms.z, c.z, v.z),
                            __fmaf_rn(terms.z, c.w, v.w));
        }
        return v;
    }
    __device__ __forceinline__ float4 sum(uint32_t row, float4 v) const {
        if (group.terms != nullptr) v = with_request(row, v);
        return make_float4(__fmaf_rn(v.x, scale.x, bias.x), __fmaf_rn(v.y, scale.y, bias.y),
                           __fmaf_rn(v.z, scale.z, bias.z), __fmaf_rn(v.w, scale.w, bias.w));
    }
    __device__ __forceinline__ void store(uint32_t row, float4 v) const {
        Element::store4(group.out, static_cast<uint64_t>(row) * group.out_stride + column, v);
    }
    __device__ __forceinline__ void operator()(uint32_t row, float4 v) const { store(row, sum(row, v)); }
};

// out = max(acc · scale + bias, 0); a NaN stays one, so that it can be reported
template <typename Element>
struct EpilogueBiasRelu : EpilogueBias<Element> {
    using EpilogueBias<Element>::EpilogueBias;
    static __device__ __forceinline__ float relu(float v) { return v < 0.0f ? 0.0f : v; }
    __device__ __forceinline__ void operator()(uint32_t row, float4 v) const {
        v = this->sum(row, v);
        this->store(row, make_float4(relu(v.x), relu(v.y), relu(v.z), relu(v.w)));
    }
};

// out = (acc · scale + bias) ⊙ factor: the instance-guided mask
template <typename Element>
struct EpilogueBiasMask : EpilogueBias<Element> {
    using EpilogueBias<Element>::EpilogueBias;
    __device__ __forceinline__ void operator()(uint32_t row, float4 v) const {
        v = this->sum(row, v);
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
        F32::store4(this->group.scratch, static_cast<uint64_t>(row) * this->group.n + this->column, this->sum(row, v));
    }
};

// scratch = acc in f32: sums that an epilogue of another launch adds (`with_request`). b starts again after `repeat_k`
// columns: a row of a is numbers, then what rounding cut off them, against the same weights.
template <typename Element>
struct EpilogueSums {
    static constexpr bool NORMALISES = false;
    static constexpr bool REPEATS_B = true;
    const GemmGroup& group;
    const uint32_t column;

    __device__ __forceinline__ EpilogueSums(const GemmGroup& group, uint32_t column) : group(group), column(column) {}
    __device__ __forceinline__ void operator()(uint32_t row, float4 v) const {
        F32::store4(group.scratch, static_cast<uint64_t>(row) * group.n + column, v);
    }
};
