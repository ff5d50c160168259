//! Module-level PTX: directives, variables, entries and functions.

use super::lexer::{Tok, Token, tokens};
use super::{Function, Module, Ty, VarSpace, Variable};
use crate::error::{Error, Result};

/// Cursor over the tokens of one module.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    toks: Vec<Token<'a>>,
    at: usize,
}

/// Reads a whole module.
pub(crate) fn parse(text: &str) -> Result<Module> {
    let mut p = Parser { text, toks: tokens(text)?, at: 0 };
    let mut module = Module::default();
    while p.peek() != Tok::End {
        p.directive(&mut module)?;
    }
    Ok(module)
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Tok<'a> {
        self.toks[self.at].tok
    }

    pub(super) fn peek2(&self) -> Tok<'a> {
        self.toks[(self.at + 1).min(self.toks.len() - 1)].tok
    }

    pub(super) fn line(&self) -> u32 {
        self.toks[self.at].line
    }

    /// Byte offset where the next token starts.
    pub(super) fn start(&self) -> usize {
        self.toks[self.at].start
    }

    /// Byte offset where the last consumed token ended.
    pub(super) fn last_end(&self) -> usize {
        self.toks[self.at.saturating_sub(1)].end
    }

    pub(super) fn next(&mut self) -> Tok<'a> {
        let t = self.peek();
        self.at = (self.at + 1).min(self.toks.len() - 1);
        t
    }

    pub(super) fn eat(&mut self, c: char) -> bool {
        let hit = self.peek() == Tok::Punct(c);
        if hit {
            self.next();
        }
        hit
    }

    pub(super) fn expect(&mut self, c: char) -> Result<()> {
        if self.eat(c) { Ok(()) } else { Err(self.wrong(&format!("`{c}`"))) }
    }

    pub(super) fn word(&mut self, what: &str) -> Result<&'a str> {
        match self.peek() {
            Tok::Word(w) => {
                self.next();
                Ok(w)
            }
            _ => Err(self.wrong(what)),
        }
    }

    pub(super) fn int(&mut self, what: &str) -> Result<u64> {
        match self.peek() {
            Tok::Int(i) => {
                self.next();
                Ok(i)
            }
            _ => Err(self.wrong(what)),
        }
    }

    pub(super) fn wrong(&self, expected: &str) -> Error {
        Error::syntax(self.line(), format!("expected {expected}, found {:?}", self.peek()))
    }

    /// Skips up to and with the next `end`.
    pub(super) fn skip_past(&mut self, end: char) {
        while self.peek() != Tok::End && !self.eat(end) {
            self.next();
        }
    }

    fn directive(&mut self, module: &mut Module) -> Result<()> {
        match self.word("a directive")? {
            ".version" => {
                module.version = self.rest_of_line();
            }
            ".target" => module.target = self.rest_of_line(),
            ".address_size" => {
                if self.int("address size")? != 64 {
                    return Err(self.wrong("address size 64"));
                }
            }
            ".file" => self.file(module)?,
            ".section" => {
                self.expect_section()?;
            }
            ".visible" | ".weak" | ".extern" | ".common" => {}
            ".alias" | ".pragma" => self.skip_past(';'),
            ".entry" => {
                let f = self.function(true)?;
                module.functions.push(f);
            }
            ".func" => {
                let f = self.function(false)?;
                module.functions.push(f);
            }
            space @ (".global" | ".const" | ".shared") => {
                let space = match space {
                    ".global" => VarSpace::Global,
                    ".const" => VarSpace::Const,
                    _ => VarSpace::Shared,
                };
                let v = self.variable(space)?;
                self.expect(';')?;
                module.variables.push(v);
            }
            other => return Err(Error::syntax(self.line(), format!("unknown directive `{other}`"))),
        }
        Ok(())
    }

    fn rest_of_line(&mut self) -> String {
        let line = self.toks[self.at].line;
        let start = self.start();
        while self.toks[self.at].line == line && self.peek() != Tok::End {
            self.next();
        }
        self.text[start..self.last_end()].trim().to_string()
    }

    /// `.file 1 "path"`, with an optional time and size after commas.
    fn file(&mut self, module: &mut Module) -> Result<()> {
        let id = self.int("file number")? as u32;
        let Tok::Str(path) = self.next() else { return Err(self.wrong("file name")) };
        module.files.push((id, path.to_string()));
        while self.eat(',') {
            self.next();
        }
        Ok(())
    }

    /// Debug sections carry nothing that the machine needs.
    fn expect_section(&mut self) -> Result<()> {
        self.word("section name")?;
        self.expect('{')?;
        self.skip_past('}');
        Ok(())
    }

    fn function(&mut self, entry: bool) -> Result<Function> {
        let returns = if self.peek() == Tok::Punct('(') { self.params()? } else { Vec::new() };
        let name = self.word("a function name")?.to_string();
        let params = if self.peek() == Tok::Punct('(') { self.params()? } else { Vec::new() };
        let mut max_threads = None;
        loop {
            match self.peek() {
                Tok::Punct('{') => break,
                Tok::Punct(';') => {
                    self.next();
                    return Ok(Function { name, entry, returns, params, max_threads, body: None });
                }
                Tok::Word(w) if w.starts_with('.') => {
                    self.next();
                    let mut values = [1u32; 3];
                    let mut n = 0;
                    while let Tok::Int(i) = self.peek() {
                        self.next();
                        if let Some(v) = values.get_mut(n) {
                            *v = i as u32;
                        }
                        n += 1;
                        self.eat(',');
                    }
                    match w {
                        ".maxntid" | ".reqntid" => max_threads = Some(values),
                        ".minnctapersm" | ".maxnreg" | ".maxnctapersm" | ".noreturn" | ".maxclusterrank"
                        | ".explicitcluster" | ".reqnctapercluster" => {}
                        ".pragma" => self.skip_past(';'),
                        _ => {
                            return Err(Error::syntax(
                                self.line(),
                                format!("unknown function directive `{w}`"),
                            ));
                        }
                    }
                }
                _ => return Err(self.wrong("a function body")),
            }
        }
        self.expect('{')?;
        let body = self.body()?;
        Ok(Function { name, entry, returns, params, max_threads, body: Some(body) })
    }

    fn params(&mut self) -> Result<Vec<Variable>> {
        self.expect('(')?;
        let mut out = Vec::new();
        while !self.eat(')') {
            let space = match self.word("a parameter")? {
                ".param" => VarSpace::Param,
                ".reg" => VarSpace::Reg,
                _ => return Err(self.wrong("`.param`")),
            };
            out.push(self.variable(space)?);
            self.eat(',');
        }
        Ok(out)
    }

    /// A variable after its space: attributes, type, name, array bounds, initialiser.
    pub(super) fn variable(&mut self, space: VarSpace) -> Result<Variable> {
        let (mut align, mut ty, line) = (None, None, self.line());
        let name = loop {
            let w = self.word("a variable")?;
            match w {
                ".align" => {
                    let n = self.int("an alignment")? as u32;
                    // `.ptr .align n` tells about the pointee and comes after the type.
                    if ty.is_none() {
                        align = Some(n);
                    }
                }
                ".ptr" | ".global" | ".shared" | ".local" | ".const" => {}
                ".attribute" => self.skip_past(')'),
                _ if w.starts_with('.') => {
                    ty = Some(
                        Ty::parse(&w[1..])
                            .ok_or_else(|| Error::syntax(line, format!("unknown type `{w}`")))?,
                    );
                }
                _ => break w.to_string(),
            }
        };
        let ty = ty.ok_or_else(|| Error::syntax(line, format!("`{name}` has no type")))?;
        let (mut count, mut unsized_array) = (1u32, false);
        while self.eat('[') {
            if self.eat(']') {
                unsized_array = true;
                continue;
            }
            count = count.saturating_mul(self.int("an array bound")? as u32);
            self.expect(']')?;
        }
        let elem = ty.bits().div_ceil(8);
        let bytes = if unsized_array { 0 } else { count.saturating_mul(elem) };
        let init = if self.eat('=') { Some(self.initializer(elem, bytes)?) } else { None };
        Ok(Variable { space, name, align: align.unwrap_or(elem), bytes, unsized_array, init, line })
    }

    fn initializer(&mut self, elem: u32, bytes: u32) -> Result<Vec<u8>> {
        let (mut out, mut depth) = (Vec::new(), 0);
        loop {
            if self.eat('{') {
                depth += 1;
                continue;
            }
            let negative = self.eat('-');
            let bits = match self.next() {
                Tok::Int(i) if negative => i.wrapping_neg(),
                Tok::Int(i) => i,
                Tok::F32(b) => u64::from(b),
                Tok::F64(b) => b,
                _ => return Err(self.wrong("a constant initialiser")),
            };
            out.extend_from_slice(&bits.to_le_bytes()[..elem.min(8) as usize]);
            while depth > 0 && self.eat('}') {
                depth -= 1;
            }
            if depth == 0 {
                break;
            }
            self.eat(',');
        }
        out.resize(bytes as usize, 0);
        Ok(out)
    }
}
