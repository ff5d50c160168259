// layer_norm: rows normalised without their padding; also plain copies of rows, by the group's `normalise`.
//
//   d = (v - mean) / sqrt(variance + epsilon) · gamma + beta
//
// Operands   v (num_rows, ld_input) and d (num_rows, ld_output) in quads, row-major; v is storage type, or f32 where it
//            is the scratch matrix that a GEMM has left for its norm. A group's columns are some quads of a row,
//            padding inside included; `keep` tells values from padding, and padding is stored as zeros.
// Threads    one workgroup a row (x) and group (y); an invocation takes every WG_SIZE-th quad
// Barriers   in shared/reduce.wgsl
// Numerics   f32 throughout; biased variance in two passes (shared/norm.wgsl)
// Limits     the group's first column carries a value; any num_rows

// twin: src/backend/wgpu/params.rs
struct Params {
    num_rows: u32,   // candidates of this dispatch
    ld_input: u32,   // quads between rows of v
    ld_output: u32,  // quads between rows of d
}

// One matrix to normalise. twin: src/backend/wgpu/params.rs
struct Group {
    input_column: u32,   // first quad of v's row
    output_column: u32,  // first quad of d's row
    quads: u32,          // quads of a row, padding included
    constants: u32,      // first entry of `columns`
    width: f32,          // values of a row, without padding
    epsilon: f32,        // added to the variance
    normalise: u32,      // 0 copies
    unused: u32,         // keeps the stride at 32 bytes
}

// Four columns. twin: src/backend/wgpu/params.rs
struct Columns {
    gamma: vec4<f32>,
    beta: vec4<f32>,
    keep: vec4<f32>,  // 1 where a column carries values, 0 where it is padding
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> groups: array<Group>;
//# if SCRATCH
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;  // (num_rows, ld_input)
//# else
@group(0) @binding(2) var<storage, read> v: array<Quad>;       // (num_rows, ld_input)
//# end
@group(0) @binding(3) var<storage, read> columns: array<Columns>;
@group(0) @binding(4) var<storage, read_write> d: array<Quad>;  // (num_rows, ld_output)

//# include shared/quad.wgsl
//# include shared/reduce.wgsl
//# include shared/norm.wgsl

// Passes over a row, in order.
const SWEEP_MOST = 0u;     // the largest deviation from the first value
const SWEEP_MEAN = 1u;
const SWEEP_SQUARES = 2u;
const SWEEP_STORE = 3u;

fn load(at: u32) -> vec4<f32> {
//# if SCRATCH
    return v[at];
//# else
    return quad_load(v[at]);
//# end
}

@compute @workgroup_size(WG_SIZE)
fn layer_norm(
    @builtin(workgroup_id) block: vec3<u32>,
//# include shared/thread_parameters.wgsl
) {
//# include shared/thread.wgsl
    let group = groups[block.y];
    let row = block.x;  // [0, num_rows): the grid has no more
    let input = row * params.ld_input + group.input_column;
    let output = row * params.ld_output + group.output_column;

    var norm = Norm(0.0, 1.0, 0.0, 1.0);
    if group.normalise != 0u {
        norm.pivot = load(input).x;
    }
    // One body for all passes over the row: it is compiled once. Before their passes, scale is 1 and mean 0.
    for (var sweep = select(SWEEP_STORE, SWEEP_MOST, group.normalise != 0u); sweep <= SWEEP_STORE; sweep++) {
        var part = 0.0;
        for (var q = index; q < group.quads; q += WG_SIZE) {
            let constants = columns[group.constants + q];
            var value = load(input + q);
            let s = (value - norm.pivot) * norm.scale - norm.mean;
            if sweep == SWEEP_MOST {
                let distance = abs(s) * constants.keep;
                part = max(part, max(max(distance.x, distance.y), max(distance.z, distance.w)));
            } else if sweep == SWEEP_STORE {
                if group.normalise != 0u {
                    value = fma(s * norm.rstd, constants.gamma, constants.beta);
                }
                d[output + q] = quad_store(select(vec4<f32>(), value, constants.keep > vec4<f32>()));
            } else {
                part += dot(select(s, s * s, sweep == SWEEP_SQUARES), constants.keep);
            }
        }
        if sweep < SWEEP_STORE {
            let total = reduce(thread, select(REDUCE_SUM, REDUCE_MAX, sweep == SWEEP_MOST), part);
            if sweep == SWEEP_MOST {
                norm.scale = scale_for(total, group.epsilon);
            } else if sweep == SWEEP_MEAN {
                norm.mean = total / group.width;
            } else {
                norm.rstd = reciprocal(total / group.width, group.epsilon, norm.scale);
            }
        }
    }
}
