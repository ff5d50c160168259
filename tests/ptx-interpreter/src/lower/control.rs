//! Branches, returns and calls. A device function is inlined at its call.

use super::mods::{Mods, unsupported};
use super::{Builder, MAX_INLINE_DEPTH, Scope, Var};
use crate::error::Result;
use crate::isa::Op;
use crate::syntax::{Arg, Function, Statement, Variable};

impl Builder<'_> {
    pub(super) fn control(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        m.has("uni");
        match base {
            "bra" => {
                let Arg::Name(name) = self.arg(st, 0)? else { return Err(m.bad("expected a label")) };
                Ok(Op::Bra { target: self.label(st, name)? })
            }
            "brx" => {
                m.need(&[("idx", ())])?;
                self.arity(st, 2..=2)?;
                let index = self.word(st, &st.args[0])?;
                let Arg::Name(table) = &st.args[1] else { return Err(m.bad("expected a table of labels")) };
                let names = self.scopes.iter().rev().find_map(|s| s.tables.get(table)).cloned();
                let names = names.ok_or_else(|| m.bad(format!("no table `{table}`")))?;
                let targets: Result<Box<[_]>> = names.iter().map(|n| self.label(st, n)).collect();
                Ok(Op::BrxIdx { index, targets: targets? })
            }
            "ret" => Ok(match self.return_labels.last() {
                Some(&target) => Op::Bra { target },
                None => Op::Exit,
            }),
            "exit" => Ok(Op::Exit),
            "trap" => Ok(Op::Trap),
            // Hints and waits that only change timing.
            "nanosleep" => {
                m.ty()?;
                Ok(Op::Nop)
            }
            "griddepcontrol" => {
                m.need(&[("launch_dependents", ()), ("wait", ())])?;
                Ok(Op::Nop)
            }
            "setmaxnreg" => {
                m.skip_where(|_| true);
                Ok(Op::Nop)
            }
            "pmevent" | "brkpt" => {
                m.has("mask");
                Ok(Op::Nop)
            }
            _ => Err(m.bad("unknown opcode")),
        }
    }

    /// `call (results), name, (arguments)`: actual and formal parameters share their memory.
    pub(super) fn call(&mut self, st: &Statement, m: &mut Mods<'_>) -> Result<()> {
        m.has("uni");
        m.done()?;
        let mut lists: Vec<&[Arg]> = Vec::new();
        let mut name = None;
        let mut results: &[Arg] = &[];
        for a in &st.args {
            match a {
                Arg::List(l) if name.is_none() => results = l,
                Arg::List(l) => lists.push(l),
                Arg::Name(n) if name.is_none() => name = Some(n),
                _ => return Err(unsupported(st, "an indirect call")),
            }
        }
        let name = name.ok_or_else(|| unsupported(st, "a call without a name"))?;
        let module = self.module;
        let f = module.functions.iter().find(|f| !f.entry && f.name == *name && f.body.is_some());
        let f = f.ok_or_else(|| unsupported(st, format!("function `{name}` has no body")))?;
        if self.return_labels.len() >= MAX_INLINE_DEPTH {
            return Err(unsupported(st, format!("calls nest deeper than {MAX_INLINE_DEPTH}")));
        }
        let actual = lists.first().copied().unwrap_or_default();
        self.inline(st, f, results, actual)
    }

    fn inline(&mut self, st: &Statement, f: &Function, results: &[Arg], actual: &[Arg]) -> Result<()> {
        if results.len() != f.returns.len() || actual.len() != f.params.len() {
            return Err(unsupported(st, format!("`{}` has other parameters than the call", f.name)));
        }
        let mut scope = Scope::default();
        let pairs = f.returns.iter().zip(results).chain(f.params.iter().zip(actual));
        for (formal, actual) in pairs {
            scope.vars.insert(formal.name.clone(), self.actual(st, formal, actual)?);
        }
        let end = self.new_label();
        let saved = std::mem::replace(&mut self.scopes, vec![scope]);
        self.return_labels.push(end);
        let done = self.body(f.body.as_deref().unwrap_or_default());
        self.return_labels.pop();
        self.scopes = saved;
        done?;
        self.place(end);
        Ok(())
    }

    fn actual(&self, st: &Statement, formal: &Variable, actual: &Arg) -> Result<Var> {
        match actual {
            Arg::Name(n) => self
                .var(n)
                .ok_or_else(|| unsupported(st, format!("`{n}` for `{}` is not a parameter", formal.name))),
            _ => Err(unsupported(st, format!("operand {actual:?} for parameter `{}`", formal.name))),
        }
    }
}
