//! The compiled kernels that ship inside the library, and which of them a GPU and its driver can load.
//!
//! `cargo xtask kernels` writes them: one pack of deflated modules a target, and a manifest that says what a launch
//! of each kernel needs. A module is inflated when it is loaded, and only then.

use std::io::Read;
use std::sync::OnceLock;

use serde::Deserialize;

/// `kernels/artifacts/manifest.json`. twin: `xtask/src/kernels/manifest.rs`.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    /// One entry a kind of GPU.
    pub(crate) targets: Vec<Target>,
}

/// Binaries of one target.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    /// `sm_90`, `compute_80`.
    pub(crate) target: String,
    /// Compute capability as 10 · major + minor.
    pub(crate) capability: u32,
    /// PTX, which the driver compiles when it loads it.
    pub(crate) is_ptx: bool,
    /// Compiler's name and version.
    pub(crate) compiler: String,
    /// Oldest CUDA version of a driver that loads it, 1000 · major + 10 · minor.
    pub(crate) min_cuda: u32,
    /// File of the deflated modules.
    pub(crate) pack: String,
    /// The modules.
    pub(crate) modules: Vec<Module>,
}

/// One compiled unit.
#[derive(Debug, Deserialize)]
pub(crate) struct Module {
    /// The unit's name: `featurize`, `gemm_bf16`.
    pub(crate) unit: String,
    offset: usize,
    packed_bytes: usize,
    bytes: usize,
    /// The kernels.
    pub(crate) entries: Vec<Entry>,
}

/// One kernel.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    /// The symbol.
    pub(crate) name: String,
    /// Bytes of its parameter struct.
    pub(crate) param_bytes: usize,
    /// Threads of a block.
    pub(crate) threads: u32,
    /// Dynamic shared memory of a block; featurize adds 4 bytes a column of x.
    pub(crate) dynamic_shared_bytes: u32,
}

const MANIFEST: &str = include_str!("../../../kernels/artifacts/manifest.json");

macro_rules! packs {
    ($($name:literal),* $(,)?) => {
        const PACKS: &[(&str, &[u8])] =
            &[$(($name, include_bytes!(concat!("../../../kernels/artifacts/", $name)))),*];
    };
}
packs!(
    "sm_80.pack",
    "sm_86.pack",
    "sm_89.pack",
    "sm_90.pack",
    "sm_100.pack",
    "sm_120.pack",
    "compute_100.pack",
    "compute_80.pack",
);

/// The manifest; an error text when it cannot be read, which a test rules out.
pub(crate) fn manifest() -> Result<&'static Manifest, String> {
    static PARSED: OnceLock<Result<Manifest, String>> = OnceLock::new();
    PARSED
        .get_or_init(|| serde_json::from_str(MANIFEST).map_err(|e| format!("kernel manifest: {e}")))
        .as_ref()
        .map_err(Clone::clone)
}

impl Manifest {
    /// Targets that a GPU of this compute capability can run under a driver of this CUDA version, best first: its
    /// own machine code, machine code of the same major version, PTX.
    pub(crate) fn loadable(&self, capability: u32, cuda: u32) -> Vec<&Target> {
        let mut found: Vec<&Target> = self
            .targets
            .iter()
            .filter(|target| target.min_cuda <= cuda && target.capability <= capability)
            .filter(|target| target.is_ptx || target.capability / 10 == capability / 10)
            .collect();
        found.sort_by_key(|target| (target.is_ptx, std::cmp::Reverse(target.capability)));
        found
    }
}

impl Target {
    /// What it is to a GPU of this compute capability, for people.
    pub(crate) fn describe(&self, capability: u32) -> String {
        let kind = match (self.is_ptx, self.capability == capability) {
            (true, _) => "PTX, compiled by the driver",
            (false, true) => "exact cubin",
            (false, false) => "compatible cubin",
        };
        format!("{} ({kind}; {})", self.target, self.compiler)
    }

    /// The module of a unit.
    pub(crate) fn module(&self, unit: &str) -> Result<&Module, String> {
        let found = self.modules.iter().find(|module| module.unit == unit);
        found.ok_or_else(|| format!("no module {unit} for {}", self.target))
    }

    /// A kernel and the unit it is in.
    #[cfg(test)]
    pub(crate) fn entry(&self, name: &str) -> Result<(&Module, &Entry), String> {
        let found = self
            .modules
            .iter()
            .find_map(|module| Some((module, module.entries.iter().find(|entry| entry.name == name)?)));
        found.ok_or_else(|| format!("no kernel {name} for {}", self.target))
    }

    /// A module's machine code, or its PTX.
    pub(crate) fn inflate(&self, module: &Module) -> Result<Vec<u8>, String> {
        let broken = || format!("{}: module {} is damaged", self.pack, module.unit);
        let (_, pack) = PACKS.iter().find(|(name, _)| *name == self.pack).ok_or_else(broken)?;
        let end = module.offset.checked_add(module.packed_bytes).ok_or_else(broken)?;
        let packed = pack.get(module.offset..end).ok_or_else(broken)?;
        let mut bytes = Vec::with_capacity(module.bytes);
        flate2::read::DeflateDecoder::new(packed).read_to_end(&mut bytes).map_err(|_| broken())?;
        if bytes.len() == module.bytes { Ok(bytes) } else { Err(broken()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(capability: u32, cuda: u32) -> Vec<String> {
        let manifest = manifest().expect("the manifest parses");
        manifest.loadable(capability, cuda).iter().map(|target| target.target.clone()).collect()
    }

    #[test]
    fn every_module_inflates() {
        for target in &manifest().expect("the manifest parses").targets {
            for module in &target.modules {
                let bytes = target.inflate(module).expect("an intact module");
                let magic: &[u8] = if target.is_ptx { b"//" } else { b"\x7fELF" };
                assert!(bytes.trim_ascii_start().starts_with(magic), "{} {}", target.target, module.unit);
            }
        }
    }

    #[test]
    fn own_machine_code_first_then_compatible_then_ptx() {
        assert_eq!(order(90, 12_000), ["sm_90", "compute_80"]);
        assert_eq!(order(89, 13_000), ["sm_89", "sm_86", "sm_80", "compute_80"]);
        assert_eq!(order(87, 12_020), ["sm_86", "sm_80", "compute_80"]);
        assert_eq!(order(103, 13_000), ["sm_100", "compute_100", "compute_80"]);
        // A driver that is too old for the newer compiler's output still has the older PTX.
        assert_eq!(order(120, 12_080), ["compute_80"]);
        assert_eq!(order(130, 14_000), ["compute_100", "compute_80"]);
        assert!(order(75, 13_000).is_empty(), "older than any target");
        assert!(order(80, 11_080).is_empty(), "a driver older than any compiler");
    }

    #[test]
    fn every_target_has_the_same_kernels() {
        let manifest = manifest().expect("the manifest parses");
        let names = |target: &Target| -> Vec<String> {
            let entries = target.modules.iter().flat_map(|module| &module.entries);
            entries.map(|entry| entry.name.clone()).collect()
        };
        for target in &manifest.targets {
            assert_eq!(names(target), names(&manifest.targets[0]), "{}", target.target);
        }
    }
}
