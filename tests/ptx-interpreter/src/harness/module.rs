//! Parsed modules.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::isa::Program;
use crate::lower::lower;
use crate::syntax;

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// A parsed PTX module. Entries are decoded when first launched.
pub struct Module {
    /// Tells modules apart, so that each keeps its own variables on a device.
    pub(super) id: u64,
    text: String,
    tree: syntax::Module,
    programs: Mutex<BTreeMap<String, Arc<Program>>>,
}

impl Module {
    /// Parses PTX text.
    ///
    /// # Errors
    /// If the text is not PTX as this crate reads it.
    pub fn parse(ptx: &str) -> Result<Self> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, text: ptx.to_string(), tree: syntax::parse(ptx)?, programs: Mutex::default() })
    }

    /// The text that was parsed, to change and parse again in a test that plants a fault.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of the entries, in the order of the text.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.tree.functions.iter().filter(|f| f.entry).map(|f| f.name.as_str())
    }

    /// The `.target` line.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.tree.target
    }

    /// The `.version` line.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.tree.version
    }

    /// Decodes an entry, which checks that every instruction is implemented.
    ///
    /// # Errors
    /// If the entry does not exist or contains an unknown instruction.
    pub fn check(&self, entry: &str) -> Result<()> {
        self.program(entry).map(|_| ())
    }

    /// Bytes of an entry's parameters, from the first to the end of the last.
    ///
    /// # Errors
    /// If the entry does not exist or contains an unknown instruction.
    pub fn param_bytes(&self, entry: &str) -> Result<usize> {
        self.program(entry).map(|program| program.param_bytes)
    }

    pub(super) fn program(&self, entry: &str) -> Result<Arc<Program>> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(p) = programs.get(entry) {
            return Ok(p.clone());
        }
        let p = Arc::new(lower(&self.tree, entry)?);
        programs.insert(entry.to_string(), p.clone());
        Ok(p)
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("entries", &self.entries().collect::<Vec<_>>()).finish()
    }
}
