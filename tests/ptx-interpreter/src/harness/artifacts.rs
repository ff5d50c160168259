//! Kernels as they ship: the manifest and the packs that `cargo xtask kernels` writes.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::launch::Launch;
use super::module::Module;
use crate::error::{Error, Result};

/// What the interpreter reads of the manifest.
#[derive(Deserialize)]
struct Manifest {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    target: String,
    is_ptx: bool,
    pack: String,
    modules: Vec<Packed>,
}

#[derive(Deserialize)]
struct Packed {
    unit: String,
    offset: usize,
    packed_bytes: usize,
    bytes: usize,
    entries: Vec<EntryInfo>,
}

/// What a launch of an entry needs, as the manifest states it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct EntryInfo {
    /// The symbol.
    pub name: String,
    /// Bytes of its parameters.
    pub param_bytes: usize,
    /// Threads of a block.
    pub threads: u32,
    /// Bytes of dynamic shared memory that the manifest states; some entries need more, depending on the problem.
    pub dynamic_shared_bytes: usize,
}

/// The kernels of one target.
#[derive(Debug)]
pub struct Kernels {
    modules: Vec<Module>,
    entries: BTreeMap<String, (usize, EntryInfo)>,
}

fn bad(what: impl std::fmt::Display) -> Error {
    Error::Manifest(what.to_string())
}

impl Kernels {
    /// Loads the PTX of `target` (as `compute_80`) from a folder with `manifest.json` and its packs.
    ///
    /// # Errors
    /// If a file is missing or malformed, the target is absent or holds machine code, or its PTX cannot be parsed.
    pub fn open(folder: &Path, target: &str) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|e| bad(format!("cannot read {}: {e}", path.display())))
        };
        let manifest: Manifest = serde_json::from_slice(&read("manifest.json")?).map_err(bad)?;
        let found = manifest.targets.iter().find(|t| t.target == target && t.is_ptx);
        let found = found.ok_or_else(|| {
            let names: Vec<_> = manifest.targets.iter().filter(|t| t.is_ptx).map(|t| &t.target).collect();
            bad(format!("no PTX for target `{target}`; there is PTX for {names:?}"))
        })?;
        let pack = read(&found.pack)?;
        let (mut modules, mut entries) = (Vec::new(), BTreeMap::new());
        for m in &found.modules {
            let module = Module::parse(&unpack(&pack, m)?)?;
            for e in &m.entries {
                entries.insert(e.name.clone(), (modules.len(), e.clone()));
            }
            modules.push(module);
        }
        Ok(Self { modules, entries })
    }

    /// All entries, by name.
    pub fn entries(&self) -> impl Iterator<Item = &EntryInfo> {
        self.entries.values().map(|(_, info)| info)
    }

    /// What the manifest says of an entry.
    ///
    /// # Errors
    /// If there is no such entry.
    pub fn entry(&self, name: &str) -> Result<&EntryInfo> {
        self.find(name).map(|(_, info)| info)
    }

    /// A launch of an entry with the block size and the dynamic shared memory of the manifest; grid and arguments are
    /// for the caller to set.
    ///
    /// # Errors
    /// If there is no such entry.
    pub fn launch(&self, name: &str) -> Result<Launch<'_>> {
        let (module, info) = self.find(name)?;
        Ok(Launch::new(module, name).block([info.threads, 1, 1]).shared(info.dynamic_shared_bytes))
    }

    /// The module that holds an entry.
    ///
    /// # Errors
    /// If there is no such entry.
    pub fn module(&self, name: &str) -> Result<&Module> {
        self.find(name).map(|(module, _)| module)
    }

    fn find(&self, name: &str) -> Result<(&Module, &EntryInfo)> {
        let (i, info) = self.entries.get(name).ok_or_else(|| bad(format!("no entry `{name}`")))?;
        Ok((&self.modules[*i], info))
    }
}

/// Inflates one module of a pack.
fn unpack(pack: &[u8], m: &Packed) -> Result<String> {
    let end = m.offset.checked_add(m.packed_bytes);
    let packed = end.and_then(|end| pack.get(m.offset..end));
    let packed = packed.ok_or_else(|| bad(format!("unit `{}` lies outside its pack", m.unit)))?;
    let mut text = String::new();
    let limit = m.bytes as u64 + 1;
    let inflated = flate2::read::DeflateDecoder::new(packed).take(limit).read_to_string(&mut text);
    inflated.map_err(|e| bad(format!("unit `{}`: {e}", m.unit)))?;
    if text.len() != m.bytes {
        return Err(bad(format!("unit `{}` has {} bytes, expected {}", m.unit, text.len(), m.bytes)));
    }
    // Loaders want a terminated string; the parser does not.
    text.truncate(text.trim_end_matches('\0').len());
    Ok(text)
}
