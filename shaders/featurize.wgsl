// featurize: raw feature columns to the input row x, one workgroup a candidate.
//
//   continuous   c = 0 where not finite;  c = sign(c) · log(1 + |c|);  c = c · log_scale + log_shift;  clamped
//   dense        z = (continuous, binary), layer norm over all of z where configured
//   embeddings   each its own layer norm
//   x            (z, user embedding, user engagement embedding, author embedding)
//
// Operands   inputs: the caller's arrays one after another, each at a whole word, in the caller's types. `requests`:
//            for each candidate its request; then for each request the first candidate of its matrices and where its
//            ten matrices lie. Columns that are given once a request are read from the request's own row.
//            x (num_rows, ldx) in quads of storage type, padding zeros. status (num_rows).
// Threads    workgroup x is the candidate; in sums an invocation takes every WG_SIZE-th column, in the store every
//            WG_SIZE-th quad
// Barriers   in shared/reduce.wgsl
// Numerics   f32; non-finite values are found on their bits, since WGSL may assume that there are none; variance in
//            two passes (shared/norm.wgsl). A zero-variance row under epsilon 0 gets finite values and a status.
// Limits     any widths, any num_rows

// Parts of x: dense and the three embeddings.
const NUM_PARTS = 4u;

// twin: src/backend/wgpu/params.rs
struct Params {
    num_rows: u32,            // candidates of this dispatch
    ldx: u32,                 // quads between rows of x
    quads: u32,               // quads of x's segment, padding included
    num_continuous: u32,
    min_value: f32,           // clamp of continuous features
    max_value: f32,
    unused_0: u32,            // the vectors start at 32 bytes
    unused_1: u32,
    part_end: vec4<u32>,      // x column where each part ends: z, then the three embeddings
    part_norm: vec4<u32>,     // 1 where a part is normalised
    part_epsilon: vec4<f32>,  // added to its variance
    candidate_widths: vec4<u32>,  // elements of a row: continuous, binary; then unused
    request_widths: vec4<u32>,    // likewise, of what is given once a request
}

