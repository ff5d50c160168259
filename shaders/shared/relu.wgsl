// relu: max(v, 0) that keeps a NaN.
//
// WGSL's max may return either operand when one is NaN, and a device may assume that there is none. So the test is
// made on the bits: -0.0 to -infinity are 0x80000000 to 0xff800000, and NaNs with a sign lie above.

fn relu(value: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(value);
    let is_negative = (bits >= vec4<u32>(0x80000000u)) & (bits <= vec4<u32>(0xff800000u));
    return select(value, vec4<f32>(), is_negative);
}
