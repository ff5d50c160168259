//! Shader sources: the files under `shaders/`, and the small preprocessor that makes a variant's text of them.
//!
//! WGSL has no includes, no conditions and no way to name one register per loop turn. Lines that start with `//#`
//! add these three, so that the rest of a file stays WGSL:
//!
//! ```text
//! //# include shared/quad.wgsl
//! //# if NAME … //# else … //# end        NAME is true where it is defined and not 0
//! //# for i in NAME … //# end             the lines NAME times, with $i as 0, 1, …
//! ```
//!
//! Every define also becomes `const NAME = …u;` at the top of the text.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Names and values that make a variant of a shader.
pub(crate) type Defines = BTreeMap<&'static str, u32>;

/// Every file under `shaders/`, by its path there.
const FILES: [(&str, &str); 14] = [
    ("ceiling_multiply.wgsl", include_str!("../../../shaders/ceiling_multiply.wgsl")),
    ("ceiling_read.wgsl", include_str!("../../../shaders/ceiling_read.wgsl")),
    ("featurize.wgsl", include_str!("../../../shaders/featurize.wgsl")),
    ("gemm.wgsl", include_str!("../../../shaders/gemm.wgsl")),
    ("layer_norm.wgsl", include_str!("../../../shaders/layer_norm.wgsl")),
    ("head.wgsl", include_str!("../../../shaders/head.wgsl")),
    ("self_test.wgsl", include_str!("../../../shaders/self_test.wgsl")),
    ("shared/quad.wgsl", include_str!("../../../shaders/shared/quad.wgsl")),
    ("shared/relu.wgsl", include_str!("../../../shaders/shared/relu.wgsl")),
    ("shared/reduce.wgsl", include_str!("../../../shaders/shared/reduce.wgsl")),
    ("shared/thread.wgsl", include_str!("../../../shaders/shared/thread.wgsl")),
    ("shared/thread_parameters.wgsl", include_str!("../../../shaders/shared/thread_parameters.wgsl")),
    ("shared/norm.wgsl", include_str!("../../../shaders/shared/norm.wgsl")),
    ("shared/math.wgsl", include_str!("../../../shaders/shared/math.wgsl")),
];

/// A change to the shaders' text: how tests plant faults. Applied to every file that holds `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// Text that exactly one file holds, exactly once.
    pub from: &'static str,
    /// What stands there instead.
    pub to: &'static str,
}

/// A variant's whole text of one shader.
///
/// # Errors
/// What is wrong with a directive, or with the mutation, and where.
pub(crate) fn assemble(file: &str, defines: &Defines, mutation: Option<Mutation>) -> Result<String, String> {
    let mut text = String::new();
    if defines.contains_key("STORAGE_F16_NATIVE") {
        text.push_str("enable f16;\n");
    }
    for (name, value) in defines {
        writeln!(text, "const {name} = {value}u;").map_err(|e| e.to_string())?;
    }
    let mut assembler = Assembler { defines, mutation, text };
    assembler.file(file)?;
    Ok(assembler.text)
}

/// How many places of all files a mutation changes.
#[must_use]
pub fn count_places(mutation: Mutation) -> usize {
    FILES.iter().map(|(_, text)| text.matches(mutation.from).count()).sum()
}

struct Assembler<'a> {
    defines: &'a Defines,
    mutation: Option<Mutation>,
    text: String,
}

