// head: the towers' last layers, sigmoid, calibration and the weighted sum, one workgroup a candidate.
//
//   v     = weight · input + bias, max(v, 0) where the layer ends in a ReLU
//   logit = scale · v + shift       p = 1 / (1 + e^-logit)       q = 1 / (1 + e^-(logit + ln_ratio))
//   score = Σ score_weight · (q or p)
//
// Operands   input (num_rows, ld_input) in quads of storage type; weights f32, padded like the inputs. outputs, in
//            words: (scores), (statuses), (logits), (p), (q), each of `capacity` rows. Tasks that read different
//            buffers take several dispatches; the one with `finish` set comes last and makes the scores.
// Threads    workgroup x is the candidate; in a dot product an invocation takes every WG_SIZE-th quad, after that
//            every WG_SIZE-th task
// Barriers   (1) all logits of the row are written before they are read; others in shared/reduce.wgsl
// Numerics   f32 throughout, from the logit: a small probability keeps its relative accuracy. Non-finite logits are
//            found on their bits; such a candidate, and one with a status, gets NaNs.
// Limits     any num_rows, any number of tasks

// twin: src/backend/wgpu/params.rs
struct Params {
    num_rows: u32,    // candidates of this dispatch
    ld_input: u32,    // quads between rows of the input
    first_task: u32,  // of this dispatch, in `tasks`
    last_task: u32,   // one past the last
    num_tasks: u32,   // of the whole head
    capacity: u32,    // rows of every output
    calibrated: u32,  // 1 where the score is made of q, 0 where of p
    finish: u32,      // 1 where this dispatch makes the scores
}

// One task. twin: src/backend/wgpu/params.rs
struct Task {
    input_column: u32,  // first quad of the input's row
    weights: u32,       // first quad of `weights`
    quads: u32,         // quads of the dot product, padding included
    relu: u32,          // 1 where the layer ends in a ReLU
    bias: f32,
    scale: f32,         // affine map
    shift: f32,
    ln_ratio: f32,      // calibration
    index: u32,         // the task's place in the configuration
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tasks: array<Task>;           // in order of dispatch
@group(0) @binding(2) var<storage, read> input: array<Quad>;           // (num_rows, ld_input)
@group(0) @binding(3) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> score_weights: array<f32>;    // (num_tasks)
@group(0) @binding(5) var<storage, read> status: array<u32>;           // (num_rows)
@group(0) @binding(6) var<storage, read_write> outputs: array<u32>;

const STATUS_NON_FINITE = 2u;
const NAN_BITS = 0x7fc00000u;

//# include shared/quad.wgsl
//# include shared/relu.wgsl
//# include shared/reduce.wgsl
//# include shared/math.wgsl

// Word of `outputs` where the logits start; the other matrices follow.
fn logits_at() -> u32 {
    return 2u * params.capacity;
}

@compute @workgroup_size(WG_SIZE)
fn head(
    @builtin(workgroup_id) block: vec3<u32>,
//# include shared/thread_parameters.wgsl
) {
//# include shared/thread.wgsl
    let row = block.x;  // [0, num_rows): the grid has no more
    let row_logits = logits_at() + row * params.num_tasks;

    for (var t = params.first_task; t < params.last_task; t++) {
        let task = tasks[t];
        var sum = vec4<f32>();
        for (var q = index; q < task.quads; q += WG_SIZE) {
            let v = quad_load(input[row * params.ld_input + task.input_column + q]);
            sum = fma(v, weights[task.weights + q], sum);
        }
        let total = reduce(thread, REDUCE_SUM, (sum.x + sum.y) + (sum.z + sum.w));
        if index == 0u {
            var v = total + task.bias;
            if task.relu != 0u {
                v = relu(vec4<f32>(v)).x;
            }
            outputs[row_logits + task.index] = bitcast<u32>(fma(task.scale, v, task.shift));
        }
    }
    if params.finish == 0u {
        return;  // uniform: no barrier follows for anyone
    }
    storageBarrier();  // (1)
    workgroupBarrier();

    let matrix = params.capacity * params.num_tasks;
    var sum = 0.0;
    var bad = 0.0;
    for (var t = index; t < params.num_tasks; t += WG_SIZE) {
        let task = tasks[t];
        let at = row_logits + task.index;
        let bits = outputs[at];
        let logit = bitcast<f32>(bits);
        let p = sigmoid(logit);
        let q = sigmoid(logit + task.ln_ratio);
        if is_non_finite(bits) {
            bad = 1.0;
        } else {
            sum = fma(score_weights[task.index], select(p, q, params.calibrated != 0u), sum);
        }
        let is_nan = status[row] != 0u || is_non_finite(bits);
        outputs[at] = select(bits, NAN_BITS, status[row] != 0u);
        outputs[at + matrix] = select(bitcast<u32>(p), NAN_BITS, is_nan);
        outputs[at + 2u * matrix] = select(bitcast<u32>(q), NAN_BITS, is_nan);
    }
    // The sum, then whether anything was bad.
    var totals = vec2<f32>();
    for (var i = REDUCE_SUM; i <= REDUCE_MAX; i++) {
        totals[i] = reduce(thread, i, select(sum, bad, i == REDUCE_MAX));
    }
    if index == 0u {
        let bits = bitcast<u32>(totals.x);
        let is_bad = totals.y > 0.0 || is_non_finite(bits);
        let state = select(select(0u, STATUS_NON_FINITE, is_bad), status[row], status[row] != 0u);
        outputs[row] = select(bits, NAN_BITS, state != 0u);
        outputs[params.capacity + row] = state;
    }
}
