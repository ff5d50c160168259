//! Registers of one warp: rows of 32 lanes, each with a mask of the lanes that hold a value.
//!
//! The mask travels with the data: a result is defined where its operands are. Using an undefined value as an
//! address, guard, stored value or matrix fragment is a fault.

use crate::fault::FaultKind;
use crate::isa::{D, P, Pred, Reg, W};

/// Lanes of a warp.
pub(crate) const LANES: usize = 32;
/// One register of all lanes, 32 bits each.
pub(crate) type Row = [u32; LANES];
/// One register of all lanes, 64 bits each.
pub(crate) type Row64 = [u64; LANES];

/// A fault and the lane that caused it.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) lane: u32,
    pub(crate) kind: FaultKind,
}

/// Result of executing.
pub(crate) type Exec<T> = Result<T, Box<Trouble>>;

pub(crate) fn trouble<T>(lane: u32, kind: FaultKind) -> Exec<T> {
    Err(Box::new(Trouble { lane, kind }))
}

/// Lanes of a mask, ascending.
pub(crate) fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        if rest == 0 {
            return None;
        }
        let l = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        Some(l)
    })
}

pub(crate) struct Regs {
    w: Vec<Row>,
    w_ok: Vec<u32>,
    d: Vec<Row64>,
    d_ok: Vec<u32>,
    p: Vec<u32>,
    p_ok: Vec<u32>,
}

impl Regs {
    pub(crate) fn new(words: usize, doubles: usize, preds: usize) -> Self {
        Self {
            w: vec![[0; LANES]; words],
            w_ok: vec![0; words],
            d: vec![[0; LANES]; doubles],
            d_ok: vec![0; doubles],
            p: vec![0; preds],
            p_ok: vec![0; preds],
        }
    }

    /// Makes every register undefined, for the next block.
    pub(crate) fn reset(&mut self) {
        self.w_ok.fill(0);
        self.d_ok.fill(0);
        self.p_ok.fill(0);
    }

    #[inline]
    pub(crate) fn w(&self, r: W) -> &Row {
        &self.w[r.0 as usize]
    }

    #[inline]
    pub(crate) fn w_ok(&self, r: W) -> u32 {
        self.w_ok[r.0 as usize]
    }

    #[inline]
    pub(crate) fn d(&self, r: D) -> &Row64 {
        &self.d[r.0 as usize]
    }

    #[inline]
    pub(crate) fn d_ok(&self, r: D) -> u32 {
        self.d_ok[r.0 as usize]
    }

    #[inline]
    pub(crate) fn ok(&self, r: Reg) -> u32 {
        match r {
            Reg::W(w) => self.w_ok(w),
            Reg::D(d) => self.d_ok(d),
        }
    }

    /// One lane of either bank.
    #[inline]
    pub(crate) fn lane(&self, r: Reg, lane: usize) -> u64 {
        match r {
            Reg::W(w) => u64::from(self.w[w.0 as usize][lane]),
            Reg::D(d) => self.d[d.0 as usize][lane],
        }
    }

    /// Writes the lanes in `m`; the value is defined in the lanes of `ok`.
    #[inline]
    pub(crate) fn put_w(&mut self, d: W, row: &Row, m: u32, ok: u32) {
        let i = d.0 as usize;
        if m == u32::MAX {
            self.w[i] = *row;
            self.w_ok[i] = ok;
            return;
        }
        let old = &mut self.w[i];
        for (l, x) in old.iter_mut().enumerate() {
            *x = if m >> l & 1 == 1 { row[l] } else { *x };
        }
        self.w_ok[i] = (self.w_ok[i] & !m) | (ok & m);
    }

    #[inline]
    pub(crate) fn put_d(&mut self, d: D, row: &Row64, m: u32, ok: u32) {
        let i = d.0 as usize;
        if m == u32::MAX {
            self.d[i] = *row;
            self.d_ok[i] = ok;
            return;
        }
        for (l, x) in self.d[i].iter_mut().enumerate() {
            *x = if m >> l & 1 == 1 { row[l] } else { *x };
        }
        self.d_ok[i] = (self.d_ok[i] & !m) | (ok & m);
    }

    /// Writes one lane of either bank; a word takes the low half.
    #[inline]
    pub(crate) fn put_lane(&mut self, r: Reg, lane: usize, value: u64) {
        match r {
            Reg::W(w) => {
                self.w[w.0 as usize][lane] = value as u32;
                self.w_ok[w.0 as usize] |= 1 << lane;
            }
            Reg::D(d) => {
                self.d[d.0 as usize][lane] = value;
                self.d_ok[d.0 as usize] |= 1 << lane;
            }
        }
    }

    /// Writes a predicate in the lanes of `m`.
    #[inline]
    pub(crate) fn put_p(&mut self, d: P, value: u32, m: u32, ok: u32) {
        let i = d.0 as usize;
        self.p[i] = (self.p[i] & !m) | (value & m);
        self.p_ok[i] = (self.p_ok[i] & !m) | (ok & m);
    }

    #[inline]
    pub(crate) fn p(&self, p: Pred) -> u32 {
        let v = self.p[p.reg.0 as usize];
        if p.negated { !v } else { v }
    }

    #[inline]
    pub(crate) fn p_ok(&self, p: Pred) -> u32 {
        self.p_ok[p.reg.0 as usize]
    }

    /// Fails unless the lanes of `m` are defined.
    #[inline]
    pub(crate) fn require(&self, ok: u32, m: u32, role: &'static str) -> Exec<()> {
        if m & !ok == 0 {
            return Ok(());
        }
        trouble((m & !ok).trailing_zeros(), FaultKind::UninitializedRegister { role })
    }
}