impl Assembler<'_> {
    fn file(&mut self, path: &str) -> Result<(), String> {
        let (_, source) = FILES
            .iter()
            .find(|(name, _)| *name == path)
            .ok_or_else(|| format!("shader {path}: no such file"))?;
        let mutated;
        let source = match self.mutation {
            Some(mutation) => {
                mutated = source.replace(mutation.from, mutation.to);
                mutated.as_str()
            }
            None => source,
        };
        let lines: Vec<&str> = source.lines().collect();
        self.lines(path, &lines)
    }

    fn lines(&mut self, path: &str, lines: &[&str]) -> Result<(), String> {
        let mut at = 0;
        while at < lines.len() {
            let Some(directive) = lines[at].trim_start().strip_prefix("//#") else {
                self.text.push_str(lines[at]);
                self.text.push('\n');
                at += 1;
                continue;
            };
            let words: Vec<&str> = directive.split_whitespace().collect();
            match words[..] {
                ["include", file] => {
                    self.file(file)?;
                    at += 1;
                }
                ["if", name] => {
                    let (otherwise, end) = block(path, lines, at)?;
                    let yes = &lines[at + 1..otherwise.unwrap_or(end)];
                    let no = otherwise.map_or(&[][..], |e| &lines[e + 1..end]);
                    let taken = self.defines.get(name).is_some_and(|&value| value != 0);
                    self.lines(path, if taken { yes } else { no })?;
                    at = end + 1;
                }
                ["for", letter, "in", name] => {
                    let (_, end) = block(path, lines, at)?;
                    let count =
                        *self.defines.get(name).ok_or_else(|| format!("{path}: {name} is not defined"))?;
                    for turn in 0..count {
                        let body: Vec<String> = lines[at + 1..end]
                            .iter()
                            .map(|line| line.replace(&format!("${letter}"), &turn.to_string()))
                            .collect();
                        let body: Vec<&str> = body.iter().map(String::as_str).collect();
                        self.lines(path, &body)?;
                    }
                    at = end + 1;
                }
                _ => return Err(format!("{path}:{}: unknown directive \"{}\"", at + 1, lines[at])),
            }
        }
        Ok(())
    }
}

/// Lines of the `else`, if any, and the `end` that belong to the directive at `start`.
fn block(path: &str, lines: &[&str], start: usize) -> Result<(Option<usize>, usize), String> {
    let mut depth = 0usize;
    let mut otherwise = None;
    for (at, line) in lines.iter().enumerate().skip(start) {
        let Some(directive) = line.trim_start().strip_prefix("//#") else { continue };
        match directive.split_whitespace().next() {
            Some("if" | "for") => depth += 1,
            Some("else") if depth == 1 => otherwise = Some(at),
            Some("end") => {
                depth -= 1;
                if depth == 0 {
                    return Ok((otherwise, at));
                }
            }
            _ => {}
        }
    }
    Err(format!("{path}:{}: \"{}\" has no end", start + 1, lines[start]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(source: &str, defines: &[(&'static str, u32)]) -> Result<String, String> {
        let defines: Defines = defines.iter().copied().collect();
        let mut assembler = Assembler { defines: &defines, mutation: None, text: String::new() };
        let lines: Vec<&str> = source.lines().collect();
        assembler.lines("test", &lines)?;
        Ok(assembler.text)
    }

    #[test]
    fn loops_nest_and_conditions_choose() {
        let source =
            "//# for i in N\n//# for j in M\nx_$i_$j\n//# end\n//# end\n//# if A\na\n//# else\nb\n//# end";
        assert_eq!(expand(source, &[("N", 2), ("M", 2)]).unwrap(), "x_0_0\nx_0_1\nx_1_0\nx_1_1\nb\n");
        assert_eq!(expand(source, &[("N", 1), ("M", 1), ("A", 1)]).unwrap(), "x_0_0\na\n");
        assert_eq!(expand("//# if A\na\n//# end", &[("A", 0)]).unwrap(), "");
    }

    #[test]
    fn broken_directives_are_errors() {
        assert!(expand("//# if A\na", &[]).unwrap_err().contains("no end"));
        assert!(expand("//# for i in N\n//# end", &[]).unwrap_err().contains("not defined"));
        assert!(expand("//# wat", &[]).unwrap_err().contains("unknown directive"));
        assert!(expand("//# include nowhere.wgsl", &[]).unwrap_err().contains("no such file"));
    }
}
