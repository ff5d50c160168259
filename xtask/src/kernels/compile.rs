//! From source to PTX to machine code, and what the compilers say about the result.
//!
//! Every target goes the same way: a front end (NVRTC or nvcc) makes PTX, the assembler of the same
//! release makes machine code of it. Launch information comes out of a second pass of the front end (see
//! `kernels/common/entry.cuh`), so that no number is stated twice.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::manifest::Entry;
use super::targets::{Compiler, PORTABLE_PTX_VERSION, Target, Unit};
use crate::toolchain::Toolchain;

/// One unit to be compiled for one target.
pub(crate) struct Job {
    unit: &'static Unit,
    kernels: PathBuf,
    defines: Vec<String>,
    ptx: PathBuf,
    info: PathBuf,
    cubin: PathBuf,
}

/// What became of a job.
pub(crate) struct Compiled {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
}

impl Job {
    pub(crate) fn new(root: &Path, scratch: &Path, unit: &'static Unit, target: &Target) -> Self {
        let stem = format!("{}.{}", unit.name, target.name());
        let mut defines: Vec<String> = unit.define.iter().map(|define| format!("-D{define}")).collect();
        if target.is_portable {
            defines.push("-DMASKRANK_PORTABLE".into());
        }
        Self {
            unit,
            kernels: root.join("kernels"),
            defines,
            ptx: scratch.join(format!("{stem}.ptx")),
            info: scratch.join(format!("{stem}.info")),
            cubin: scratch.join(format!("{stem}.cubin")),
        }
    }
}

/// Compiles all units of a target.
pub(crate) fn compile(toolchain: &Toolchain, target: &Target, jobs: &[Job]) -> Result<Vec<Compiled>, String> {
    // Machine code ships without line numbers: they would bring the PTX along and double its size.
    let lines: &[&str] = if target.is_ptx { &["--generate-line-info"] } else { &[] };
    // The two passes of the front end are independent: one process each.
    std::thread::scope(|scope| {
        let info =
            scope.spawn(|| nvrtc(toolchain, target, jobs, &["-DMASKRANK_LAUNCH_INFO"], |job| &job.info));
        let front = match target.compiler {
            Compiler::Nvrtc12 => nvrtc(toolchain, target, jobs, lines, |job| &job.ptx),
            Compiler::Nvcc13 => jobs.iter().try_for_each(|job| nvcc(toolchain, target, job)),
        };
        front.and(info.join().unwrap_or_else(|_| Err("the launch information pass died".into())))
    })?;
    jobs.iter().map(|job| finish(toolchain, target, job)).collect()
}

