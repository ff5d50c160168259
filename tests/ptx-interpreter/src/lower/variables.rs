//! Where variables lie: shared and local memory, parameters, constants, module memory.

use super::{Builder, Var};
use crate::error::{Error, Result};
use crate::fault::Space;
use crate::isa::{GlobalVar, ParamSlot, Special};
use crate::syntax::{Function, VarSpace, Variable};

impl Builder<'_> {
    /// Places the module's variables and returns the images of the constant and the global ones.
    pub(super) fn module_variables(&mut self) -> Result<(Vec<u8>, Vec<GlobalVar>)> {
        let (mut constants, mut globals) = (Vec::new(), Vec::new());
        for v in &self.module.variables {
            let at = match v.space {
                VarSpace::Const => {
                    constants.resize(usize::next_multiple_of(constants.len(), v.align as usize), 0);
                    let offset = constants.len() as u64;
                    constants.extend(v.init.clone().unwrap_or_else(|| vec![0; v.bytes as usize]));
                    Var::At { space: Space::Const, offset }
                }
                VarSpace::Global => {
                    // A `__device__` variable without an initialiser starts as zero.
                    let bytes = v.init.clone().unwrap_or_else(|| vec![0; v.bytes as usize]);
                    globals.push(GlobalVar { name: v.name.clone(), bytes });
                    Var::Special(Special::GlobalVar((globals.len() - 1) as u16))
                }
                _ => self.shared_variable(v),
            };
            self.module_vars.insert(v.name.clone(), at);
        }
        Ok((constants, globals))
    }

    pub(super) fn shared_variable(&mut self, v: &Variable) -> Var {
        if v.unsized_array {
            self.dynamic_align = self.dynamic_align.max(v.align as usize);
            return Var::Special(Special::DynamicShared);
        }
        let offset = self.shared.next_multiple_of(v.align as usize);
        self.shared = offset + v.bytes as usize;
        Var::At { space: Space::Shared, offset: offset as u64 }
    }

    pub(super) fn entry_params(&mut self, f: &Function) -> Result<(Vec<ParamSlot>, usize)> {
        let (mut at, mut out) = (0usize, Vec::new());
        for p in &f.params {
            let (align, bytes) = (p.align as usize, p.bytes as usize);
            let offset = at.next_multiple_of(align);
            at = offset + bytes;
            out.push(ParamSlot { offset, bytes, align });
            let var = Var::At { space: Space::Param, offset: offset as u64 };
            self.scope().vars.insert(p.name.clone(), var);
        }
        Ok((out, at))
    }

    pub(super) fn body_variable(&mut self, v: &Variable) -> Result<()> {
        let var = match v.space {
            VarSpace::Shared => self.shared_variable(v),
            // A parameter of a call is memory of the thread.
            VarSpace::Local | VarSpace::Param => self.local_variable(v),
            _ => return Err(Error::syntax(v.line, format!("variable `{}` cannot be declared here", v.name))),
        };
        self.scope().vars.insert(v.name.clone(), var);
        Ok(())
    }

    pub(super) fn local_variable(&mut self, v: &Variable) -> Var {
        let offset = self.local.next_multiple_of(v.align as usize);
        self.local = offset + v.bytes as usize;
        Var::At { space: Space::Local, offset: offset as u64 }
    }
}
