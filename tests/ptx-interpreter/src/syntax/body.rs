//! Function bodies: declarations, labels, scopes, instructions and their operands.

use super::lexer::Tok;
use super::parser::Parser;
use super::{Arg, Item, Loc, Statement, Ty, VarSpace};
use crate::error::{Error, Result};

impl Parser<'_> {
    /// Items up to and with the closing brace.
    pub(super) fn body(&mut self) -> Result<Vec<Item>> {
        let mut loc = None;
        self.scope(&mut loc)
    }

    fn scope(&mut self, loc: &mut Option<Loc>) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            match self.peek() {
                Tok::Punct('}') => {
                    self.next();
                    return Ok(items);
                }
                Tok::Punct('{') => {
                    self.next();
                    items.push(Item::Scope(self.scope(loc)?));
                }
                Tok::Punct(';') => {
                    self.next();
                }
                Tok::Punct('@') => items.push(self.statement(*loc)?),
                Tok::Word(w) if w.starts_with('.') => self.declaration(&mut items, loc)?,
                Tok::Word(w) if self.peek2() == Tok::Punct(':') => {
                    self.next();
                    self.next();
                    items.push(self.label(w)?);
                }
                Tok::Word(_) => items.push(self.statement(*loc)?),
                _ => return Err(self.wrong("an instruction")),
            }
        }
    }

    /// A label, or the table of a `brx.idx` that follows one.
    fn label(&mut self, name: &str) -> Result<Item> {
        if self.peek() != Tok::Word(".branchtargets") {
            return Ok(Item::Label(name.to_string()));
        }
        self.next();
        let mut targets = Vec::new();
        while !self.eat(';') {
            targets.push(self.word("a label")?.to_string());
            self.eat(',');
        }
        Ok(Item::Targets { label: name.to_string(), targets })
    }

    fn declaration(&mut self, items: &mut Vec<Item>, loc: &mut Option<Loc>) -> Result<()> {
        let space = match self.word("a declaration")? {
            ".reg" => return self.registers(items),
            ".loc" => {
                let file = self.int("file number")? as u32;
                let line = self.int("line number")? as u32;
                self.int("column")?;
                // `, function_name sym+off, inlined_at file line column` names the caller; the position above is
                // the one that a reader wants.
                while self.eat(',') {
                    while matches!(self.peek(), Tok::Word("function_name" | "inlined_at")) {
                        self.next();
                        if let Tok::Word(_) = self.peek() {
                            self.next();
                            if self.eat('+') {
                                self.next();
                            }
                        } else {
                            for _ in 0..3 {
                                self.int("a position")?;
                            }
                        }
                    }
                }
                // Line 0 says that no source line fits.
                *loc = (line > 0).then_some(Loc { file, line });
                return Ok(());
            }
            ".pragma" => {
                self.skip_past(';');
                return Ok(());
            }
            ".shared" => VarSpace::Shared,
            ".local" => VarSpace::Local,
            ".param" => VarSpace::Param,
            ".global" => VarSpace::Global,
            ".const" => VarSpace::Const,
            other => return Err(Error::syntax(self.line(), format!("unknown declaration `{other}`"))),
        };
        items.push(Item::Var(self.variable(space)?));
        self.expect(';')
    }

    fn registers(&mut self, items: &mut Vec<Item>) -> Result<()> {
        let ty = self.word("a register type")?;
        let ty = Ty::parse(ty.trim_start_matches('.')).ok_or_else(|| self.wrong("a register type"))?;
        loop {
            let name = self.word("a register name")?.to_string();
            let count = if self.eat('<') {
                let n = self.int("a register count")? as u32;
                self.expect('>')?;
                Some(n)
            } else {
                None
            };
            items.push(Item::Reg { ty, name, count });
            if !self.eat(',') {
                return self.expect(';');
            }
        }
    }

    fn statement(&mut self, loc: Option<Loc>) -> Result<Item> {
        let (line, start) = (self.line(), self.start());
        let guard = if self.eat('@') {
            let negated = self.eat('!');
            Some((self.word("a guard predicate")?.to_string(), negated))
        } else {
            None
        };
        let op = self.word("an opcode")?.to_string();
        let mut args = Vec::new();
        while self.peek() != Tok::Punct(';') {
            args.push(self.arg()?);
            if !self.eat(',') {
                break;
            }
        }
        let text = self.text[start..self.last_end()].split_whitespace().collect::<Vec<_>>().join(" ");
        self.expect(';')?;
        Ok(Item::Ins(Statement { line, loc, guard, op, args, text }))
    }

    fn arg(&mut self) -> Result<Arg> {
        let first = self.simple()?;
        if self.eat('|') {
            return Ok(Arg::Pair(Box::new(first), Box::new(self.simple()?)));
        }
        if let Arg::Name(name) = &first
            && matches!(self.peek(), Tok::Punct('+' | '-'))
        {
            return Ok(Arg::Offset(name.clone(), self.signed_offset()?));
        }
        Ok(first)
    }

    fn signed_offset(&mut self) -> Result<i64> {
        let mut total = 0i64;
        loop {
            let mut negative = match self.peek() {
                Tok::Punct('+') => false,
                Tok::Punct('-') => true,
                _ => return Ok(total),
            };
            self.next();
            negative ^= self.eat('-');
            let n = self.int("an offset")? as i64;
            total = total.wrapping_add(if negative { n.wrapping_neg() } else { n });
        }
    }

    fn list(&mut self, end: char) -> Result<Vec<Arg>> {
        let mut out = Vec::new();
        while !self.eat(end) {
            out.push(self.arg()?);
            if !self.eat(',') {
                self.expect(end)?;
                break;
            }
        }
        Ok(out)
    }

    fn simple(&mut self) -> Result<Arg> {
        let wrong = self.wrong("an operand");
        Ok(match self.next() {
            Tok::Word(w) => Arg::Name(w.to_string()),
            Tok::Int(i) => Arg::Int(i as i64),
            Tok::F32(b) => Arg::F32(b),
            Tok::F64(b) => Arg::F64(b),
            Tok::Punct('-') => match self.next() {
                Tok::Int(i) => Arg::Int((i as i64).wrapping_neg()),
                Tok::F64(b) => Arg::F64(b ^ (1 << 63)),
                Tok::F32(b) => Arg::F32(b ^ (1 << 31)),
                _ => return Err(wrong),
            },
            Tok::Punct('!') => Arg::Not(Box::new(self.simple()?)),
            Tok::Punct('{') => Arg::Vec(self.list('}')?),
            Tok::Punct('(') => Arg::List(self.list(')')?),
            Tok::Punct('[') => {
                let base = Box::new(self.simple()?);
                let offset = self.signed_offset()?;
                let extra = if self.eat(',') {
                    self.list(']')?
                } else {
                    self.expect(']')?;
                    Vec::new()
                };
                Arg::Mem { base, offset, extra }
            }
            _ => return Err(wrong),
        })
    }
}