// One column of x. twin: src/backend/wgpu/params.rs
struct Column {
    origin: u32,      // column of its matrix; ORIGIN_REQUEST is added where it is given once a request
    log_scale: f32,   // batch norm, folded
    log_shift: f32,
    norm_scale: f32,  // affine of the layer norm
    norm_shift: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<u32>;
@group(0) @binding(2) var<storage, read> requests: array<u32>;
@group(0) @binding(3) var<storage, read> columns: array<Column>;    // (input_dim)
@group(0) @binding(4) var<storage, read_write> x: array<Quad>;      // (num_rows, ldx)
@group(0) @binding(5) var<storage, read_write> status: array<u32>;  // (num_rows)

const ORIGIN_REQUEST = 0x80000000u;

// A request's entry: word 0 is its first candidate in this dispatch, then pairs (first word, kind) of ten matrices:
// candidate continuous, binary, three embeddings; the same five of the request. twin: src/backend/wgpu/upload.rs
const REQUEST_WORDS = 21u;
const KIND_F32 = 0u;
const KIND_BF16 = 1u;
const KIND_F16 = 2u;
const KIND_BYTES = 3u;
const KIND_BITS = 4u;

const STATUS_ZERO_VARIANCE = 1u;
const STATUS_NON_FINITE = 2u;

//# include shared/quad.wgsl
//# include shared/reduce.wgsl
//# include shared/norm.wgsl
//# include shared/math.wgsl

// Bits of the f32 that a half stands for.
fn half_to_f32_bits(half: u32) -> u32 {
    let sign = (half & 0x8000u) << 16u;
    let magnitude = half & 0x7fffu;
    if magnitude >= 0x7c00u {
        return sign | 0x7f800000u | (magnitude << 13u);
    }
    if magnitude < 0x400u {
        return sign | bitcast<u32>(f32(magnitude) * 0x1p-24f);
    }
    return sign | ((magnitude << 13u) + 0x38000000u);
}

// Bits of the f32 at a row and column of a matrix of `width` columns that starts at a word of `inputs`.
fn fetch(word: u32, kind: u32, row: u32, width: u32, column: u32) -> u32 {
    let element = row * width + column;
    // Where the value's bits lie: one load serves every kind.
    var at = element;
    var shift = 0u;
    var bits = 32u;
    switch kind {
        case KIND_BF16, KIND_F16: {
            at = element / 2u;
            shift = 16u * (element % 2u);
            bits = 16u;
        }
        case KIND_BYTES: {
            at = element / 4u;
            shift = 8u * (element % 4u);
            bits = 8u;
        }
        case KIND_BITS: {
            // Each row starts at a byte of its own.
            let byte = row * ((width + 7u) / 8u) + column / 8u;
            at = byte / 4u;
            shift = 8u * (byte % 4u) + column % 8u;
            bits = 1u;
        }
        default: {}
    }
    let value = extractBits(inputs[word + at], shift, bits);
    switch kind {
        case KIND_BF16: {
            return value << 16u;
        }
        case KIND_F16: {
            return half_to_f32_bits(value);
        }
        case KIND_BYTES, KIND_BITS: {
            return bitcast<u32>(f32(value));
        }
        default: {
            return value;
        }
    }
}

// Where a candidate's values come from.
struct Candidate {
    row: u32,    // row of its request's matrices
    entry: u32,  // word of `requests` where its request's entry starts
}

// Raw bits of column `column` of x, before anything is done to it.
fn raw(candidate: Candidate, part: u32, column: u32) -> u32 {
    let origin = columns[column].origin;
    let is_request = origin >= ORIGIN_REQUEST;
    // Matrix 0 is continuous, 1 binary, 2 to 4 the embeddings.
    let matrix = select(part + 1u, select(0u, 1u, column >= params.num_continuous), part == 0u);
    let at = candidate.entry + 1u + 2u * (matrix + select(0u, 5u, is_request));
    let widths = select(params.candidate_widths, params.request_widths, is_request);
    var width = select(widths.x, widths.y, matrix == 1u);
    if matrix > 1u {
        width = params.part_end[part] - params.part_end[part - 1u];
    }
    let row = select(candidate.row, 0u, is_request);
    return fetch(requests[at], requests[at + 1u], row, width, origin & ~ORIGIN_REQUEST);
}

// Column `column` of x before its layer norm, of its raw bits.
fn cleaned(bits: u32, column: u32) -> f32 {
    if column >= params.num_continuous {
        return bitcast<f32>(bits);
    }
    var log = 0.0;
    if !is_non_finite(bits) {
        let magnitude = bits & 0x7fffffffu;
        log = bitcast<f32>(bitcast<u32>(log_1p(bitcast<f32>(magnitude))) | (bits & 0x80000000u));
    }
    let constants = columns[column];
    return clamp(fma(log, constants.log_scale, constants.log_shift), params.min_value, params.max_value);
}

// Sweeps over a part's columns, in order, and at the end one over all of x. One loop body serves all of them: it is
// long, and compiled once.
const SWEEP_PIVOT = 0u;    // the first value
const SWEEP_MOST = 1u;     // the largest deviation from it
const SWEEP_MEAN = 2u;
const SWEEP_SQUARES = 3u;
const SWEEP_STORE = 4u;

@compute @workgroup_size(WG_SIZE)
fn featurize(
    @builtin(workgroup_id) block: vec3<u32>,
//# include shared/thread_parameters.wgsl
) {
//# include shared/thread.wgsl
    let row = block.x;  // [0, num_rows): the grid has no more
    let entry = params.num_rows + requests[row] * REQUEST_WORDS;
    let candidate = Candidate(row - requests[entry], entry);

    // Statistics of every part that has a norm, then x, as the last part of this loop.
    var norms: array<Norm, NUM_PARTS>;
    var zero_variance = false;
    // 1 where a value that the model does not clean is not finite.
    var non_finite = 0.0;
    for (var turn = 0u; turn <= NUM_PARTS; turn++) {
        let is_store = turn == NUM_PARTS;
        let this_part = min(turn, NUM_PARTS - 1u);
        var norm = Norm(0.0, 1.0, 0.0, 1.0);
        let begin = select(params.part_end[max(this_part, 1u) - 1u], 0u, this_part == 0u);
        let end = params.part_end[this_part];
        let epsilon = params.part_epsilon[this_part];
        let width = f32(end - begin);
        let has_norm = begin < end && params.part_norm[this_part] != 0u;
        if is_store || has_norm {
            let first_sweep = select(SWEEP_PIVOT, SWEEP_STORE, is_store);
            let last_sweep = select(SWEEP_SQUARES, SWEEP_STORE, is_store);
            for (var sweep = first_sweep; sweep <= last_sweep; sweep++) {
                // Every invocation reads the pivot for itself. The other passes share their columns out, one at a
                // time, and the last one by quads, whose padding is stored as zeros.
                let run = select(1u, 4u, is_store);
                var c = select(begin + run * index, begin, sweep == SWEEP_PIVOT);
                var last = select(end, begin + 1u, sweep == SWEEP_PIVOT);
                if is_store {
                    c = run * index;
                    last = 4u * params.quads;
                }
                var most = 0.0;
                var sum = 0.0;
                var quad = vec4<f32>();
                while c < last {
                    var v = 0.0;
                    if c < params.part_end.w {
                        var part = 0u;
                        part += select(0u, 1u, c >= params.part_end.x);
                        part += select(0u, 1u, c >= params.part_end.y);
                        part += select(0u, 1u, c >= params.part_end.z);
                        let bits = raw(candidate, part, c);
                        // Columns that are continuous are cleaned; the others are as the caller gave them.
                        if is_store && c >= params.num_continuous && is_non_finite(bits) {
                            non_finite = 1.0;
                        }
                        v = cleaned(bits, c);
                        if is_store && params.part_norm[part] != 0u {
                            let normal = normalise(norms[part], v);
                            v = fma(normal, columns[c].norm_scale, columns[c].norm_shift);
                        }
                    }
                    let s = deviation(norm, v);
                    if sweep == SWEEP_PIVOT {
                        norm.pivot = v;
                    } else if sweep == SWEEP_MOST {
                        most = max(most, abs(s));
                    } else if sweep == SWEEP_MEAN {
                        sum += s;
                    } else if sweep == SWEEP_SQUARES {
                        sum = fma(s - norm.mean, s - norm.mean, sum);
                    } else {
                        quad[c % 4u] = v;
                        if c % 4u == 3u {
                            x[row * params.ldx + c / 4u] = quad_store(quad);
                        }
                    }
                    // To the next column of the run, or to the next run.
                    c += select(1u, run * (WG_SIZE - 1u) + 1u, c % run == run - 1u);
                }
                if sweep == SWEEP_PIVOT {
                    continue;
                }
                let is_sum = sweep == SWEEP_MEAN || sweep == SWEEP_SQUARES;
                let of_all = select(most, non_finite, is_store);
                let total = reduce(
                    thread, select(REDUCE_MAX, REDUCE_SUM, is_sum), select(of_all, sum, is_sum));
                if sweep == SWEEP_MOST {
                    norm.scale = scale_for(total, epsilon);
                    zero_variance = zero_variance || (total == 0.0 && epsilon == 0.0);
                } else if sweep == SWEEP_MEAN {
                    norm.mean = total / width;
                } else if sweep == SWEEP_SQUARES {
                    norm.rstd = reciprocal(total / width, epsilon, norm.scale);
                } else {
                    non_finite = total;
                }
            }
        }
        if !is_store {
            norms[this_part] = norm;
        }
    }
    if index == 0u {
        status[row] = select(select(0u, STATUS_ZERO_VARIANCE, zero_variance), STATUS_NON_FINITE, non_finite > 0.0);
    }
}
