// self_test: counts in a loop, and in a second one after it, as far as it is told.
//
//   counts = (sum over outer of inner, outer · inner)
//
// Mesa 22.3.6's lavapipe ends every loop of an invocation after 65,535 iterations in all, without a word.
//
// Threads    one invocation
// Numerics   integers

// twin: src/backend/wgpu/params.rs
struct Params {
    outer: u32,  // iterations of the outer loop
    inner: u32,  // iterations of the inner one
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;  // (2)

@compute @workgroup_size(1)
fn self_test() {
    var nested = 0u;
    for (var i = 0u; i < params.outer; i++) {
        for (var k = 0u; k < params.inner; k++) {
            nested += 1u + (nested & 0u);
        }
    }
    var flat = 0u;
    for (var i = 0u; i < params.outer * params.inner; i++) {
        flat += 1u;
    }
    counts[0] = nested;
    counts[1] = flat;
}
