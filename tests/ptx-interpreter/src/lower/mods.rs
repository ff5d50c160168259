//! Modifiers of one opcode. Every modifier must be consumed by somebody: a leftover is an error that names it.

use crate::error::{Error, Result};
use crate::float::Round;
use crate::isa::{Scope, Sem};
use crate::syntax::{Statement, Ty};

pub(super) struct Mods<'a> {
    st: &'a Statement,
    parts: Vec<&'a str>,
    used: u64,
}

impl<'a> Mods<'a> {
    /// Splits `ld.global.v4.u32` into its base opcode and its modifiers.
    pub(super) fn new(st: &'a Statement) -> (&'a str, Self) {
        let mut parts = st.op.split('.');
        let base = parts.next().unwrap_or("");
        (base, Self { st, parts: parts.collect(), used: 0 })
    }

    /// Consumes a modifier if it is there.
    pub(super) fn has(&mut self, name: &str) -> bool {
        match self.find(|p| p == name) {
            Some(i) => {
                self.used |= 1 << i;
                true
            }
            None => false,
        }
    }

    fn find(&self, f: impl Fn(&str) -> bool) -> Option<usize> {
        (0..self.parts.len()).find(|&i| self.used >> i & 1 == 0 && f(self.parts[i]))
    }

    /// Consumes the first modifier of a table.
    pub(super) fn pick<T: Copy>(&mut self, table: &[(&str, T)]) -> Option<T> {
        for &(name, value) in table {
            if self.has(name) {
                return Some(value);
            }
        }
        None
    }

    /// Consumes the first modifier of a table, which must be there.
    pub(super) fn need<T: Copy>(&mut self, table: &[(&str, T)]) -> Result<T> {
        self.pick(table).ok_or_else(|| {
            let names: Vec<_> = table.iter().map(|t| t.0).collect();
            self.bad(format!("expected one of .{}", names.join(", .")))
        })
    }

    /// Consumes the modifiers that are not types up to the first type, by a predicate.
    pub(super) fn skip_where(&mut self, f: impl Fn(&str) -> bool) {
        while let Some(i) = self.find(&f) {
            self.used |= 1 << i;
        }
    }

    /// Consumes all types, in order.
    pub(super) fn types(&mut self) -> Vec<Ty> {
        let mut out = Vec::new();
        for (i, p) in self.parts.iter().enumerate() {
            if self.used >> i & 1 == 0
                && let Some(ty) = Ty::parse(p)
            {
                self.used |= 1 << i;
                out.push(ty);
            }
        }
        out
    }

    /// Consumes the only type.
    pub(super) fn ty(&mut self) -> Result<Ty> {
        match self.types()[..] {
            [ty] => Ok(ty),
            _ => Err(self.bad("expected one type")),
        }
    }

    /// `.rn`, `.rz`, `.rm`, `.rp`; to nearest if none.
    pub(super) fn round(&mut self) -> Round {
        self.pick(&[
            ("rn", Round::Nearest),
            ("rz", Round::Zero),
            ("rm", Round::Down),
            ("rp", Round::Up),
            ("rna", Round::NearestAway),
        ])
        .unwrap_or(Round::Nearest)
    }

    pub(super) fn sem(&mut self) -> Option<Sem> {
        self.pick(&[
            ("weak", Sem::Weak),
            ("relaxed", Sem::Relaxed),
            ("acquire", Sem::Acquire),
            ("release", Sem::Release),
            ("acq_rel", Sem::AcqRel),
            ("sc", Sem::SeqCst),
        ])
    }

    pub(super) fn scope(&mut self) -> Option<Scope> {
        self.pick(&[
            ("cta", Scope::Cta),
            ("cluster", Scope::Cluster),
            ("gpu", Scope::Gpu),
            ("sys", Scope::Sys),
        ])
    }

    /// Fails if a modifier was not consumed.
    pub(super) fn done(&self) -> Result<()> {
        match self.find(|_| true) {
            Some(i) => Err(self.bad(format!("modifier `.{}` is not implemented here", self.parts[i]))),
            None => Ok(()),
        }
    }

    pub(super) fn bad(&self, why: impl Into<String>) -> Error {
        unsupported(self.st, why)
    }
}

pub(super) fn unsupported(st: &Statement, why: impl Into<String>) -> Error {
    Error::Unsupported { line: st.line, instruction: st.op.clone(), why: why.into() }
}
