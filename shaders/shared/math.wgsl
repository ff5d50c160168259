// math: logarithm and exponential that are accurate to f32. WGSL's own log may be off by 2^-21 near 1, its exp by
// 3 + 2|x| units in the last place. Nothing here depends on an addition being undone exactly, so a device that
// reorders sums costs a unit or two in the last place and no more.

const LN_2_HIGH = 0.693145751953125;       // 12 bits: a multiple by an exponent is exact
const LN_2_LOW = 1.4286068203094172e-6;    // ln 2 - LN_2_HIGH
const LOG_2_E = 1.4426950408889634;
const ONE_BITS = 0x3f800000u;
const SQRT_HALF_BITS = 0x3f3504f3u;

// log(1 + x) for finite x >= 0, within 4 units in the last place.
//
// 1 + x = 2^k · (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and f is found without the rounding of 1 + x:
// f = x · 2^-k + (2^-k - 1). Then with s = f / (2 + f), log(1 + f) = 2 · atanh(s) = f - s · (f - r),
// r = s² · (2/3 + s² · (2/5 + …)). Where the division is off, only the small product with s is.
fn log_1p(x: f32) -> f32 {
    // The exponent of (1 + x) · sqrt(2), by an addition to the bits that carries from sqrt(2) on.
    let exponent = i32((bitcast<u32>(1.0 + x) + (ONE_BITS - SQRT_HALF_BITS)) >> 23u) - 127;
    var f = x;
    if exponent > 0 {
        let scaled = bitcast<f32>(bitcast<u32>(x) - (u32(exponent) << 23u));
        // 2^-k vanishes beside 1 from k = 25 on.
        let power = bitcast<f32>(u32(127 - min(exponent, 60)) << 23u);
        f = scaled + (power - 1.0);
    }
    let s = f / (2.0 + f);
    let s2 = s * s;
    let r = s2 * fma(s2, fma(s2, fma(s2, 2.0 / 9.0, 2.0 / 7.0), 2.0 / 5.0), 2.0 / 3.0);
    let n = f32(exponent);
    return fma(n, LN_2_HIGH, f - fma(-n, LN_2_LOW, s * (f - r)));
}

// e^x for x <= 0; 0 below -87, where the result leaves the normal numbers.
//
// x = n · ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor series to the 7th power, 2^n by its exponent.
fn exp_negative(x: f32) -> f32 {
    let n = round(max(x, -90.0) * LOG_2_E);
    let r = fma(-n, LN_2_LOW, fma(-n, LN_2_HIGH, max(x, -90.0)));
    var sum = fma(r, 1.0 / 5040.0, 1.0 / 720.0);
    sum = fma(sum, r, 1.0 / 120.0);
    sum = fma(sum, r, 1.0 / 24.0);
    sum = fma(sum, r, 1.0 / 6.0);
    sum = fma(sum, r, 0.5);
    sum = fma(sum, r, 1.0);
    sum = fma(sum, r, 1.0);
    let power = bitcast<f32>(u32(max(i32(n), -126) + 127) << 23u);
    return select(sum * power, 0.0, x < -87.0);
}

// 1 / (1 + e^-x), with small probabilities to full relative accuracy.
fn sigmoid(x: f32) -> f32 {
    let e = exp_negative(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn is_non_finite(bits: u32) -> bool {
    return (bits & 0x7f800000u) == 0x7f800000u;
}
