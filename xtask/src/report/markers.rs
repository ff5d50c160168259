//! Generated parts of a document, between two comments: `<!-- NAME: SOURCE -->` and `<!-- end NAME -->`.

/// What the part was generated from.
///
/// # Errors
/// There is no such part.
pub(super) fn source(document: &str, name: &str) -> Result<String, String> {
    let (_, source, _, _) = find(document, name)?;
    Ok(source.to_owned())
}

/// The document with the part generated anew.
///
/// # Errors
/// There is no such part.
pub(super) fn replace(document: &str, name: &str, source: &str, body: &str) -> Result<String, String> {
    let (before, _, _, after) = find(document, name)?;
    Ok(format!("{before}<!-- {name}: {source} -->\n{}\n<!-- end {name} -->{after}", body.trim()))
}

fn find<'a>(document: &'a str, name: &str) -> Result<(&'a str, &'a str, &'a str, &'a str), String> {
    let missing = || format!("no part between <!-- {name}: … --> and <!-- end {name} -->");
    let (before, rest) = document.split_once(&format!("<!-- {name}: ")).ok_or_else(missing)?;
    let (source, rest) = rest.split_once(" -->").ok_or_else(missing)?;
    let (body, after) = rest.split_once(&format!("<!-- end {name} -->")).ok_or_else(missing)?;
    Ok((before, source, body, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_changes() {
        let document = "a\n<!-- t: x/y -->\nold\n<!-- end t -->\nb\n";
        assert_eq!(source(document, "t").unwrap(), "x/y");
        let new = replace(document, "t", "z", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- t: z -->\nnew\n<!-- end t -->\nb\n");
        assert!(source("nothing", "t").is_err());
    }
}
