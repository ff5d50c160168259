// featurize: raw feature columns of a candidate and of its request to one row of x.
//
//   c = clamp(sign(v) · log1p(|v|) · scale + shift, min, max), v continuous, 0 where it is not finite
//   z = layer_norm(concat(c, binary))        x = concat(z, layer_norm(embedding) for each embedding), in `order`
//
// Where products over the first columns of x are computed once a request, also a row a request: over the normed columns,
// with their own mean m and deviation s, (t - m) / s · gamma, t being their values before the norm; the other columns as in
// x. And for each candidate, whose norm has mean and 1 / deviation r, the terms (request, r · s, r · (m - mean)), so that
// x = terms.y · row + terms.z · gamma + beta.
//
// Operands     continuous (rows, ·), embeddings (rows, ·) f32, bf16 or f16; binary bytes, bits or f32; each kind's columns
//              come from the candidate's row or the request's row, as its map says. x (rows, x_stride), columns from
//              `width` to x_padded are zero. All parameters f32.
// Tile         a block a candidate; after those, a block a request, which reads candidate 0 where a column is a candidate's
//              (a request has candidates, so there is one) and uses none of that
// Threads      thread t owns columns t + NUM_THREADS·i while loading, four neighbours while storing; embedding e is
//              normalised by warp e
// Barriers     (1) the row and the warps' sums are in shared memory   (2) the sums of squares are, and the embeddings are
//              normalised in place   (3) the sums of squares of the normed columns are, where there are any
// Numerics     f32 inside, log1p within 1 ulp, variance in two passes, sums in a fixed order; one rounding at the store.
//              epsilon may be 0: a row whose features are all equal, or whose variance is no positive number, then has no
//              norm; its x is zero and its status ZERO_VARIANCE
// Limits       x_padded · 4 bytes of dynamic shared memory; x 16-byte aligned, x_stride a multiple of 8; inputs aligned to
//              their element only; rows may be 0
#include "common/element.cuh"
#include "common/params.cuh"
#include "common/reduce.cuh"

constexpr uint32_t NUM_THREADS = 256;
constexpr uint32_t NUM_WARPS = NUM_THREADS / WARP_SIZE;
static_assert(NUM_EMBEDDINGS <= NUM_WARPS, "an embedding is one warp's");

// Rows of one kind of columns: where column j of the model lies for this candidate.
struct Source {
    const void* base;
    uint64_t index;
};
__device__ __forceinline__ Source locate(const Columns& columns, uint64_t row, uint64_t request, uint32_t j) {
    const int32_t from = columns.map == nullptr ? static_cast<int32_t>(j) : load_constant_s32(columns.map + j);
    if (from >= 0) return {columns.candidate, row * columns.candidate_stride + from};
    return {columns.request, request * columns.request_stride + static_cast<uint32_t>(-1 - from)};
}

// BINARY_BITS counts its stride in bytes, so a bit's place is byte row · stride + column / 8.
__device__ __forceinline__ float load_binary(const FeaturizeParams& params, uint64_t row, uint64_t request, uint32_t j) {
    const Columns& columns = params.binary;
    if (params.binary_kind == BINARY_BITS) {
        const int32_t from = columns.map == nullptr ? static_cast<int32_t>(j) : load_constant_s32(columns.map + j);
        const bool is_candidate = from >= 0;
        const uint32_t bit = is_candidate ? from : -1 - from;
        const uint8_t* base = static_cast<const uint8_t*>(is_candidate ? columns.candidate : columns.request);
        const uint64_t start = is_candidate ? row * columns.candidate_stride : request * columns.request_stride;
        return static_cast<float>((base[start + bit / 8] >> (bit % 8)) & 1);
    }
    const Source source = locate(columns, row, request, j);
    if (params.binary_kind == BINARY_F32) return F32::load(source.base, source.index);
    return static_cast<float>(static_cast<const uint8_t*>(source.base)[source.index]);
}

__device__ __forceinline__ float feature(const FeaturizeParams& params, float v, uint32_t j) {
    v = fabsf(v) < __int_as_float(0x7f800000) ? v : 0.0f;  // NaN and infinities
    v = copysignf(log1pf(fabsf(v)), v);
    if (params.scale != nullptr) v = __fmaf_rn(v, F32::load(params.scale, j), F32::load(params.shift, j));
    return fminf(fmaxf(v, params.min_value), params.max_value);
}

// Norm of an embedding, in place in shared memory, by one warp.
__device__ __forceinline__ void normalise_embedding(const EmbeddingNorm& norm, float* smem_e, uint32_t width) {
    const uint32_t lane = threadIdx.x % WARP_SIZE;
    float sum = 0.0f;
    for (uint32_t j = lane; j < width; j += WARP_SIZE) sum += smem_e[j];
    const float mean = warp_sum(sum) / static_cast<float>(width);
    float squares = 0.0f;
    for (uint32_t j = lane; j < width; j += WARP_SIZE) {
        const float d = smem_e[j] - mean;
        squares += d * d;
    }
    const float inverse = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(width) + norm.epsilon);
    for (uint32_t j = lane; j < width; j += WARP_SIZE) {
        const float v = (smem_e[j] - mean) * inverse;
        smem_e[j] = norm.gamma == nullptr ? v : __fmaf_rn(v, norm.gamma[j], norm.beta[j]);
    }
}

