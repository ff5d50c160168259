//! Shadow of memory words: last writer and two of the readers since, with the check for races.
//!
//! Two readers suffice for block-wide barriers: if any reader is not ordered before a write, then one of two readers
//! from different warps is not. Words that are accessed in parts are tracked byte by byte from then on.

use super::clock::Clock;
use crate::fault::Hazard;

/// Packed access record: valid, pending, atomic, instruction (20), thread (10), time (30).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rec(u64);

const VALID: u64 = 1;
const PENDING: u64 = 2;
const ATOMIC: u64 = 4;

impl Rec {
    #[inline]
    fn new(time: u32, thread: u32, pc: u32, flags: u64) -> Self {
        Self(
            VALID
                | flags
                | u64::from(time) << 34
                | u64::from(thread & 1023) << 24
                | u64::from(pc & 0xf_ffff) << 4,
        )
    }

    #[inline]
    fn is(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    #[inline]
    pub(crate) fn time(self) -> u32 {
        (self.0 >> 34) as u32
    }

    #[inline]
    pub(crate) fn thread(self) -> u32 {
        (self.0 >> 24) as u32 & 1023
    }

    pub(crate) fn pc(self) -> u32 {
        (self.0 >> 4) as u32 & 0xf_ffff
    }
}

/// Who accesses, and what that warp knows.
#[derive(Clone, Copy)]
pub(crate) struct Actor<'a> {
    pub(crate) block: u32,
    /// Linear index in the block.
    pub(crate) thread: u32,
    pub(crate) pc: u32,
    /// The warp's time now.
    pub(crate) time: u32,
    /// The warp's time at the last synchronisation of its lanes.
    pub(crate) lanes_synced: u32,
    pub(crate) clock: &'a Clock,
    /// An atomic operation or a strong load or store.
    pub(crate) atomic: bool,
}

impl Actor<'_> {
    /// Whether the recorded access happened before this one.
    #[inline]
    fn after<O: Owner>(&self, rec: Rec, owner: O) -> bool {
        let (thread, time) = (rec.thread(), rec.time());
        let warp = (thread >> 5) as usize;
        if !owner.own(self.block) {
            return self.clock.covers_remote(owner.block(self.block), warp, time);
        }
        if thread == self.thread {
            return true;
        }
        if thread >> 5 == self.thread >> 5 {
            time < self.lanes_synced
        } else {
            self.clock.local[warp] >= time
        }
    }

    #[inline]
    fn rec(&self, flags: u64) -> Rec {
        Rec::new(self.time, self.thread, self.pc, flags | if self.atomic { ATOMIC } else { 0 })
    }
}

/// Block of a record. Shared memory has only one.
pub(crate) trait Owner: Copy + Default {
    fn of(block: u32) -> Self;
    fn own(self, me: u32) -> bool;
    fn block(self, me: u32) -> u32;
}

impl Owner for () {
    fn of(_: u32) -> Self {}
    fn own(self, _: u32) -> bool {
        true
    }
    fn block(self, me: u32) -> u32 {
        me
    }
}

impl Owner for u32 {
    fn of(block: u32) -> Self {
        block
    }
    fn own(self, me: u32) -> bool {
        self == me
    }
    fn block(self, _: u32) -> u32 {
        self
    }
}

/// Why an access is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    Poison,
    Pending(Rec),
    Race { hazard: Hazard, rec: Rec, block: u32 },
}

#[derive(Clone, Copy, Default)]
struct Cell<O> {
    w: Rec,
    r: [Rec; 2],
    w_owner: O,
    r_owner: [O; 2],
}

impl<O: Owner> Cell<O> {
    #[inline]
    fn read(&mut self, a: &Actor<'_>) -> Result<(), Conflict> {
        if self.w.is(VALID) {
            if self.w.is(PENDING) {
                return Err(Conflict::Pending(self.w));
            }
            let both_atomic = a.atomic && self.w.is(ATOMIC);
            if !both_atomic && !a.after(self.w, self.w_owner) {
                return Err(self.race(Hazard::ReadAfterWrite, self.w, self.w_owner, a));
            }
        }
        let rec = a.rec(0);
        for i in 0..2 {
            if !self.r[i].is(VALID) || a.after(self.r[i], self.r_owner[i]) {
                self.r[i] = rec;
                self.r_owner[i] = O::of(a.block);
                return Ok(());
            }
        }
        // Two concurrent readers are known. Keep two different warps among them.
        let warp = |r: Rec| r.thread() >> 5;
        if warp(self.r[0]) == warp(self.r[1]) && warp(rec) != warp(self.r[1]) {
            self.r[1] = rec;
            self.r_owner[1] = O::of(a.block);
        }
        Ok(())
    }

