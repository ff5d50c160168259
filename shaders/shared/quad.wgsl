// quad: four neighbouring values in storage type, and their f32 form.
//
//   Storage   f32          vec4<f32>
//             f16          vec4<f16> with SHADER_F16, else two u32 of two halves each
//             bf16         two u32 of two values each; a bf16 is the upper half of an f32
//   Numerics  loads are exact; stores round to nearest, ties to even (f16 with SHADER_F16: as the device rounds)

//# if STORAGE_F32
alias Quad = vec4<f32>;

fn quad_load(quad: Quad) -> vec4<f32> {
    return quad;
}

fn quad_store(value: vec4<f32>) -> Quad {
    return value;
}
//# end
//# if STORAGE_F16_NATIVE
alias Quad = vec4<f16>;

fn quad_load(quad: Quad) -> vec4<f32> {
    return vec4<f32>(quad);
}

fn quad_store(value: vec4<f32>) -> Quad {
    return vec4<f16>(value);
}
//# end
//# if STORAGE_F16_PACKED
alias Quad = vec2<u32>;

fn quad_load(quad: Quad) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(quad.x), unpack2x16float(quad.y));
}

// In integers: what pack2x16float does beyond 65504, and how it rounds, is the device's choice.
fn half_bits(value: vec4<f32>) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(value);
    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    let magnitude = bits & vec4<u32>(0x7fffffffu);
    // Normal halves: rebias the exponent by 127 - 15 and round the 13 dropped bits.
    let rounded = magnitude + vec4<u32>(0xfffu) + ((magnitude >> vec4<u32>(13u)) & vec4<u32>(1u));
    let normal = min((max(rounded, vec4<u32>(0x38000000u)) - vec4<u32>(0x38000000u)) >> vec4<u32>(13u), vec4<u32>(0x7c00u));
    // Subnormal halves, below 2^-14: multiples of 2^-24, rounded by an addition to 2^-1 whose last bit is 2^-24.
    let small = bitcast<vec4<u32>>(abs(value) + vec4<f32>(0.5)) - vec4<u32>(0x3f000000u);
    let half = select(normal, small, magnitude < vec4<u32>(0x38800000u));
    return sign | select(half, vec4<u32>(0x7e00u), magnitude > vec4<u32>(0x7f800000u));
}

fn quad_store(value: vec4<f32>) -> Quad {
    let half = half_bits(value);
    return vec2<u32>(half.x | (half.y << 16u), half.z | (half.w << 16u));
}
//# end
//# if STORAGE_BF16
alias Quad = vec2<u32>;

fn quad_load(quad: Quad) -> vec4<f32> {
    let bits = vec4<u32>(quad.x << 16u, quad.x & 0xffff0000u, quad.y << 16u, quad.y & 0xffff0000u);
    return bitcast<vec4<f32>>(bits);
}

fn quad_store(value: vec4<f32>) -> Quad {
    let bits = bitcast<vec4<u32>>(value);
    let rounded = bits + vec4<u32>(0x7fffu) + ((bits >> vec4<u32>(16u)) & vec4<u32>(1u));
    // A NaN keeps its upper bits and is made quiet: rounding could turn it into an infinity.
    let is_nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
    let upper = select(rounded, bits | vec4<u32>(0x400000u), is_nan) & vec4<u32>(0xffff0000u);
    return vec2<u32>((upper.x >> 16u) | upper.y, (upper.z >> 16u) | upper.w);
}
//# end
