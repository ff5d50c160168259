//! Syntax tree to [`Program`]: names become indices, modifiers become enums, device functions are inlined.

mod collective;
mod compare;
mod control;
mod convert;
mod float;
mod integer;
mod matrix;
mod memory;
mod mods;
mod operand;
mod variables;

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::fault::{Site, Space};
use crate::isa::{D, Ins, Op, P, Pc, Preset, Program, Reg, Special, W};
use crate::syntax::{Arg, Function, Item, Module, Statement, Ty};
use mods::{Mods, unsupported};

/// Deepest chain of device functions; recursion would not end.
const MAX_INLINE_DEPTH: usize = 16;

#[derive(Clone, Copy, Debug)]
enum Slot {
    /// `.reg .b32 %r<n>`: registers are made when first used.
    Range {
        ty: Ty,
        count: u32,
    },
    Pred(P),
    Data(Reg),
}

/// A variable in some space.
#[derive(Clone, Copy, Debug)]
enum Var {
    At { space: Space, offset: u64 },
    Special(Special),
}

#[derive(Default)]
struct Scope {
    slots: HashMap<String, Slot>,
    /// Declared width in bits of the registers that are not part of a range.
    widths: HashMap<String, u32>,
    vars: HashMap<String, Var>,
    labels: HashMap<String, Pc>,
    tables: HashMap<String, Vec<String>>,
}

struct Builder<'m> {
    module: &'m Module,
    files: HashMap<u32, &'m str>,
    module_vars: HashMap<String, Var>,
    scopes: Vec<Scope>,
    words: usize,
    doubles: usize,
    preds: usize,
    presets: Vec<Preset>,
    word_consts: HashMap<u32, W>,
    double_consts: HashMap<u64, D>,
    pred_consts: HashMap<bool, P>,
    specials: HashMap<Special, Reg>,
    code: Vec<Ins>,
    sites: Vec<Site>,
    /// Position of each label, by label number; branches hold the number until the end.
    labels: Vec<Option<Pc>>,
    shared: usize,
    dynamic_align: usize,
    local: usize,
    /// Where `ret` of the function being inlined goes.
    return_labels: Vec<Pc>,
}

/// Decodes one entry of a module.
pub(crate) fn lower(module: &Module, entry: &str) -> Result<Program> {
    let f = module.functions.iter().find(|f| f.entry && f.name == entry && f.body.is_some());
    let f = f.ok_or_else(|| {
        let names: Vec<_> = module.functions.iter().filter(|f| f.entry).map(|f| f.name.as_str()).collect();
        Error::Launch { entry: entry.to_string(), what: format!("no such entry; the module has {names:?}") }
    })?;
    let mut b = Builder {
        module,
        files: module.files.iter().map(|(i, p)| (*i, p.as_str())).collect(),
        module_vars: HashMap::new(),
        scopes: vec![Scope::default()],
        words: 0,
        doubles: 0,
        preds: 0,
        presets: Vec::new(),
        word_consts: HashMap::new(),
        double_consts: HashMap::new(),
        pred_consts: HashMap::new(),
        specials: HashMap::new(),
        code: Vec::new(),
        sites: Vec::new(),
        labels: Vec::new(),
        shared: 0,
        dynamic_align: 1,
        local: 0,
        return_labels: Vec::new(),
    };
    let (constants, globals) = b.module_variables()?;
    let (params, param_bytes) = b.entry_params(f)?;
    b.body(f.body.as_deref().unwrap_or_default())?;
    b.emit_plain(Op::Exit, "end of the entry", f);
    b.patch()?;
    for (count, what) in [(b.words, "words"), (b.doubles, "doubles"), (b.preds, "predicates")] {
        if count > usize::from(u16::MAX) {
            return Err(Error::Launch {
                entry: entry.to_string(),
                what: format!("{count} registers in bank {what}"),
            });
        }
    }
    Ok(Program {
        name: entry.to_string(),
        code: b.code,
        sites: b.sites,
        words: b.words,
        doubles: b.doubles,
        preds: b.preds,
        presets: b.presets,
        params,
        param_bytes,
        static_shared: b.shared,
        dynamic_align: b.dynamic_align,
        local_bytes: b.local,
        max_threads: f.max_threads,
        constants,
        globals,
    })
}

