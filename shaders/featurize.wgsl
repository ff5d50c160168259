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
    switch kind {
        case KIND_BF16: {
            return (inputs[word + element / 2u] >> (16u * (element % 2u))) << 16u;
        }
        case KIND_F16: {
            return half_to_f32_bits((inputs[word + element / 2u] >> (16u * (element % 2u))) & 0xffffu);
        }
        case KIND_BYTES: {
            return bitcast<u32>(f32((inputs[word + element / 4u] >> (8u * (element % 4u))) & 0xffu));
        }
        case KIND_BITS: {
            // Each row starts at a byte of its own.
            let byte = row * ((width + 7u) / 8u) + column / 8u;
            return bitcast<u32>(f32((inputs[word + byte / 4u] >> (8u * (byte % 4u) + column % 8u)) & 1u));
        }
        default: {
            return inputs[word + element];
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

// Sweeps over a part's columns, in order. One loop body serves all of them: it is long, and compiled once.
const SWEEP_PIVOT = 0u;    // the first value
const SWEEP_MOST = 1u;     // the largest deviation from it
const SWEEP_MEAN = 2u;
const SWEEP_SQUARES = 3u;

@compute @workgroup_size(WG_SIZE)
fn featurize(
    @builtin(workgroup_id) block: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
//# if SUBGROUP
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) num_subgroups: u32,
//# end
) {
//# if SUBGROUP
    let thread = Thread(index, subgroup, num_subgroups);
//# else
    let thread = Thread(index);
//# end
    let row = block.x;  // [0, num_rows): the grid has no more
    let entry = params.num_rows + requests[row] * REQUEST_WORDS;
    let candidate = Candidate(row - requests[entry], entry);

    // Statistics of every part that has a norm.
    var norms: array<Norm, NUM_PARTS>;
    var zero_variance = false;
    for (var part = 0u; part < NUM_PARTS; part++) {
        var norm = Norm(0.0, 1.0, 0.0, 1.0);
        let begin = select(params.part_end[max(part, 1u) - 1u], 0u, part == 0u);
        let end = params.part_end[part];
        if begin < end && params.part_norm[part] != 0u {
            let epsilon = params.part_epsilon[part];
            let width = f32(end - begin);
            for (var sweep = SWEEP_PIVOT; sweep <= SWEEP_SQUARES; sweep++) {
                // Every invocation reads the pivot for itself; the other passes share their columns out.
                let first = select(begin + index, begin, sweep == SWEEP_PIVOT);
                let last = select(end, begin + 1u, sweep == SWEEP_PIVOT);
                var most = 0.0;
                var sum = 0.0;
                for (var c = first; c < last; c += WG_SIZE) {
                    let v = cleaned(raw(candidate, part, c), c);
                    let s = deviation(norm, v);
                    if sweep == SWEEP_PIVOT {
                        norm.pivot = v;
                    } else if sweep == SWEEP_MOST {
                        most = max(most, abs(s));
                    } else if sweep == SWEEP_MEAN {
                        sum += s;
                    } else {
                        sum = fma(s - norm.mean, s - norm.mean, sum);
                    }
                }
                if sweep == SWEEP_MOST {
                    most = reduce_max(thread, most);
                    norm.scale = scale_for(most, epsilon);
                    zero_variance = zero_variance || (most == 0.0 && epsilon == 0.0);
                } else if sweep == SWEEP_MEAN {
                    norm.mean = reduce_sum(thread, sum) / width;
                } else if sweep == SWEEP_SQUARES {
                    norm.rstd = reciprocal(reduce_sum(thread, sum) / width, epsilon, norm.scale);
                }
            }
        }
        norms[part] = norm;
    }

    // x, and whether a value that the model does not clean is not finite.
    var non_finite = 0.0;
    for (var q = index; q < params.quads; q += WG_SIZE) {
        var quad = vec4<f32>();
        for (var column = 4u * q; column < min(4u * q + 4u, params.part_end.w); column++) {
            var part = 0u;
            part += select(0u, 1u, column >= params.part_end.x);
            part += select(0u, 1u, column >= params.part_end.y);
            part += select(0u, 1u, column >= params.part_end.z);
            let bits = raw(candidate, part, column);
            // Columns that are continuous are cleaned; the others are as the caller gave them.
            if column >= params.num_continuous && is_non_finite(bits) {
                non_finite = 1.0;
            }
            var v = cleaned(bits, column);
            if params.part_norm[part] != 0u {
                v = fma(normalise(norms[part], v), columns[column].norm_scale, columns[column].norm_shift);
            }
            quad[column % 4u] = v;
        }
        x[row * params.ldx + q] = quad_store(quad);
    }
    non_finite = reduce_max(thread, non_finite);
    if index == 0u {
        status[row] = select(select(0u, STATUS_ZERO_VARIANCE, zero_variance), STATUS_NON_FINITE, non_finite > 0.0);
    }
}