fn nvrtc(
    toolchain: &Toolchain,
    target: &Target,
    jobs: &[Job],
    options: &[&str],
    output: impl Fn(&Job) -> &PathBuf,
) -> Result<(), String> {
    let list: Vec<_> = jobs
        .iter()
        .map(|job| {
            let mut all = vec![
                format!("--gpu-architecture=compute_{}", target.capability),
                "--std=c++17".into(),
                "--include-path=.".into(),
            ];
            all.extend(options.iter().map(|option| (*option).to_owned()));
            all.extend(job.defines.iter().cloned());
            serde_json::json!({ "source": job.unit.source, "options": all, "ptx": output(job) })
        })
        .collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernels/nvrtc.py");
    let mut child = Command::new("python3")
        .arg(script)
        .arg(toolchain.nvrtc())
        .current_dir(&jobs[0].kernels)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run python3: {e}"))?;
    let text = serde_json::to_vec(&list).map_err(|e| e.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&text).map_err(|e| format!("cannot write to python3: {e}"))?;
    }
    let status = child.wait().map_err(|e| format!("python3: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("NVRTC ended with {status}")) }
}

fn nvcc(toolchain: &Toolchain, target: &Target, job: &Job) -> Result<(), String> {
    run(Command::new(toolchain.nvcc())
        .current_dir(&job.kernels)
        .args(["-ptx", "-O3", "-std=c++17", "-Werror", "all-warnings", "-I."])
        .arg(format!("-arch=compute_{}", target.capability))
        .args(&job.defines)
        .args(target.is_ptx.then_some("-lineinfo"))
        // Names with internal linkage hold this seed; without it, a number made of the folder.
        .arg(format!("--frandom-seed={}", job.unit.name))
        .arg("-o")
        .arg(&job.ptx)
        .arg(job.unit.source))
    .map(drop)
}

fn finish(toolchain: &Toolchain, target: &Target, job: &Job) -> Result<Compiled, String> {
    // Source names without the folder of whoever compiled, so that the bytes are the same everywhere.
    let mut ptx = portable_names(&read(&job.ptx)?.replace(&format!("{}/", job.kernels.display()), ""));
    if target.is_portable {
        ptx = relabel(&ptx)?;
    }
    fs::write(&job.ptx, &ptx).map_err(|e| format!("cannot write {}: {e}", job.ptx.display()))?;
    if target.is_portable {
        // Both assemblers refuse an instruction that the label's version does not have.
        assemble(&toolchain.ptxas_12(), target.capability, job)?;
        assemble(&toolchain.ptxas_13(), target.capability, job)?;
    } else {
        let ptxas = match target.compiler {
            Compiler::Nvrtc12 => toolchain.ptxas_12(),
            Compiler::Nvcc13 => toolchain.ptxas_13(),
        };
        assemble(&ptxas, target.capability, job)?;
    }
    let usage = run(Command::new(toolchain.cuobjdump()).arg("--dump-resource-usage").arg(&job.cubin))?;
    let info = read(&job.info)?;
    let mut entries = entry_points(&ptx)
        .map(|(name, param_bytes)| {
            let [threads, min_blocks, dynamic_shared_bytes] = launch_info(&info, name)?;
            let used = |key| resource(&usage, name, key);
            Ok(Entry {
                name: name.to_owned(),
                param_bytes,
                threads,
                min_blocks,
                dynamic_shared_bytes,
                static_shared_bytes: used("SHARED")?,
                registers: used("REG")?,
                stack_bytes: used("STACK")?,
                local_bytes: used("LOCAL")?,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let bytes = if target.is_ptx {
        ptx.into_bytes()
    } else {
        fs::read(&job.cubin).map_err(|e| format!("cannot read {}: {e}", job.cubin.display()))?
    };
    Ok(Compiled { name: job.unit.name, bytes, entries })
}

fn assemble(ptxas: &Path, capability: u32, job: &Job) -> Result<(), String> {
    run(Command::new(ptxas)
        .args(["-O3", "--warn-on-spills", "--warning-as-error"])
        .arg(format!("-arch=sm_{capability}"))
        .arg("-o")
        .arg(&job.cubin)
        .arg(&job.ptx))
    .map(drop)
}

/// Leaves the file names of headers that lie elsewhere, without their folders.
fn portable_names(ptx: &str) -> String {
    let portable = |line: &str| match line.split_once('"') {
        Some((start, path)) if line.trim_start().starts_with(".file") && path.starts_with('/') => {
            let name = path.rsplit('/').next().unwrap_or(path);
            format!("{start}\"{name}\n")
        }
        _ => format!("{line}\n"),
    };
    ptx.lines().map(portable).collect()
}

/// Labels PTX with the older version. The one thing in it that is newer is a hint, which may be left out.
fn relabel(ptx: &str) -> Result<String, String> {
    let label = ptx.lines().find(|line| line.starts_with(".version ")).ok_or("PTX without a version")?;
    let ptx = ptx.replacen(label, &format!(".version {PORTABLE_PTX_VERSION}"), 1);
    let is_hint = |line: &&str| line.trim_start().starts_with(".pragma \"used_bytes_mask");
    Ok(ptx.lines().filter(|line| !is_hint(line)).flat_map(|line| [line, "\n"]).collect())
}

/// Names of a PTX module's kernels, and the bytes of their parameter structs.
fn entry_points(ptx: &str) -> impl Iterator<Item = (&str, u32)> {
    ptx.split(".entry ").skip(1).map(|rest| {
        let name = rest.split('(').next().unwrap_or_default().trim();
        let bytes = rest
            .split_once('[')
            .and_then(|(_, size)| size.split(']').next())
            .and_then(|size| size.parse().ok())
            .unwrap_or(0);
        (name, bytes)
    })
}

/// `NAME_launch[12] = {0, 1, 0, 0, …}` of the second pass: three little-endian words, byte by byte, without trailing
/// zeros.
fn launch_info(info: &str, name: &str) -> Result<[u32; 3], String> {
    let missing = || format!("{name}: no launch information");
    let (_, rest) = info.split_once(&format!(" {name}_launch[12]")).ok_or_else(missing)?;
    let list = rest.split_once('{').and_then(|(_, list)| list.split('}').next()).ok_or_else(missing)?;
    let mut words = [[0_u8; 4]; 3];
    for (byte, word) in words.as_flattened_mut().iter_mut().zip(list.split(',')) {
        *byte = word.trim().parse().map_err(|_| missing())?;
    }
    Ok(words.map(u32::from_le_bytes))
}

/// One figure of `cuobjdump --dump-resource-usage`.
fn resource(usage: &str, name: &str, key: &str) -> Result<u32, String> {
    let missing = || format!("{name}: cuobjdump does not state {key}");
    let (_, rest) = usage.split_once(&format!("Function {name}:")).ok_or_else(missing)?;
    let line = rest.lines().nth(1).ok_or_else(missing)?;
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix(':')?.parse().ok())
        .ok_or_else(missing)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("cannot run {command:?}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!(
        "{command:?} ended with {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}
