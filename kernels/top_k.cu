// top_k: the best k candidates of each request, best first, by counting for each candidate how many rank before it.
//
//   rank(i) = |{ j of the same request : score_j > score_i, or score_j = score_i and j < i }|;  top[request][rank] = i
//
// Operands     score (rows) f32; request_begin (requests + 1): a request's candidates follow each other; top (requests, k)
// Tile         NUM_THREADS candidates a block; grid covers max(rows, requests)
// Threads      a thread a candidate, which reads all scores of its request; neighbours read the same words
// Barriers     none
// Numerics     comparisons only, so exact; scores that are not finite rank last, in order of candidates
// Limits       places that a request cannot fill hold NO_CANDIDATE; work is the square of a request's candidates
#include "common/params.cuh"

constexpr uint32_t NUM_THREADS = 128;
constexpr uint32_t NO_CANDIDATE = 0xffffffffu;

__device__ __forceinline__ float sinking(float score) {
    const float infinity = __int_as_float(0x7f800000);
    return fabsf(score) < infinity ? score : -infinity;
}

__device__ __forceinline__ void top_k(const TopKParams& params) {
    const uint32_t i = blockIdx.x * NUM_THREADS + threadIdx.x;
    if (i < params.requests) {
        const uint32_t found = params.request_begin[i + 1] - params.request_begin[i];
        for (uint32_t place = found; place < params.k; ++place)
            params.top[static_cast<uint64_t>(i) * params.k + place] = NO_CANDIDATE;
    }
    if (i >= *params.rows) return;
    const uint32_t request = params.candidate_request == nullptr ? 0 : params.candidate_request[i];
    const uint32_t begin = params.request_begin[request], end = params.request_begin[request + 1];
    const float own = sinking(params.score[i]);
    uint32_t rank = 0;
#pragma unroll 4
    for (uint32_t j = begin; j < end; ++j) {
        const float other = sinking(params.score[j]);
        rank += other > own || (other == own && j < i);
    }
    if (rank < params.k) params.top[static_cast<uint64_t>(request) * params.k + rank] = i - begin;
}

#include "common/entry.cuh"
KERNEL_ENTRY(top_k_by_rank, TopKParams, NUM_THREADS, 8, 0, top_k(params))
