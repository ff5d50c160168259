// One wrapper for each PTX instruction that CUDA C++ has no operator for. Nothing here knows of tiles or layers.
//
// All of them exist since PTX ISA 7.0 and sm_80. No CUDA header is included anywhere in `kernels/`, so that
// every compiler sees the same text.
#pragma once

typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef int int32_t;

constexpr uint32_t WARP_SIZE = 32;
constexpr uint32_t FULL_WARP = 0xffffffffu;

// The 32-bit shared-space address of a generic pointer into shared memory.
__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    uint32_t address;
    asm("{ .reg .u64 wide; cvta.to.shared.u64 wide, %1; cvt.u32.u64 %0, wide; }" : "=r"(address) : "l"(pointer));
    return address;
}

// Starts a 16-byte copy; `source_bytes` is 16, or 0 to write zeros and read nothing. Both sides 16-byte aligned.
__device__ __forceinline__ void cp_async_16(uint32_t smem, const void* gmem, uint32_t source_bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(smem), "l"(gmem), "r"(source_bytes) : "memory");
}

__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Returns when at most `PENDING` of this thread's newest groups are still in flight.
template <int PENDING>
__device__ __forceinline__ void cp_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Four 8 × 16-byte matrices; lane 8·i + r gives the address of row r of matrix i, lane 4·r + c receives word c of row r.
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&frag)[4], uint32_t smem) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(frag[0]), "=r"(frag[1]), "=r"(frag[2]), "=r"(frag[3])
                 : "r"(smem)
                 : "memory");
}

// acc (16, 8) += a (16, 16) · b (8, 16)ᵀ, bf16 operands, f32 accumulator.
__device__ __forceinline__ void mma_bf16(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// acc (16, 8) += a (16, 16) · b (8, 16)ᵀ, f16 operands, f32 accumulator.
__device__ __forceinline__ void mma_f16(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// acc (16, 8) += a (16, 8) · b (8, 8)ᵀ, tf32 operands, f32 accumulator.
__device__ __forceinline__ void mma_tf32(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two f32 to bf16, to nearest even; `low` ends at the lower address.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
    uint32_t packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
}

// Two f32 to f16, to nearest even; beyond 65504 gives infinity.
__device__ __forceinline__ uint32_t pack_f16(float low, float high) {
    uint32_t packed;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
}

__device__ __forceinline__ float unpack_f16(uint16_t half) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
}

// f32 to tf32 (10 fraction bits), to nearest even; the result is an f32 with 13 zero bits. (The instruction for it,
// cvt.rna, sends ties away from zero, unlike every other rounding here.)
__device__ __forceinline__ float round_tf32(float value) {
    const uint32_t bits = __float_as_uint(value);
    const uint32_t rounded = (bits + 0x0fffu + ((bits >> 13) & 1u)) & 0xffffe000u;
    return value == value ? __uint_as_float(rounded) : value;
}

// Sixteen bytes at a shared-space address.
__device__ __forceinline__ float4 load_shared_f4(uint32_t smem) {
    float4 v;
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(smem)
                 : "memory");
    return v;
}

// Reads of words that nothing writes while the kernel runs: the compiler may move them ahead of stores.
__device__ __forceinline__ float load_constant_f32(const float* gmem) {
    float v;
    asm("ld.global.nc.f32 %0, [%1];" : "=f"(v) : "l"(gmem));
    return v;
}
__device__ __forceinline__ uint16_t load_constant_u16(const uint16_t* gmem) {
    uint16_t v;
    asm("ld.global.nc.u16 %0, [%1];" : "=h"(v) : "l"(gmem));
    return v;
}
__device__ __forceinline__ int32_t load_constant_s32(const int32_t* gmem) {
    int32_t v;
    asm("ld.global.nc.s32 %0, [%1];" : "=r"(v) : "l"(gmem));
    return v;
}

// Reads past the L1 cache: for words that other blocks of this launch wrote.
__device__ __forceinline__ float4 load_cached_in_l2(const float* gmem) {
    float4 v;
    asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "l"(gmem)
                 : "memory");
    return v;
}
