//! Suggestions for misspelt names.

/// Names longer than this are not compared: the distance costs the product of both lengths.
const MAX_LENGTH: usize = 128;

/// `; did you mean "…"?` with up to three known names that are close to `name`, or nothing.
pub(crate) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut close: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let distance = distance(name, candidate)?;
            (distance <= allowed(candidate)).then_some((distance, candidate))
        })
        .collect();
    close.sort_unstable();
    close.truncate(3);
    if close.is_empty() {
        return String::new();
    }
    let names: Vec<String> = close.iter().map(|(_, candidate)| format!("\"{candidate}\"")).collect();
    format!("; did you mean {}?", names.join(" or "))
}

/// Whether `name` looks like a misspelling of `known`.
pub(crate) fn is_near(name: &str, known: &str) -> bool {
    name != known && distance(name, known).is_some_and(|distance| distance <= allowed(known).min(2))
}

/// A name of unknown origin, short enough for a message.
pub(crate) fn shown(name: &str) -> String {
    const SHOWN: usize = 120;
    if name.chars().count() <= SHOWN {
        return name.escape_debug().to_string();
    }
    let head: String = name.chars().take(SHOWN).collect();
    format!("{}… ({} bytes)", head.escape_debug(), name.len())
}

fn allowed(known: &str) -> usize {
    (known.len() / 4).clamp(1, 4)
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one name to the other.
fn distance(a: &str, b: &str) -> Option<usize> {
    if a.len() > MAX_LENGTH || b.len() > MAX_LENGTH {
        return None;
    }
    let (a, b): (Vec<char>, Vec<char>) =
        (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let cases =
            [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "", 3), ("kitten", "sitting", 3)];
        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), Some(expected), "{a} {b}");
        }
    }

    #[test]
    fn a_misspelling_is_recognised() {
        assert_eq!(suggestion("mlp_confg", ["mlp_config", "dcn_config"]), "; did you mean \"mlp_config\"?");
        assert_eq!(suggestion("colour", ["mlp_config"]), "");
        assert!(is_near("train_dta", "train_data") && !is_near("serving", "train_data"));
    }
}
