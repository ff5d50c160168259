//! `cargo xtask kernels`: every unit for every target, into `kernels/artifacts/`, with a manifest and a gate.

mod compile;
mod manifest;
mod source;
mod targets;

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use sha2::{Digest, Sha256};

use crate::toolchain::Toolchain;
use compile::{Compiled, Job};
use manifest::{Manifest, Module};
use targets::{TARGETS, UNITS};

/// Folder of the results, below the repository's root.
const ARTIFACTS: &str = "kernels/artifacts";
const MANIFEST: &str = "manifest.json";

/// A manifest and the packs that it describes.
struct Built {
    manifest: Manifest,
    packs: Vec<(String, Vec<u8>)>,
}

/// Compiles everything and writes it.
pub(crate) fn build(root: &Path, keep: Option<&Path>) -> Result<(), String> {
    let built = compile_all(root, keep)?;
    let folder = root.join(ARTIFACTS);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("cannot clear {}: {e}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    for (name, bytes) in &built.packs {
        write(&folder.join(name), bytes)?;
    }
    write(&folder.join(MANIFEST), text(&built.manifest)?.as_bytes())?;
    let bytes: usize = built.packs.iter().map(|(_, pack)| pack.len()).sum();
    println!("{} targets, {} KiB in {}", built.packs.len(), bytes / 1024, folder.display());
    gate(&built.manifest)
}

/// Compiles everything and compares it with what is committed, byte by byte.
pub(crate) fn check(root: &Path, keep: Option<&Path>) -> Result<(), String> {
    let folder = root.join(ARTIFACTS);
    let committed = fs::read_to_string(folder.join(MANIFEST)).map_err(|e| format!("no manifest: {e}"))?;
    let committed: Manifest = serde_json::from_str(&committed).map_err(|e| format!("manifest: {e}"))?;
    let found = source::hash(root)?;
    if committed.source_sha256 != found {
        return Err("artifacts are stale: the kernels' sources changed, run `cargo xtask kernels`".into());
    }
    let built = compile_all(root, keep)?;
    for (name, bytes) in &built.packs {
        let there = fs::read(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
        if &there != bytes {
            return Err(format!("artifacts are stale: {name} is not what the compilers make of the sources"));
        }
    }
    if committed != built.manifest {
        return Err("artifacts are stale: the manifest is not what the compilers report".into());
    }
    gate(&built.manifest)?;
    println!("{} targets are current; no spills, no local memory, registers within bounds", TARGETS.len());
    Ok(())
}

fn gate(manifest: &Manifest) -> Result<(), String> {
    let faults = manifest.faults();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn compile_all(root: &Path, keep: Option<&Path>) -> Result<Built, String> {
    let toolchain = Toolchain::find(root)?;
    let scratch = root.join(".toolchain/build");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(|e| format!("cannot clear {}: {e}", scratch.display()))?;
    }
    fs::create_dir_all(&scratch).map_err(|e| format!("cannot make {}: {e}", scratch.display()))?;
    let mut manifest = Manifest { source_sha256: source::hash(root)?, targets: Vec::new() };
    let mut packs = Vec::new();
    // The compilers use one thread each: all targets at once.
    let built: Vec<Result<Vec<Compiled>, String>> = std::thread::scope(|scope| {
        let start = |target| {
            let (toolchain, scratch) = (&toolchain, &scratch);
            scope.spawn(move || {
                let jobs: Vec<Job> = UNITS.iter().map(|unit| Job::new(root, scratch, unit, target)).collect();
                compile::compile(toolchain, target, &jobs)
            })
        };
        let threads: Vec<_> = TARGETS.iter().map(start).collect();
        let died = |_| Err("a compilation died".into());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect()
    });
    for (target, compiled) in TARGETS.iter().zip(built) {
        let (artifacts, pack) = package(target, compiled?, keep)?;
        println!("{}: {} KiB", artifacts.target, pack.len() / 1024);
        packs.push((artifacts.pack.clone(), pack));
        manifest.targets.push(artifacts);
    }
    Ok(Built { manifest, packs })
}

fn package(
    target: &targets::Target,
    compiled: Vec<Compiled>,
    keep: Option<&Path>,
) -> Result<(manifest::Target, Vec<u8>), String> {
    let mut pack = Vec::new();
    let mut modules = Vec::new();
    for unit in compiled {
        if let Some(folder) = keep {
            fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
            let extension = if target.is_ptx { "ptx" } else { "cubin" };
            write(&folder.join(format!("{}.{}.{extension}", unit.name, target.name())), &unit.bytes)?;
        }
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        let packed = encoder
            .write_all(&unit.bytes)
            .and_then(|()| encoder.finish())
            .map_err(|e| format!("cannot deflate {}: {e}", unit.name))?;
        modules.push(Module {
            unit: unit.name.to_owned(),
            offset: pack.len(),
            packed_bytes: packed.len(),
            bytes: unit.bytes.len(),
            sha256: source::hex(&Sha256::digest(&unit.bytes)),
            entries: unit.entries,
        });
        pack.extend_from_slice(&packed);
    }
    let artifacts = manifest::Target {
        target: target.name(),
        capability: target.capability,
        is_ptx: target.is_ptx,
        compiler: target.compiler.name().to_owned(),
        min_cuda: target.compiler.min_cuda(),
        pack: format!("{}.pack", target.name()),
        modules,
    };
    Ok((artifacts, pack))
}

fn text(manifest: &Manifest) -> Result<String, String> {
    serde_json::to_string_pretty(manifest).map(|text| text + "\n").map_err(|e| format!("manifest: {e}"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> Manifest {
        let text =
            fs::read_to_string(crate::root().join(ARTIFACTS).join(MANIFEST)).expect("a committed manifest");
        serde_json::from_str(&text).expect("a manifest")
    }

    #[test]
    fn artifacts_belong_to_the_sources_beside_them() {
        let found = source::hash(crate::root()).expect("readable sources");
        assert_eq!(committed().source_sha256, found, "run `cargo xtask kernels`");
    }

    #[test]
    fn no_kernel_spills_or_takes_more_registers_than_it_states() {
        let faults = committed().faults();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn the_gate_sees_spills_local_memory_and_registers() {
        for break_it in [
            (|entry| entry.stack_bytes = 8) as fn(&mut manifest::Entry),
            |entry| entry.local_bytes = 4,
            |entry| (entry.threads, entry.min_blocks, entry.registers) = (256, 2, 129),
        ] {
            let mut manifest = committed();
            break_it(&mut manifest.targets[0].modules[0].entries[0]);
            assert_eq!(manifest.faults().len(), 1);
        }
    }
}
