//! `$NAME` and `${NAME}` in configuration values.
//!
//! The released loader substitutes environment variables in the whole text before it parses it and leaves unset ones
//! alone. Here a variable is expanded where its value is used, so that an unset one elsewhere does not matter.

use std::borrow::Cow;

/// Looks variables up.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment. `USER` falls back to the names that Python's `getpass` tries.
pub(super) fn environment(name: &str) -> Option<String> {
    let names: &[&str] = if name == "USER" { &["LOGNAME", "USER", "LNAME", "USERNAME"] } else { &[name] };
    names.iter().find_map(|name| std::env::var(name).ok())
}

/// Replaces variables by their values and `$$` by `$`; a `$` that starts neither stays.
///
/// # Errors
/// The name of a variable that is not set.
pub(super) fn expand<'a>(text: &'a str, lookup: Lookup<'_>) -> Result<Cow<'a, str>, String> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = variable(rest) {
            expanded.push_str(&lookup(name).ok_or_else(|| name.to_owned())?);
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    Ok(Cow::Owned(expanded))
}

/// The variable's name that follows a `$`, and what follows the variable.
fn variable(text: &str) -> Option<(&str, &str)> {
    let braced = text.strip_prefix('{');
    let body = braced.unwrap_or(text);
    let end = body.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(body.len());
    let (name, after) = body.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if braced.is_some() { after.strip_prefix('}').map(|after| (name, after)) } else { Some((name, after)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substitution() {
        let lookup = |name: &str| (name == "A_1").then(|| "x".to_owned());
        let cases = [
            ("plain", Ok("plain")),
            ("${A_1}/b", Ok("x/b")),
            ("$A_1-b$A_1", Ok("x-bx")),
            ("$$A_1 $ 5 $5 ${ ${A_1", Ok("$A_1 $ 5 $5 ${ ${A_1")),
            ("é${A_1}é$", Ok("éxé$")),
            ("${NOPE}", Err("NOPE")),
        ];
        for (text, expected) in cases {
            let found = expand(text, &lookup);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}
