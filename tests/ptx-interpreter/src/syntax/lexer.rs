//! Tokens of PTX. A word keeps its dots, so an opcode with all modifiers is one token.

use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tok<'a> {
    Word(&'a str),
    Int(u64),
    F32(u32),
    F64(u64),
    Str(&'a str),
    Punct(char),
    End,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) tok: Tok<'a>,
    pub(super) line: u32,
    /// Byte range in the text, to quote a statement.
    pub(super) start: usize,
    pub(super) end: usize,
}

fn word_start(c: u8) -> bool {
    c.is_ascii_alphabetic() || matches!(c, b'_' | b'$' | b'%' | b'.')
}

fn word_char(c: u8) -> bool {
    word_start(c) || c.is_ascii_digit()
}

/// All tokens of `text`, ending with [`Tok::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>> {
    let bytes = text.as_bytes();
    let (mut at, mut line, mut out) = (0, 1u32, Vec::new());
    while at < bytes.len() {
        let (c, start) = (bytes[at], at);
        match c {
            b'\n' => {
                line += 1;
                at += 1;
                continue;
            }
            _ if c.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                while at < bytes.len() && bytes[at] != b'\n' {
                    at += 1;
                }
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let end = text[at + 2..].find("*/").map(|i| at + 2 + i + 2);
                let end = end.ok_or_else(|| Error::syntax(line, "comment is not closed"))?;
                line += text[at..end].matches('\n').count() as u32;
                at = end;
                continue;
            }
            _ => {}
        }
        let tok = if word_start(c) {
            while at < bytes.len() {
                // `L2::128B` is one word; a single colon ends a label.
                let double =
                    bytes[at..].starts_with(b"::") && bytes.get(at + 2).is_some_and(|&n| word_char(n));
                if word_char(bytes[at]) {
                    at += 1;
                } else if double {
                    at += 2;
                } else {
                    break;
                }
            }
            Tok::Word(&text[start..at])
        } else if c.is_ascii_digit() {
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'.') {
                at += 1;
            }
            number(&text[start..at])
                .ok_or_else(|| Error::syntax(line, format!("bad number `{}`", &text[start..at])))?
        } else if c == b'"' {
            let len = text[at + 1..].find('"').ok_or_else(|| Error::syntax(line, "string is not closed"))?;
            at += len + 2;
            Tok::Str(&text[start + 1..at - 1])
        } else if b"{}[]()<>,;:+-=@!|".contains(&c) {
            at += 1;
            Tok::Punct(c as char)
        } else {
            return Err(Error::syntax(line, format!("unexpected character {:?}", text[at..].chars().next())));
        };
        out.push(Token { tok, line, start, end: at });
    }
    out.push(Token { tok: Tok::End, line, start: at, end: at });
    Ok(out)
}

/// Decimal, hexadecimal, octal and binary integers, `0f`/`0d` bit patterns, decimal reals.
fn number(s: &str) -> Option<Tok<'static>> {
    let lower = s.to_ascii_lowercase();
    if let Some(h) = lower.strip_prefix("0f") {
        return u32::from_str_radix(h, 16).ok().map(Tok::F32);
    }
    if let Some(h) = lower.strip_prefix("0d") {
        return u64::from_str_radix(h, 16).ok().map(Tok::F64);
    }
    if lower.contains('.') {
        return lower.parse::<f64>().ok().map(|x| Tok::F64(x.to_bits()));
    }
    let digits = lower.trim_end_matches('u');
    let value = if let Some(h) = digits.strip_prefix("0x") {
        u64::from_str_radix(h, 16)
    } else if let Some(b) = digits.strip_prefix("0b") {
        u64::from_str_radix(b, 2)
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(&digits[1..], 8)
    } else {
        digits.parse()
    };
    value.ok().map(Tok::Int)
}
