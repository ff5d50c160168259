//! Every instruction against an independent statement of its meaning.
//!
//! A case is a line of PTX and a closure. The line reads its operands from `%d4..%d7` (64 bits), `%r4..%r7` (their low
//! 32 bits) or `%h4..%h7` (their low 16) and leaves its result in `%d8`, `%r8`, `%h8` or `%p1`. It runs on 32 lanes at
//! a time over tuples of edge values and random numbers.

mod control;
mod convert;
mod float;
mod half;
mod integer;
mod memory;
mod order;
mod packed;
mod tensor;
mod warp;

use maskrank_ptx::{Arg, Gpu, Launch, Module};

/// Where the result is.
#[derive(Clone, Copy)]
pub(super) enum Out {
    D,
    R,
    H,
    P,
}

/// A line of PTX and its meaning.
pub(super) struct Case {
    pub(super) line: &'static str,
    pub(super) out: Out,
    pub(super) meaning: fn([u64; 4]) -> u64,
}

pub(super) const fn case(line: &'static str, out: Out, meaning: fn([u64; 4]) -> u64) -> Case {
    Case { line, out, meaning }
}

/// A module with one entry `t(in, out)` around `body`; every thread has 4 inputs and 1 result of 8 bytes.
pub(super) fn module(body: &str, tail: &str) -> Module {
    let text = format!(
        ".version 8.0\n.target sm_90\n.address_size 64\n{tail}
.visible .entry t(.param .u64 in, .param .u64 out)
{{
    .reg .pred %p<10>; .reg .b16 %h<20>; .reg .b32 %r<40>; .reg .b64 %d<20>; .reg .f32 %f<20>;
    ld.param.u64 %d0, [in];
    ld.param.u64 %d1, [out];
    mov.u32 %r0, %tid.x;
    mad.wide.u32 %d2, %r0, 32, %d0;
    mad.wide.u32 %d3, %r0, 8, %d1;
    ld.global.v2.u64 {{%d4, %d5}}, [%d2];
    ld.global.v2.u64 {{%d6, %d7}}, [%d2+16];
    mov.b64 {{%r4, _}}, %d4; mov.b64 {{%r5, _}}, %d5; mov.b64 {{%r6, _}}, %d6; mov.b64 {{%r7, _}}, %d7;
    mov.b32 {{%h4, _}}, %r4; mov.b32 {{%h5, _}}, %r5; mov.b32 {{%h6, _}}, %r6; mov.b32 {{%h7, _}}, %r7;
{body}
    st.global.u64 [%d3], %d8;
    ret;
}}
"
    );
    Module::parse(&text).unwrap_or_else(|e| panic!("{body}: {e}"))
}

/// Runs `t` on 32 lanes.
pub(super) fn run(module: &Module, inputs: &[[u64; 4]]) -> maskrank_ptx::Result<Vec<u64>> {
    let mut gpu = Gpu::new();
    let input = gpu.input("in", inputs.as_flattened());
    let out = gpu.output::<u64>("out", inputs.len());
    let launch = Launch::new(module, "t").block([inputs.len() as u32, 1, 1]).step_limit(100_000);
    launch.arg(Arg::Buffer(input)).arg(Arg::Buffer(out)).run(&mut gpu)?;
    Ok(gpu.read(out))
}

/// The kernel of a case.
pub(super) fn kernel(line: &str, out: Out) -> Module {
    let widen = match out {
        Out::D => "",
        Out::R => "cvt.u64.u32 %d8, %r8;",
        Out::H => "cvt.u64.u16 %d8, %h8;",
        Out::P => "selp.u64 %d8, 1, 0, %p1;",
    };
    module(&format!("    {line}\n    {widen}"), "")
}

/// Checks cases over tuples drawn from `values`.
pub(super) fn check(cases: &[Case], values: &[u64]) {
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values[(state >> 20) as usize % values.len()]
    };
    for c in cases {
        let module = kernel(c.line, c.out);
        for _ in 0..12 {
            let inputs: Vec<[u64; 4]> = (0..32).map(|_| [next(), next(), next(), next()]).collect();
            let got = run(&module, &inputs).unwrap_or_else(|e| panic!("{}: {e}", c.line));
            for (input, got) in inputs.iter().zip(got) {
                let expected = (c.meaning)(*input);
                assert_eq!(
                    got, expected,
                    "{}: inputs {input:#x?}: expected {expected:#x}, got {got:#x}",
                    c.line
                );
            }
        }
    }
}

/// Edge values and random numbers of 64 bits, whose low halves are such values of 32 and 16 bits too.
pub(super) fn integers() -> Vec<u64> {
    let mut v =
        vec![0, 1, 2, 3, 5, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff];
    v.extend([
        0x1_0000,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        0x7fff_ffff_ffff_ffff,
        1 << 63,
        u64::MAX,
    ]);
    let mut x = 0x0123_4567_89ab_cdefu64;
    for _ in 0..40 {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        v.push(x);
        v.push(x >> 37);
    }
    v
}

/// Bit patterns of single-precision numbers: ordinary ones, and with `special` zeros, subnormals, infinities and NaN.
pub(super) fn singles(special: bool) -> Vec<u64> {
    let mut v: Vec<u64> =
        [1.0f32, -1.0, 0.5, 1.5, -2.5, 3.0, 100.25, -0.1, 1e-3, 4096.0, -65504.0, 0.999_999_94]
            .iter()
            .map(|x| u64::from(x.to_bits()))
            .collect();
    let mut x = 77u32;
    for _ in 0..60 {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Exponents from 2^-10 to 2^10, so that sums are exact in f64.
        v.push(u64::from(x & 0x807f_ffff | (117 + (x >> 8) % 21) << 23));
    }
    if special {
        v.extend([
            0,
            0x8000_0000,
            1,
            0x8000_0001,
            0x007f_ffff,
            0x0080_0000,
            0x7f7f_ffff,
            0x7f80_0000,
            0xff80_0000,
        ]);
        v.extend([0x7fc0_0000, 0x7fff_ffff, 0xffc0_0001]);
    }
    v
}