impl Builder<'_> {
    fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// One scope: labels first, because branches go forward.
    fn body(&mut self, items: &[Item]) -> Result<()> {
        for item in items {
            match item {
                Item::Label(name) => {
                    let id = self.new_label();
                    self.scope().labels.insert(name.clone(), id);
                }
                Item::Targets { label, targets } => {
                    self.scope().tables.insert(label.clone(), targets.clone());
                }
                _ => {}
            }
        }
        for item in items {
            match item {
                Item::Reg { ty, name, count } => self.declare(*ty, name, *count)?,
                Item::Var(v) => self.body_variable(v)?,
                Item::Label(name) => {
                    if let Some(id) = self.scope().labels.get(name).copied() {
                        self.place(id);
                    }
                }
                Item::Targets { .. } => {}
                Item::Scope(inner) => {
                    self.scopes.push(Scope::default());
                    self.body(inner)?;
                    self.scopes.pop();
                }
                Item::Ins(st) => self.statement(st)?,
            }
        }
        Ok(())
    }

    fn new_label(&mut self) -> Pc {
        self.labels.push(None);
        (self.labels.len() - 1) as Pc
    }

    fn place(&mut self, label: Pc) {
        self.labels[label as usize] = Some(self.code.len() as Pc);
    }

    fn label(&self, st: &Statement, name: &str) -> Result<Pc> {
        let found = self.scopes.iter().rev().find_map(|s| s.labels.get(name));
        found.copied().ok_or_else(|| unsupported(st, format!("no label `{name}`")))
    }

    fn statement(&mut self, st: &Statement) -> Result<()> {
        let guard = match &st.guard {
            Some((name, negated)) => {
                let mut p = self.pred(st, &Arg::Name(name.clone()))?;
                p.negated ^= negated;
                Some(p)
            }
            None => None,
        };
        let (base, mut mods) = Mods::new(st);
        if base == "call" {
            if guard.is_some() {
                return Err(unsupported(st, "a guarded call"));
            }
            return self.call(st, &mut mods);
        }
        let op = self.decode(base, st, &mut mods)?;
        mods.done()?;
        self.code.push(Ins { guard, op });
        let source = st.loc.and_then(|l| self.files.get(&l.file).map(|f| ((*f).to_string(), l.line)));
        self.sites.push(Site { instruction: st.text.clone(), ptx_line: st.line, source });
        Ok(())
    }

    fn emit_plain(&mut self, op: Op, text: &str, f: &Function) {
        self.code.push(Ins { guard: None, op });
        self.sites.push(Site { instruction: format!("{text} {}", f.name), ptx_line: 0, source: None });
    }

    /// Label numbers to positions.
    fn patch(&mut self) -> Result<()> {
        let labels = &self.labels;
        let at = |l: Pc| labels[l as usize].ok_or_else(|| Error::syntax(0, "a label was never placed"));
        for ins in &mut self.code {
            match &mut ins.op {
                Op::Bra { target } => *target = at(*target)?,
                Op::BrxIdx { targets, .. } => {
                    for t in targets.iter_mut() {
                        *t = at(*t)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn decode(&mut self, base: &str, st: &Statement, m: &mut Mods<'_>) -> Result<Op> {
        match base {
            "add" | "sub" | "mul" | "mad" | "fma" | "div" | "rem" | "abs" | "neg" | "min" | "max" => {
                self.arith(base, st, m)
            }
            "addc" | "subc" => self.carry(base, st, m),
            "rcp" | "sqrt" | "rsqrt" | "ex2" | "lg2" | "sin" | "cos" | "tanh" | "copysign" => {
                self.float(base, st, m)
            }
            "mul24" | "sad" | "popc" | "clz" | "brev" | "bfind" | "bfe" | "bfi" | "dp4a" | "and" | "or"
            | "xor" | "not" | "cnot" | "lop3" | "shl" | "shr" | "shf" | "prmt" => self.integer(base, st, m),
            "setp" | "set" | "selp" | "slct" | "testp" => self.compare(base, st, m),
            "mov" | "cvt" | "cvta" | "isspacep" => self.convert(base, st, m),
            "ld" | "ldu" | "st" | "atom" | "red" | "prefetch" | "prefetchu" | "createpolicy" | "discard"
            | "applypriority" | "membar" | "fence" => self.memory(base, st, m),
            "cp" => self.copy(st, m),
            "ldmatrix" | "stmatrix" | "movmatrix" | "mma" => self.matrix(base, st, m),
            "bra" | "brx" | "ret" | "exit" | "trap" | "brkpt" | "nanosleep" | "griddepcontrol"
            | "pmevent" | "setmaxnreg" => self.control(base, st, m),
            "bar" | "barrier" | "shfl" | "vote" | "match" | "redux" | "activemask" | "elect" => {
                self.collective(base, st, m)
            }
            _ => Err(unsupported(st, "unknown opcode")),
        }
    }
}