// Sum of what the warps found, in their order.
__device__ __forceinline__ float block_total(const float* smem_of_warps) {
    float total = 0.0f;
#pragma unroll
    for (uint32_t w = 0; w < NUM_WARPS; ++w) total += smem_of_warps[w];
    return total;
}

// Row `request` of what is multiplied once a request: normed columns, what rounding cut off them, plain columns.
template <typename Element>
__device__ __forceinline__ void store_request(const FeaturizeParams& params, uint64_t request, const float* smem_x,
                                              float mean, float deviation) {
    const float inverse = 1.0f / deviation;
    const uint64_t first = request * params.request_stride;
    const uint32_t first_plain = params.normed * (params.has_rest != 0 ? 2 : 1);
    const auto normed = [&](uint32_t column) {
        const uint32_t j = load_constant_s32(params.order + column);
        const float v = (smem_x[j] - mean) * inverse;
        return params.gamma == nullptr ? v : v * F32::load(params.gamma, j);
    };
    for (uint32_t c = threadIdx.x * 4; c < params.normed; c += NUM_THREADS * 4) {
        const float4 v = make_float4(normed(c), normed(c + 1), normed(c + 2), normed(c + 3));
        Element::store4(params.request_rows, first + c, v);
        if (params.has_rest != 0) {
            const float4 rest = make_float4(v.x - Element::rounded(v.x), v.y - Element::rounded(v.y),
                                            v.z - Element::rounded(v.z), v.w - Element::rounded(v.w));
            Element::store4(params.request_rows, first + params.normed + c, rest);
        }
    }
    const auto plain = [&](uint32_t column) { return smem_x[load_constant_s32(params.order + params.normed + column)]; };
    for (uint32_t c = threadIdx.x * 4; c < params.plain; c += NUM_THREADS * 4)
        Element::store4(params.request_rows, first + first_plain + c,
                        make_float4(plain(c), plain(c + 1), plain(c + 2), plain(c + 3)));
}

template <typename Input, typename Element>
__device__ __forceinline__ void featurize(const FeaturizeParams& params) {
    extern __shared__ float smem_x[];  // (x_padded)
    __shared__ float smem_sums[NUM_WARPS];
    __shared__ float smem_squares[NUM_WARPS];
    __shared__ uint32_t smem_differs[NUM_WARPS];
    __shared__ float smem_normed[2][NUM_WARPS];  // sums and squares of the normed columns
    const uint32_t warp = threadIdx.x / WARP_SIZE, lane = threadIdx.x % WARP_SIZE;
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        *params.rows_out = params.rows;
        if (params.requests_out != nullptr) *params.requests_out = params.requests;
    }
    const uint32_t first_request = gridDim.x - params.requests;  // a block a request from here on
    const bool is_request = blockIdx.x >= first_request;
    const uint64_t row = is_request ? 0 : blockIdx.x;
    if (row >= params.rows) return;  // the whole block: a graph is captured for more rows
    const uint64_t request = is_request                            ? blockIdx.x - first_request
                             : params.candidate_request == nullptr ? 0
                                                                   : params.candidate_request[row];

    // Load and transform.
    const uint32_t num_continuous = params.continuous.width, num_z = num_continuous + params.binary.width;
    float sum = 0.0f;
#pragma unroll 4
    for (uint32_t j = threadIdx.x; j < num_continuous; j += NUM_THREADS) {
        const Source source = locate(params.continuous, row, request, j);
        const float v = feature(params, Input::load(source.base, source.index), j);
        smem_x[j] = v;
        sum += v;
    }
    for (uint32_t j = threadIdx.x; j < params.binary.width; j += NUM_THREADS) {
        const float v = load_binary(params, row, request, j);
        smem_x[num_continuous + j] = v;
        sum += v;
    }
    uint32_t width = num_z;  // of x, so far
