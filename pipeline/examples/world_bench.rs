//! Times generating, loading and opening a world: `world_bench USERS POSTS DIR`.

use std::time::Instant;

use maskrank_pipeline::stores::StoreOptions;
use maskrank_pipeline::world::{FileFormat, World, WorldConfig, generate};

fn resident_mib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let pick = |key: &str| status.lines().find(|line| line.starts_with(key)).unwrap_or("").to_owned();
    format!("{} {}", pick("VmRSS"), pick("VmHWM"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (users, posts) = (args.next().ok_or("USERS")?.parse()?, args.next().ok_or("POSTS")?.parse()?);
    let folder = std::path::PathBuf::from(args.next().ok_or("DIR")?);
    if args.next().is_none() {
        let started = Instant::now();
        generate(&folder, WorldConfig::sized(users, posts), FileFormat::Parquet)?;
        println!("generate {:.2} s; {}", started.elapsed().as_secs_f64(), resident_mib());
    }
    let started = Instant::now();
    let world = World::open(&folder, StoreOptions::default())?;
    println!("open {:.2} s; {:?}; {}", started.elapsed().as_secs_f64(), world.stores.sizes(), resident_mib());
    Ok(())
}
