// head: every task's last layer, its probability with calibration folded in, and the weighted sum.
//
//   logit = act(weight · input + bias)   L = scale · logit + shift   p = σ(L)   q = σ(L + ln r)   score = Σ score_weight · q
//
// Operands     inputs (rows, padded) with strides, one for each task; weight (padded) f32; score (rows), logits, p, q
//              (rows, num_tasks) f32, each of the three optional
// Tile         ROWS_PER_BLOCK candidates
// Threads      a warp a candidate; lane l owns columns 4·l + 128·i + [0, 4) of a dot product; tasks one after another
// Barriers     none: a candidate is one warp's
// Numerics     f32 throughout, from the f32 logit; σ from exp(-|L|), so small probabilities keep their relative accuracy;
//              tasks are added in order. logits holds L, the value after the affine map.
//              A candidate that featurize gave a status keeps it; a value that is not finite gives NON_FINITE. The score of
//              either is NaN, and so are all values of the former
// Limits       padded a multiple of 64; inputs and their row strides multiples of 16 bytes; up to MAX_TASKS tasks; rows may be 0
#include "common/element.cuh"
#include "common/params.cuh"
#include "common/reduce.cuh"

constexpr uint32_t ROWS_PER_BLOCK = 4;

__device__ __forceinline__ float sigmoid(float v) {
    const float e = expf(-fabsf(v));
    return (v < 0.0f ? e : 1.0f) / (1.0f + e);
}

__device__ __forceinline__ bool is_finite(float v) { return fabsf(v) < __int_as_float(0x7f800000); }

template <typename Element>
__device__ __forceinline__ void head(const HeadParams& params) {
    const uint64_t row = blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / WARP_SIZE;
    const uint32_t lane = threadIdx.x % WARP_SIZE;
    if (row >= *params.rows) return;
    const uint32_t status = params.status[row];
    const bool is_ok = status == STATUS_OK;

    const float nan = __int_as_float(0x7fc00000);
    float score = 0.0f;
    bool all_finite = true;
    for (uint32_t t = 0; t < params.num_tasks; ++t) {
        const HeadTask& task = params.tasks[t];
        float dot = 0.0f;
        for (uint32_t j = lane * 4; j < task.padded; j += WARP_SIZE * 4) {
            const float4 v = Element::load4(task.input, row * task.input_stride + j);
            const float4 w = F32::load4(task.weight, j);
            dot = __fmaf_rn(v.x, w.x, dot);
            dot = __fmaf_rn(v.y, w.y, dot);
            dot = __fmaf_rn(v.z, w.z, dot);
            dot = __fmaf_rn(v.w, w.w, dot);
        }
        float logit = warp_sum(dot) + task.bias;
        if (task.has_relu != 0 && logit < 0.0f) logit = 0.0f;
        const float mapped = __fmaf_rn(task.scale, logit, task.shift);  // L
        const float p = sigmoid(mapped), q = sigmoid(mapped + task.ln_ratio);
        all_finite = all_finite && is_finite(mapped);
        score = __fmaf_rn(task.score_weight, params.uses_uncalibrated != 0 ? p : q, score);
        if (lane == 0) {
            const uint64_t at = row * params.num_tasks + t;
            if (params.logits != nullptr) params.logits[at] = is_ok ? mapped : nan;
            if (params.probabilities != nullptr) params.probabilities[at] = is_ok ? p : nan;
            if (params.calibrated != nullptr) params.calibrated[at] = is_ok ? q : nan;
        }
    }
    __syncwarp();  // all lanes have read the status that lane 0 may now replace
    if (lane == 0) {
        const bool is_number = all_finite && is_finite(score);
        params.score[row] = is_ok && is_number ? score : nan;
        if (is_ok && !is_number) params.status[row] = STATUS_NON_FINITE;
    }
}

#include "common/entry.cuh"
#define HEAD_ENTRY(ELEMENT, element) \
    KERNEL_ENTRY(head_##element, HeadParams, ROWS_PER_BLOCK* WARP_SIZE, 6, 0, head<ELEMENT>(params))
HEAD_ENTRY(F32, f32)
HEAD_ENTRY(Bf16, bf16)
HEAD_ENTRY(F16, f16)
