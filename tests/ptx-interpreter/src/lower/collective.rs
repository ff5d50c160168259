//! Instructions that several threads execute together.

use super::Builder;
use super::mods::Mods;
use crate::error::Result;
use crate::isa::{Bar, BarKind, Op, ReduxOp, Reg, Shfl, ShflMode, VoteOp};
use crate::syntax::{Arg, Statement, Ty};

impl Builder<'_> {
    pub(super) fn collective(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        match base {
            "bar" | "barrier" => return self.barrier(base == "bar", st, m),
            "activemask" => {
                m.ty()?;
                self.arity(st, 1..=1)?;
                return Ok(Op::ActiveMask { d: self.word(st, &st.args[0])? });
            }
            _ => {}
        }
        m.need(&[("sync", ())])?;
        match base {
            "shfl" => self.shuffle(st, m),
            "vote" => {
                let op = m.need(&[
                    ("all", VoteOp::All),
                    ("any", VoteOp::Any),
                    ("uni", VoteOp::Uni),
                    ("ballot", VoteOp::Ballot),
                ])?;
                m.ty()?;
                self.arity(st, 3..=3)?;
                let (p, mask) = (self.pred(st, &st.args[1])?, self.word(st, &st.args[2])?);
                if op == VoteOp::Ballot {
                    return Ok(Op::Vote { op, d: Reg::W(self.word(st, &st.args[0])?), pd: None, p, mask });
                }
                let pd = Some(self.pred_dst(st, &st.args[0])?);
                Ok(Op::Vote { op, d: Reg::W(mask), pd, p, mask })
            }
            "match" => {
                let all = m.need(&[("any", false), ("all", true)])?;
                let bits = m.ty()?.bits();
                self.arity(st, 3..=3)?;
                let (d, pd) = self.word_and_pred(st, &st.args[0])?;
                let a = self.any(st, &st.args[1], bits)?;
                Ok(Op::Match { all, d, pd, a, mask: self.word(st, &st.args[2])? })
            }
            "redux" => {
                let name =
                    m.need(&[("add", 0), ("min", 1), ("max", 2), ("and", 3), ("or", 4), ("xor", 5)])?;
                let ty = m.ty()?;
                let op = match (name, ty) {
                    (0, Ty::U32 | Ty::S32) => ReduxOp::Add,
                    (1, Ty::U32) => ReduxOp::MinU,
                    (1, Ty::S32) => ReduxOp::MinS,
                    (2, Ty::U32) => ReduxOp::MaxU,
                    (2, Ty::S32) => ReduxOp::MaxS,
                    (3, Ty::B32) => ReduxOp::And,
                    (4, Ty::B32) => ReduxOp::Or,
                    (5, Ty::B32) => ReduxOp::Xor,
                    _ => return Err(m.bad("type of the reduction")),
                };
                self.arity(st, 3..=3)?;
                let [d, a, mask] = [0, 1, 2].map(|i| self.word(st, &st.args[i]));
                Ok(Op::Redux { op, d: d?, a: a?, mask: mask? })
            }
            _ => {
                self.arity(st, 2..=2)?;
                let (d, p) = self.word_and_pred(st, &st.args[0])?;
                let p = p.ok_or_else(|| m.bad("expected a predicate"))?;
                Ok(Op::Elect { d, p, mask: self.word(st, &st.args[1])? })
            }
        }
    }

    /// `d|p`, where the predicate may be absent.
    fn word_and_pred(&mut self, st: &Statement, arg: &Arg) -> Result<(crate::isa::W, Option<crate::isa::P>)> {
        match arg {
            Arg::Pair(d, p) => Ok((self.word(st, d)?, Some(self.pred_dst(st, p)?))),
            d => Ok((self.word(st, d)?, None)),
        }
    }

    fn shuffle(&mut self, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        let mode = m.need(&[
            ("up", ShflMode::Up),
            ("down", ShflMode::Down),
            ("bfly", ShflMode::Bfly),
            ("idx", ShflMode::Idx),
        ])?;
        m.ty()?;
        self.arity(st, 5..=5)?;
        let (d, p) = self.word_and_pred(st, &st.args[0])?;
        let [a, b, c, mask] = [1, 2, 3, 4].map(|i| self.word(st, &st.args[i]));
        Ok(Op::Shfl(Box::new(Shfl { mode, d, p, a: a?, b: b?, c: c?, mask: mask? })))
    }

    fn barrier(&mut self, short: bool, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        if m.has("warp") {
            m.need(&[("sync", ())])?;
            self.arity(st, 1..=1)?;
            return Ok(Op::WarpSync { mask: self.word(st, &st.args[0])? });
        }
        m.has("cta");
        // `bar` is `barrier.cta` with `.aligned`.
        let aligned = short | m.has("aligned");
        let kind = m.need(&[("sync", BarKind::Sync), ("arrive", BarKind::Arrive), ("red", BarKind::And)])?;
        if kind != BarKind::And {
            self.arity(st, 1..=2)?;
            let id = self.word(st, &st.args[0])?;
            let count = match st.args.get(1) {
                Some(a) => Some(self.word(st, a)?),
                None => None,
            };
            if kind == BarKind::Arrive && count.is_none() {
                return Err(m.bad("an arrival needs a thread count"));
            }
            let bar = Bar { kind, id, count, aligned, src: None, dst_pred: None, dst_word: None };
            return Ok(Op::Bar(Box::new(bar)));
        }
        let kind = m.need(&[("and", BarKind::And), ("or", BarKind::Or), ("popc", BarKind::Popc)])?;
        m.ty()?;
        self.arity(st, 3..=4)?;
        let id = self.word(st, &st.args[1])?;
        let count = if st.args.len() == 4 { Some(self.word(st, &st.args[2])?) } else { None };
        let Some(last) = st.args.last() else { return Err(m.bad("operands")) };
        let src = Some(self.pred(st, last)?);
        let (mut dst_pred, mut dst_word) = (None, None);
        if kind == BarKind::Popc {
            dst_word = Some(self.word(st, &st.args[0])?);
        } else {
            dst_pred = Some(self.pred_dst(st, &st.args[0])?);
        }
        Ok(Op::Bar(Box::new(Bar { kind, id, count, aligned, src, dst_pred, dst_word })))
    }
}
