// Element types of activations and weights: how four neighbours, or one, are read to and written from f32.
//
// A type gives `Storage`, `load` (one; of an input that nothing writes meanwhile), `load4` and `store4` (four; 8- or
// 16-byte aligned), `rounded` (what is read back of a stored number) and, where it can be a compute precision, its product
// in accumulator.cuh. Rounding is to nearest even.
#pragma once
#include "ptx.cuh"

struct F32 {
    typedef float Storage;
    static __device__ __forceinline__ float load(const void* base, uint64_t index) {
        return load_constant_f32(static_cast<const float*>(base) + index);
    }
    static __device__ __forceinline__ float4 load4(const void* base, uint64_t index) {
        return *reinterpret_cast<const float4*>(static_cast<const float*>(base) + index);
    }
    static __device__ __forceinline__ void store4(void* base, uint64_t index, float4 v) {
        *reinterpret_cast<float4*>(static_cast<float*>(base) + index) = v;
    }
    static __device__ __forceinline__ float rounded(float v) { return v; }
};

// f32 words whose low 13 bits are zero, so that the tensor cores, which ignore those bits, read what is stored.
struct Tf32 : F32 {
    static __device__ __forceinline__ void store4(void* base, uint64_t index, float4 v) {
        const float4 rounded = make_float4(round_tf32(v.x), round_tf32(v.y), round_tf32(v.z), round_tf32(v.w));
        F32::store4(base, index, rounded);
    }
    static __device__ __forceinline__ float rounded(float v) { return round_tf32(v); }
};

struct Bf16 {
    typedef uint16_t Storage;
    static __device__ __forceinline__ float load(const void* base, uint64_t index) {
        return __uint_as_float(static_cast<uint32_t>(load_constant_u16(static_cast<const uint16_t*>(base) + index)) << 16);
    }
    static __device__ __forceinline__ float4 load4(const void* base, uint64_t index) {
        const uint2 w = *reinterpret_cast<const uint2*>(static_cast<const uint16_t*>(base) + index);
        return make_float4(__uint_as_float(w.x << 16), __uint_as_float(w.x & 0xffff0000u), __uint_as_float(w.y << 16),
                           __uint_as_float(w.y & 0xffff0000u));
    }
    static __device__ __forceinline__ void store4(void* base, uint64_t index, float4 v) {
        const uint2 w = make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w));
        *reinterpret_cast<uint2*>(static_cast<uint16_t*>(base) + index) = w;
    }
    static __device__ __forceinline__ float rounded(float v) { return __uint_as_float(pack_bf16(v, 0.0f) << 16); }
};

struct F16 {
    typedef uint16_t Storage;
    static __device__ __forceinline__ float load(const void* base, uint64_t index) {
        return unpack_f16(load_constant_u16(static_cast<const uint16_t*>(base) + index));
    }
    static __device__ __forceinline__ float4 load4(const void* base, uint64_t index) {
        const uint2 w = *reinterpret_cast<const uint2*>(static_cast<const uint16_t*>(base) + index);
        return make_float4(unpack_f16(static_cast<uint16_t>(w.x)), unpack_f16(static_cast<uint16_t>(w.x >> 16)),
                           unpack_f16(static_cast<uint16_t>(w.y)), unpack_f16(static_cast<uint16_t>(w.y >> 16)));
    }
    static __device__ __forceinline__ void store4(void* base, uint64_t index, float4 v) {
        const uint2 w = make_uint2(pack_f16(v.x, v.y), pack_f16(v.z, v.w));
        *reinterpret_cast<uint2*>(static_cast<uint16_t*>(base) + index) = w;
    }
    static __device__ __forceinline__ float rounded(float v) { return unpack_f16(static_cast<uint16_t>(pack_f16(v, 0.0f))); }
};
