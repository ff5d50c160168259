// ceiling_read: reads a buffer once, as wide as can be, and does nothing with it.
//
//   found = any invocation's xor of its quads is the one that never occurs
//
// Operands   quads (invocations · QUADS)
// Threads    neighbouring invocations read neighbouring quads, QUADS times
// Numerics   integers
// Limits     the buffer holds whole multiples of WG_SIZE · QUADS quads; what is beyond is not read

// twin: src/backend/wgpu/ceilings.rs
struct Params {
    never: u32,   // all four words of a sum that the buffer's contents do not give
    stride: u32,  // invocations of the whole dispatch
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> quads: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> found: array<u32>;  // (1)

@compute @workgroup_size(WG_SIZE)
fn ceiling_read(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = vec4<u32>(0u);
    for (var index = 0u; index < QUADS; index++) {
        sum ^= quads[index * params.stride + id.x];  // [0, arrayLength(quads))
    }
    // So that no compiler leaves the reads out.
    if (all(sum == vec4<u32>(params.never))) {
        found[0] = 1u;
    }
}

// What starting work costs: a dispatch of this does nothing.
@compute @workgroup_size(1)
fn nothing() {
    if (params.stride == 0u) {
        found[0] = quads[0].x;
    }
}
