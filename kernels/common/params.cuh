// Parameters of every kernel: one struct each, passed by value. One field a line.
//
// twin: src/backend/cuda/params.rs; a test compares names, types, order and offsets.
// Strides (`*_stride`) are elements between rows. Buffers of activations are padded: see gemm.cuh.
#pragma once
#include "ptx.cuh"

constexpr uint32_t MAX_GROUPS = 16;      // groups of one launch; a longer step is several launches
constexpr uint32_t MAX_TASKS = 48;       // tasks of a head
constexpr uint32_t NUM_EMBEDDINGS = 3;   // user, user engagement, author

// What became of a candidate.
constexpr uint32_t STATUS_OK = 0;
constexpr uint32_t STATUS_ZERO_VARIANCE = 1;  // epsilon is 0 and all features are equal: the norm has no value
constexpr uint32_t STATUS_NON_FINITE = 2;     // a logit or the score is not a finite number

// How binary features come.
constexpr uint32_t BINARY_BYTES = 0;  // one unsigned byte each, a number
constexpr uint32_t BINARY_BITS = 1;   // bit j of a row is bit j % 8 of byte j / 8
constexpr uint32_t BINARY_F32 = 2;    // one f32 each

struct GemmGroup {
    const void* a;       // (rows, k)
    const void* b;       // (n, k)
    const float* scale;  // (n) or null: sums are multiplied by it before the bias is added
    const float* bias;   // (n)
    void* out;           // (rows, n)
    const void* factor;  // (rows, n): multiplied in, epilogue `mask`
    float* scratch;      // (rows, n), rows follow each other: sums before the norm, epilogue `norm`; the output of `sums`
    const float* gamma;  // (n) or null, epilogue `norm`
    const float* beta;   // (n) or null, epilogue `norm`
    const float* terms;  // (rows, 4) or null: what featurize wrote, where a part of K was multiplied once a request
    const float* plain;  // (requests, n) or null: sums over the request's columns that no candidate changes
    const float* normed; // (requests, n) or null: sums over those under the candidates' norm
    const float* center; // (n) or null, with `normed`: sums of weights times gamma over the same columns
    uint32_t a_stride;
    uint32_t b_stride;
    uint32_t out_stride;
    uint32_t factor_stride;
    uint32_t k;           // multiple of 64
    uint32_t repeat_k;    // columns of b after which it starts again, epilogue `sums`
    uint32_t n;           // multiple of 64
    uint32_t width;       // columns of n that carry values, epilogue `norm`
    float epsilon;        // epilogue `norm`
    uint32_t first_tile;  // column tiles of the groups before this one
};

struct GemmParams {
    const uint32_t* rows;  // (1): candidates
    uint32_t* tickets;     // (num_groups, row tiles of the grid): zero before and after, epilogue `norm`
    uint32_t num_groups;
    uint32_t reserved;
    GemmGroup groups[MAX_GROUPS];
};

struct LayerNormGroup {
    const void* input;   // (rows, padded)
    void* out;           // (rows, padded)
    const float* valid;  // (padded): 1 where a column carries values, 0 where it pads
    const float* gamma;  // (padded): 0 where a column pads
    const float* beta;   // (padded): 0 where a column pads
    uint32_t input_stride;
    uint32_t out_stride;
    uint32_t padded;  // multiple of 64
    uint32_t width;   // columns that carry values
    float epsilon;
    uint32_t reserved;
};

struct LayerNormParams {
    const uint32_t* rows;  // (1): candidates
    LayerNormGroup groups[MAX_GROUPS];
};

// Columns of one kind, some given for each candidate, some once for each request.
struct Columns {
    const void* candidate;  // (rows, candidate_stride)
    const void* request;    // (requests, request_stride), or null
    const int32_t* map;     // (width): column c of the candidate's row as c, of the request's row as -1 - c; null: c = j
    uint32_t candidate_stride;
    uint32_t request_stride;
    uint32_t width;
    uint32_t reserved;
};

struct EmbeddingNorm {
    const float* gamma;  // (width) or null
    const float* beta;   // (width) or null
    float epsilon;
    uint32_t reserved;
};

struct FeaturizeParams {
    Columns continuous;
    Columns binary;  // strides in bytes for BINARY_BYTES and BINARY_BITS
    Columns embeddings[NUM_EMBEDDINGS];
    EmbeddingNorm embedding_norms[NUM_EMBEDDINGS];
    const uint32_t* candidate_request;  // (rows): the request of a candidate; null: request 0
    const float* scale;                 // (continuous.width): folded batch norm, or null
    const float* shift;                 // (continuous.width), or null
    const float* gamma;                 // (continuous.width + binary.width) or null
    const float* beta;                  // (continuous.width + binary.width) or null
    void* x;                            // (rows, x_stride)
    uint32_t* status;                   // (rows)
    uint32_t* rows_out;                 // (1): receives `rows`, for the kernels that follow
    const int32_t* order;               // (x_padded): the feature of each column of x, or null: the model's order
    void* request_rows;                 // (requests, request_stride): what is multiplied once a request; or null
    float* terms;                       // (rows, 4): request's index, what its normed and center sums count; or null
    uint32_t* requests_out;             // (1): receives `requests`, for the kernels that follow; or null
    uint32_t rows;
    uint32_t requests;        // blocks at the grid's end, each of which writes a row of request_rows
    uint32_t request_stride;  // of request_rows
    uint32_t normed;          // first columns of x: from the request, under the candidates' norm; multiple of 64
    uint32_t plain;           // the columns after those: from the request; multiple of 64
    uint32_t has_rest;        // 1: what rounding cut off the normed columns follows them in request_rows
    uint32_t binary_kind;
    uint32_t x_stride;
    uint32_t x_padded;  // columns of x, padding included; multiple of 64
    float min_value;
    float max_value;
    float epsilon;
    uint32_t has_layer_norm;
    uint32_t reserved;
};

struct HeadTask {
    const void* input;    // (rows, padded)
    const float* weight;  // (padded), 0 where the input pads
    uint32_t input_stride;
    uint32_t padded;  // multiple of 64
    float bias;
    uint32_t has_relu;
    float scale;
    float shift;
    float ln_ratio;
    float score_weight;
};

struct HeadParams {
    const uint32_t* rows;          // (1): candidates
    uint32_t* status;              // (rows): as featurize left it; NON_FINITE is added
    float* score;                  // (rows)
    float* logits;                 // (rows, num_tasks) or null
    float* probabilities;          // (rows, num_tasks) or null
    float* calibrated;             // (rows, num_tasks) or null
    uint32_t num_tasks;
    uint32_t uses_uncalibrated;    // 1: the score sums p instead of q
    HeadTask tasks[MAX_TASKS];
};

struct CeilingMultiplyParams {
    float* sums;      // (threads of the grid)
    uint32_t rounds;
    uint32_t reserved;
};

struct CeilingReadParams {
    const void* quads;  // (threads of the grid, QUADS of ceiling_read.cu) of sixteen bytes
    uint32_t* found;    // (1)
    uint32_t never;     // all four words of a sum that the region's contents do not give
    uint32_t reserved;
};
