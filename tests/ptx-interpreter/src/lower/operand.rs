//! Operands: registers, constants, special registers and addresses.

use super::mods::unsupported;
use super::{Builder, Scope, Slot, Var};
use crate::error::Result;
use crate::fault::Space;
use crate::isa::{Addr, D, P, Pred, Preset, Reg, Special, W};
use crate::syntax::{Arg, Statement, Ty};

impl Builder<'_> {
    pub(super) fn declare(&mut self, ty: Ty, name: &str, count: Option<u32>) -> Result<()> {
        let slot = match count {
            Some(count) => Slot::Range { ty, count },
            None => self.fresh(ty)?,
        };
        self.scope().widths.insert(name.to_string(), ty.bits());
        self.scope().slots.insert(name.to_string(), slot);
        Ok(())
    }

    fn fresh(&mut self, ty: Ty) -> Result<Slot> {
        Ok(match ty.bits() {
            1 => Slot::Pred(self.fresh_pred()),
            8 | 16 | 32 => Slot::Data(Reg::W(self.fresh_word())),
            64 => Slot::Data(Reg::D(self.fresh_double())),
            _ => return Err(crate::error::Error::syntax(0, "128-bit registers are not implemented")),
        })
    }

    pub(super) fn fresh_word(&mut self) -> W {
        self.words += 1;
        W((self.words - 1) as u16)
    }

    pub(super) fn fresh_double(&mut self) -> D {
        self.doubles += 1;
        D((self.doubles - 1) as u16)
    }

    pub(super) fn fresh_pred(&mut self) -> P {
        self.preds += 1;
        P((self.preds - 1) as u16)
    }

    fn slot(&mut self, name: &str) -> Result<Option<Slot>> {
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (prefix, number) = name.split_at(name.len() - digits);
        for i in (0..self.scopes.len()).rev() {
            let Scope { slots, .. } = &self.scopes[i];
            match slots.get(name) {
                Some(Slot::Range { .. }) | None => {}
                Some(s) => return Ok(Some(*s)),
            }
            if let (Some(Slot::Range { ty, count }), Ok(n)) =
                (slots.get(prefix).copied(), number.parse::<u32>())
                && n < count
            {
                let s = self.fresh(ty)?;
                self.scopes[i].slots.insert(name.to_string(), s);
                return Ok(Some(s));
            }
        }
        Ok(None)
    }

    /// Width of the register that an operand names, as declared.
    pub(super) fn declared_bits(&self, arg: &Arg) -> Option<u32> {
        let Arg::Name(name) = arg else { return None };
        let prefix = name.trim_end_matches(|c: char| c.is_ascii_digit());
        self.scopes.iter().rev().find_map(|s| match (s.slots.get(prefix), s.widths.get(name)) {
            (_, Some(bits)) => Some(*bits),
            (Some(Slot::Range { ty, .. }), None) => Some(ty.bits()),
            _ => None,
        })
    }

    pub(super) fn const_w(&mut self, value: u32) -> W {
        if let Some(r) = self.word_consts.get(&value) {
            return *r;
        }
        let r = self.fresh_word();
        self.presets.push(Preset::Word(r, value));
        self.word_consts.insert(value, r);
        r
    }

    pub(super) fn const_d(&mut self, value: u64) -> D {
        if let Some(r) = self.double_consts.get(&value) {
            return *r;
        }
        let r = self.fresh_double();
        self.presets.push(Preset::Double(r, value));
        self.double_consts.insert(value, r);
        r
    }

    pub(super) fn const_p(&mut self, value: bool) -> P {
        if let Some(r) = self.pred_consts.get(&value) {
            return *r;
        }
        let r = self.fresh_pred();
        self.presets.push(Preset::Predicate(r, value));
        self.pred_consts.insert(value, r);
        r
    }

    fn special(&mut self, s: Special, wide: bool) -> Reg {
        if let Some(r) = self.specials.get(&s) {
            return *r;
        }
        let r = if wide { Reg::D(self.fresh_double()) } else { Reg::W(self.fresh_word()) };
        self.presets.push(Preset::Special(r, s));
        self.specials.insert(s, r);
        r
    }

    pub(super) fn var(&self, name: &str) -> Option<Var> {
        let local = self.scopes.iter().rev().find_map(|s| s.vars.get(name));
        local.or_else(|| self.module_vars.get(name)).copied()
    }

    /// Any source operand of the word or double bank; `bits` says how wide an immediate is.
    pub(super) fn any(&mut self, st: &Statement, arg: &Arg, bits: u32) -> Result<Reg> {
        let constant = |b: &mut Self, v: u64| {
            if bits == 64 {
                Reg::D(b.const_d(v))
            } else {
                let mask = if bits >= 32 { u32::MAX } else { (1 << bits) - 1 };
                Reg::W(b.const_w(v as u32 & mask))
            }
        };
        match arg {
            Arg::Int(i) => Ok(constant(self, *i as u64)),
            Arg::F32(b) => Ok(constant(self, u64::from(*b))),
            Arg::F64(b) if bits == 64 => Ok(constant(self, *b)),
            Arg::F64(b) if bits == 32 => Ok(constant(self, u64::from((f64::from_bits(*b) as f32).to_bits()))),
            Arg::Name(name) => match self.slot(name)? {
                Some(Slot::Data(r)) => Ok(r),
                Some(_) => Err(unsupported(st, format!("`{name}` is a predicate, expected a value"))),
                None => self.named(st, name, 0, bits),
            },
            Arg::Offset(name, offset) => self.named(st, name, *offset, bits),
            _ => Err(unsupported(st, format!("operand {arg:?} in the place of a value"))),
        }
    }

    /// A special register or the address of a variable.
    fn named(&mut self, st: &Statement, name: &str, offset: i64, bits: u32) -> Result<Reg> {
        if name == "_" {
            // A sink: written, never read.
            return Ok(if bits == 64 { Reg::D(self.fresh_double()) } else { Reg::W(self.fresh_word()) });
        }
        if name == "WARP_SZ" {
            return Ok(Reg::W(self.const_w(32)));
        }
        if let Some(s) = special_register(name) {
            return Ok(self.special(s, false));
        }
        if let Some(value) = fixed_register(name) {
            return Ok(if bits == 64 {
                Reg::D(self.const_d(value))
            } else {
                Reg::W(self.const_w(value as u32))
            });
        }
        match self.var(name) {
            Some(Var::At { offset: at, .. }) => {
                let at = at.wrapping_add(offset as u64);
                Ok(if bits == 64 { Reg::D(self.const_d(at)) } else { Reg::W(self.const_w(at as u32)) })
            }
            Some(Var::Special(s @ Special::GlobalVar(_))) if offset == 0 => Ok(self.special(s, true)),
            Some(Var::Special(Special::DynamicShared)) if offset == 0 => {
                if bits == 64 {
                    // The 64-bit form of the same offset gets its own register.
                    let r = Reg::D(self.fresh_double());
                    self.presets.push(Preset::Special(r, Special::DynamicShared));
                    return Ok(r);
                }
                Ok(self.special(Special::DynamicShared, false))
            }
            _ => Err(unsupported(st, format!("unknown name `{name}`"))),
        }
    }

    /// A word operand (8, 16 or 32 bits).
    pub(super) fn word(&mut self, st: &Statement, arg: &Arg) -> Result<W> {
        self.sized_word(st, arg, 32)
    }

    /// A word operand whose immediates have `bits` bits.
    pub(super) fn sized_word(&mut self, st: &Statement, arg: &Arg, bits: u32) -> Result<W> {
        match self.any(st, arg, bits)? {
            Reg::W(w) => Ok(w),
            Reg::D(_) => Err(unsupported(st, format!("operand {arg:?} has 64 bits, expected at most 32"))),
        }
    }

    /// A 64-bit operand.
    pub(super) fn double(&mut self, st: &Statement, arg: &Arg) -> Result<D> {
        match self.any(st, arg, 64)? {
            Reg::D(d) => Ok(d),
            Reg::W(_) => Err(unsupported(st, format!("operand {arg:?} has at most 32 bits, expected 64"))),
        }
    }

    /// A predicate operand.
    pub(super) fn pred(&mut self, st: &Statement, arg: &Arg) -> Result<Pred> {
        match arg {
            Arg::Not(inner) => {
                let p = self.pred(st, inner)?;
                Ok(Pred { negated: !p.negated, ..p })
            }
            Arg::Int(i) => Ok(Pred { reg: self.const_p(*i != 0), negated: false }),
            Arg::Name(name) if name == "_" => Ok(Pred { reg: self.fresh_pred(), negated: false }),
            Arg::Name(name) => match self.slot(name)? {
                Some(Slot::Pred(reg)) => Ok(Pred { reg, negated: false }),
                _ => Err(unsupported(st, format!("`{name}` is not a predicate"))),
            },
            _ => Err(unsupported(st, format!("operand {arg:?} in the place of a predicate"))),
        }
    }

    /// A predicate that is written.
    pub(super) fn pred_dst(&mut self, st: &Statement, arg: &Arg) -> Result<P> {
        self.pred(st, arg).map(|p| p.reg)
    }

    pub(super) fn arg<'s>(&self, st: &'s Statement, i: usize) -> Result<&'s Arg> {
        st.args.get(i).ok_or_else(|| unsupported(st, format!("operand {i} is missing")))
    }

    /// Checks the number of operands.
    pub(super) fn arity(&self, st: &Statement, allowed: std::ops::RangeInclusive<usize>) -> Result<()> {
        if allowed.contains(&st.args.len()) {
            return Ok(());
        }
        Err(unsupported(st, format!("expected {allowed:?} operands, found {}", st.args.len())))
    }

    /// `[base + offset]`, with the space of the variable where the base names one.
    pub(super) fn address(&mut self, st: &Statement, arg: &Arg) -> Result<(Addr, Option<Space>)> {
        let Arg::Mem { base, offset, .. } = arg else {
            return Err(unsupported(st, format!("expected an address, found {arg:?}")));
        };
        let (mut space, mut bits) = (None, 64);
        if let Arg::Name(name) = &**base {
            match self.var(name) {
                Some(Var::At { space: s, .. }) => (space, bits) = (Some(s), 32),
                Some(Var::Special(Special::DynamicShared)) => (space, bits) = (Some(Space::Shared), 32),
                Some(Var::Special(_)) => space = Some(Space::Global),
                None => {}
            }
        }
        let base = self.any(st, base, bits)?;
        Ok((Addr { base, offset: *offset }, space))
    }
}

