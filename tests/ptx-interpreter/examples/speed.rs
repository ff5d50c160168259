//! Multiply-adds a second of the tensor-core kernel: `cargo run -p maskrank-ptx --example speed`.
//!
//! Prints the wall-clock rate with all CPU threads and the rate per second of CPU time (Linux), which a busy machine
//! does not disturb.

use std::time::Instant;

use maskrank_ptx::{Arg, Gpu, Launch, Module, Result, Struct};

const PTX: &str = include_str!("../kernels/gemm_bf16.ptx");
/// Three stages of (64 + 64) x 32 elements of 2 bytes.
const SHARED: usize = 3 * (64 + 64) * 32 * 2;
const SIZE: usize = 1024;

fn launch(module: &Module) -> Result<u64> {
    let mut gpu = Gpu::new();
    // 1.0 in bf16: the speed does not depend on the numbers.
    let ones = vec![0x3f80u16; SIZE * SIZE];
    let (a, b, d) = (gpu.input("a", &ones), gpu.input("b", &ones), gpu.output::<f32>("d", SIZE * SIZE));
    let pointers = [a, b, d].into_iter().fold(Struct::new(), |s, x| s.field(&Arg::Buffer(x)));
    let params = (0..4).fold(pointers, |s, _| s.field(&Arg::I32(SIZE as i32))).build();
    let tiles = (SIZE / 64) as u32;
    let launch = Launch::new(module, "gemm_bf16")
        .grid([tiles, tiles, 1])
        .block([128, 1, 1])
        .shared(SHARED)
        .arg(params);
    Ok(launch.run(&mut gpu)?.total.warps)
}

/// Seconds of CPU time that this process has used.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn main() -> Result<()> {
    let module = Module::parse(PTX)?;
    let products = (SIZE * SIZE * SIZE) as f64;
    for _ in 0..3 {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let warps = launch(&module)?;
        let wall = start.elapsed().as_secs_f64();
        print!(
            "{:.2} G multiply-adds/s, {:.1} M warp instructions/s",
            products / wall / 1e9,
            warps as f64 / wall / 1e6
        );
        match (cpu, cpu_seconds()) {
            (Some(a), Some(b)) => {
                println!("; {:.2} G multiply-adds per second of CPU time", products / (b - a) / 1e9)
            }
            _ => println!(),
        }
    }
    Ok(())
}
