// norm: (v - mean) / sqrt(variance + epsilon) of a row, in f32, in two passes over the row's deviations.
//
// Values are taken as deviations from the row's first value, times a power of two: s = (v - pivot) · scale. Both
// steps are exact or nearly so, and then a constant row has variance 0 exactly, a nearly constant one loses no
// digits to its mean, and squares neither overflow nor vanish.

struct Norm {
    pivot: f32,  // the row's first value
    scale: f32,  // power of two that brings the largest deviation into [1, 2)
    mean: f32,   // of s
    rstd: f32,   // 1 / sqrt(variance of s + epsilon · scale²)
}

// 2^-e for the largest deviation in [2^e, 2^(e+1)). With an epsilon at most 2^62, so that epsilon · scale² stays finite:
// deviations that small vanish beside it.
fn scale_for(most: f32, epsilon: f32) -> f32 {
    let exponent = (bitcast<u32>(most) >> 23u) & 0xffu;
    let limit = select(252u, 189u, epsilon > 0.0);
    return bitcast<f32>(clamp(254u - min(exponent, 253u), 1u, limit) << 23u);
}

fn deviation(norm: Norm, value: f32) -> f32 {
    return (value - norm.pivot) * norm.scale;
}

fn normalise(norm: Norm, value: f32) -> f32 {
    return (deviation(norm, value) - norm.mean) * norm.rstd;
}

// The reciprocal deviation; 0 where the row has none, which is the caller's to report.
fn reciprocal(variance: f32, epsilon: f32, scale: f32) -> f32 {
    let total = fma(epsilon * scale, scale, variance);
    return select(0.0, 1.0 / sqrt(total), total != 0.0);
}