/// Special registers that differ between threads, blocks or launches.
fn special_register(name: &str) -> Option<Special> {
    let axis = |c: &str| ["x", "y", "z"].iter().position(|a| *a == c).map(|i| i as u8);
    let (stem, part) = name.split_once('.').unwrap_or((name, ""));
    Some(match stem {
        "%tid" => Special::Tid(axis(part)?),
        "%ntid" => Special::Ntid(axis(part)?),
        "%ctaid" | "%clusterid" => Special::Ctaid(axis(part)?),
        "%nctaid" | "%nclusterid" => Special::Nctaid(axis(part)?),
        "%laneid" => Special::LaneId,
        "%warpid" => Special::WarpId,
        "%nwarpid" => Special::NumWarps,
        "%lanemask_eq" => Special::LaneMaskEq,
        "%lanemask_lt" => Special::LaneMaskLt,
        "%lanemask_le" => Special::LaneMaskLe,
        "%lanemask_gt" => Special::LaneMaskGt,
        "%lanemask_ge" => Special::LaneMaskGe,
        "%dynamic_smem_size" => Special::DynamicSharedBytes,
        "%total_smem_size" => Special::TotalSharedBytes,
        _ => return None,
    })
}

/// Special registers with one value here: one multiprocessor, clusters of one block.
fn fixed_register(name: &str) -> Option<u64> {
    let stem = name.split('.').next().unwrap_or(name);
    Some(match stem {
        "%smid" | "%gridid" | "%cluster_ctaid" | "%cluster_ctarank" | "%is_explicit_cluster" => 0,
        "%nsmid" | "%cluster_nctaid" | "%cluster_nctarank" => 1,
        _ => return None,
    })
}