#pragma unroll
    for (uint32_t e = 0; e < NUM_EMBEDDINGS; ++e) {
        const Columns& columns = params.embeddings[e];
        for (uint32_t j = threadIdx.x; j < columns.width; j += NUM_THREADS) {
            const Source source = locate(columns, row, request, j);
            smem_x[width + j] = Input::load(source.base, source.index);
        }
        width += columns.width;
    }
    for (uint32_t j = width + threadIdx.x; j < params.x_padded; j += NUM_THREADS) smem_x[j] = 0.0f;
    sum = warp_sum(sum);
    if (lane == 0) smem_sums[warp] = sum;
    __syncthreads();

    // Mean, then squares; the embeddings meanwhile.
    const float mean = block_total(smem_sums) / static_cast<float>(num_z);
    const float first = smem_x[0];
    float squares = 0.0f;
    bool differs = false;
    for (uint32_t j = threadIdx.x; j < num_z; j += NUM_THREADS) {
        const float d = smem_x[j] - mean;
        squares += d * d;
        differs |= smem_x[j] != first;
    }
    squares = warp_sum(squares);
    differs = __any_sync(FULL_WARP, differs);
    if (lane == 0) {
        smem_squares[warp] = squares;
        smem_differs[warp] = differs;
    }
    const auto normed = [&](uint32_t column) { return smem_x[load_constant_s32(params.order + column)]; };
    if (params.normed > 0) {
        float sum = 0.0f;
        for (uint32_t c = threadIdx.x; c < params.normed; c += NUM_THREADS) sum += normed(c);
        sum = warp_sum(sum);
        if (lane == 0) smem_normed[0][warp] = sum;
    }
    uint32_t start = num_z;
#pragma unroll
    for (uint32_t e = 0; e < NUM_EMBEDDINGS; ++e) {
        if (warp == e && params.embeddings[e].width > 0)
            normalise_embedding(params.embedding_norms[e], smem_x + start, params.embeddings[e].width);
        start += params.embeddings[e].width;
    }
    __syncthreads();

    uint32_t any_differs = 0;
#pragma unroll
    for (uint32_t w = 0; w < NUM_WARPS; ++w) any_differs |= smem_differs[w];
    const float variance = any_differs ? block_total(smem_squares) / static_cast<float>(num_z) : 0.0f;
    const float centre = any_differs ? mean : first;  // exact where all are equal
    const bool has_norm = params.has_layer_norm != 0 && num_z > 0;
    const bool is_flat = has_norm && params.epsilon == 0.0f && variance == 0.0f;
    const float inverse = is_flat ? 0.0f : 1.0f / sqrtf(variance + params.epsilon);

    // The request's own mean and deviation, which every candidate of it finds alike.
    float own_mean = 0.0f, own_deviation = 1.0f;
    if (params.normed > 0) {
        own_mean = block_total(smem_normed[0]) / static_cast<float>(params.normed);
        float squares = 0.0f;
        for (uint32_t c = threadIdx.x; c < params.normed; c += NUM_THREADS) {
            const float d = normed(c) - own_mean;
            squares += d * d;
        }
        squares = warp_sum(squares);
        if (lane == 0) smem_normed[1][warp] = squares;
        __syncthreads();
        const float own_variance = block_total(smem_normed[1]) / static_cast<float>(params.normed);
        if (own_variance > 0.0f) own_deviation = sqrtf(own_variance);  // else there is nothing to divide
    }
    if (is_request) {
        store_request<Element>(params, request, smem_x, own_mean, own_deviation);
        return;
    }
    if (threadIdx.x == 0) {
        params.status[row] = is_flat ? STATUS_ZERO_VARIANCE : STATUS_OK;
        if (params.terms != nullptr)
            F32::store4(params.terms, row * 4,
                        make_float4(__uint_as_float(static_cast<uint32_t>(request)), inverse * own_deviation,
                                    inverse * (own_mean - centre), 0.0f));
    }

    // Store, four neighbours a thread.
    const auto finish = [&](uint32_t column) {
        const uint32_t j = params.order == nullptr ? column : load_constant_s32(params.order + column);
        const float v = smem_x[j];
        if (is_flat) return 0.0f;
        if (!has_norm || j >= num_z) return v;
        const float normed = (v - centre) * inverse;
        return params.gamma == nullptr ? normed : __fmaf_rn(normed, F32::load(params.gamma, j), F32::load(params.beta, j));
    };
    for (uint32_t j = threadIdx.x * 4; j < params.x_padded; j += NUM_THREADS * 4) {
        const float4 v = make_float4(finish(j), finish(j + 1), finish(j + 2), finish(j + 3));
        Element::store4(params.x, row * params.x_stride + j, v);
    }
}

#include "common/entry.cuh"
#define FEATURIZE_ENTRY(INPUT, input, ELEMENT, element)                                  \
    KERNEL_ENTRY(featurize_##input##_to_##element, FeaturizeParams, NUM_THREADS, 6, 0, \
                 (featurize<INPUT, ELEMENT>(params)))
#define FEATURIZE_ENTRIES(ELEMENT, element)        \
    FEATURIZE_ENTRY(F32, f32, ELEMENT, element)   \
    FEATURIZE_ENTRY(Bf16, bf16, ELEMENT, element) \
    FEATURIZE_ENTRY(F16, f16, ELEMENT, element)
FEATURIZE_ENTRIES(F32, f32)
FEATURIZE_ENTRIES(Tf32, tf32)
FEATURIZE_ENTRIES(Bf16, bf16)
FEATURIZE_ENTRIES(F16, f16)