    #[inline]
    fn write(&mut self, a: &Actor<'_>, flags: u64) -> Result<(), Conflict> {
        if self.w.is(VALID) {
            if self.w.is(PENDING) {
                return Err(Conflict::Pending(self.w));
            }
            let both_atomic = a.atomic && self.w.is(ATOMIC);
            if !both_atomic && !a.after(self.w, self.w_owner) {
                return Err(self.race(Hazard::WriteAfterWrite, self.w, self.w_owner, a));
            }
        }
        for i in 0..2 {
            let r = self.r[i];
            if r.is(VALID) && !(a.atomic && r.is(ATOMIC)) && !a.after(r, self.r_owner[i]) {
                return Err(self.race(Hazard::WriteAfterRead, r, self.r_owner[i], a));
            }
        }
        *self = Self { w: a.rec(flags), w_owner: O::of(a.block), ..Self::default() };
        Ok(())
    }

    #[cold]
    fn race(&self, hazard: Hazard, rec: Rec, owner: O, a: &Actor<'_>) -> Conflict {
        Conflict::Race { hazard, rec, block: owner.block(a.block) }
    }
}

/// Shadow of a range of words.
pub(crate) struct Shadow<O> {
    cells: Vec<Cell<O>>,
    /// For each word that is tracked by bytes, one more than its index in `bytes`.
    parts: Vec<u32>,
    bytes: Vec<[Cell<O>; 4]>,
}

impl<O: Owner> Shadow<O> {
    pub(crate) fn new(words: usize) -> Self {
        Self { cells: vec![Cell::default(); words], parts: Vec::new(), bytes: Vec::new() }
    }

    pub(crate) fn reset(&mut self) {
        self.cells.fill(Cell::default());
        self.parts.clear();
        self.bytes.clear();
    }

    /// The byte cells of a word, made from the word's cell on first use.
    #[cold]
    fn split(&mut self, word: usize) -> &mut [Cell<O>; 4] {
        if self.parts.is_empty() {
            self.parts = vec![0; self.cells.len()];
        }
        if self.parts[word] == 0 {
            self.bytes.push([self.cells[word]; 4]);
            self.parts[word] = self.bytes.len() as u32;
        }
        &mut self.bytes[self.parts[word] as usize - 1]
    }

    #[inline]
    fn whole(&self, word: usize, mask: u8) -> bool {
        mask == 0xf && (self.parts.is_empty() || self.parts[word] == 0)
    }

    #[inline]
    fn each(
        &mut self,
        word: usize,
        mask: u8,
        mut f: impl FnMut(&mut Cell<O>) -> Result<(), Conflict>,
    ) -> Result<(), Conflict> {
        if self.whole(word, mask) {
            return f(&mut self.cells[word]);
        }
        for (i, cell) in self.split(word).iter_mut().enumerate() {
            if mask >> i & 1 == 1 {
                f(cell)?;
            }
        }
        Ok(())
    }

    /// A read of the bytes in `mask`; with `poison`, bytes that nobody wrote are an error.
    #[inline]
    pub(crate) fn read(
        &mut self,
        word: usize,
        mask: u8,
        a: &Actor<'_>,
        poison: bool,
    ) -> Result<(), Conflict> {
        self.each(word, mask, |c| if poison && !c.w.is(VALID) { Err(Conflict::Poison) } else { c.read(a) })
    }

    #[inline]
    pub(crate) fn write(&mut self, word: usize, mask: u8, a: &Actor<'_>) -> Result<(), Conflict> {
        self.each(word, mask, |c| c.write(a, 0))
    }

    /// The start of an asynchronous copy into a whole word.
    pub(crate) fn begin_copy(&mut self, word: usize, a: &Actor<'_>) -> Result<(), Conflict> {
        self.each(word, 0xf, |c| c.write(a, PENDING))
    }

    /// The copy of a whole word has landed; `a` carries the instruction that started it.
    pub(crate) fn end_copy(&mut self, word: usize, a: &Actor<'_>) {
        let cell = Cell { w: a.rec(0), w_owner: O::of(a.block), ..Cell::default() };
        if self.whole(word, 0xf) {
            self.cells[word] = cell;
        } else {
            *self.split(word) = [cell; 4];
        }
    }
}
