// ceiling_multiply: multiply-adds on registers alone: what no kernel of this device goes beyond.
//
//   sum_i = sum_i · factor + term, TURNS · ROUNDS times for each of the twelve sums of an invocation
//
// Threads    each invocation by itself; nothing is read meanwhile; TURNS times in a round, so that counting costs little
// Numerics   f32; FUSED: one operation with one rounding, else two that a driver may fuse
// Limits     loops stay under 65,536 turns, where Mesa 22.3.6's lavapipe ends them

// twin: src/backend/wgpu/ceilings.rs
struct Params {
    factor: f32,  // a little below 1, so that sums stay finite
    term: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;  // (invocations)

@compute @workgroup_size(WG_SIZE)
fn ceiling_multiply(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = vec4<f32>(params.factor);
    let term = vec4<f32>(params.term);
    var a = vec4<f32>(f32(id.x));
    var b = a + 1.0;
    var c = a + 2.0;
    for (var round = 0u; round < ROUNDS; round++) {
//# for turn in TURNS
//# if FUSED
        a = fma(a, factor, term);
        b = fma(b, factor, term);
        c = fma(c, factor, term);
//# else
        a = a * factor + term;
        b = b * factor + term;
        c = c * factor + term;
//# end
//# end
    }
    let all = a + b + c;
    sums[id.x] = all.x + all.y + all.z + all.w;
}
