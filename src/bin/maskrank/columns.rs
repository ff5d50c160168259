//! `--request-columns`: which columns come once a request.

use std::ops::Range;
use std::str::FromStr;

use maskrank::Split;
use maskrank::config::{EMBEDDINGS, Widths};

/// Columns that come once a request, as the scorer will declare them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestColumns {
    split: Split,
    /// Whether they were read from a file, which may name columns that the model does not read.
    is_file: bool,
}

impl RequestColumns {
    /// The columns of a model with such inputs. What a file names beyond them is left out; what was named by hand stays
    /// and is checked by the scorer.
    pub(crate) fn of(&self, widths: Widths) -> Split {
        let mut split = self.split.clone();
        if self.is_file {
            for (ranges, width) in
                [(&mut split.continuous, widths.continuous), (&mut split.binary, widths.binary)]
            {
                ranges.retain_mut(|range| {
                    range.end = range.end.min(width);
                    range.start < range.end
                });
            }
            for (flag, width) in split.embeddings.iter_mut().zip(widths.embeddings()) {
                *flag &= width > 0;
            }
        }
        split
    }
}

/// `user_embedding,continuous:0..7`, or `@FILE` with the same, on any number of lines.
impl FromStr for RequestColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('@') else {
            return Ok(Self { split: parse(text)?, is_file: false });
        };
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        let split = parse(&text).map_err(|problem| format!("{path}: {problem}"))?;
        Ok(Self { split, is_file: true })
    }
}

fn parse(text: &str) -> Result<Split, String> {
    let mut split = Split::default();
    let items = text.split([',', '\n']).map(str::trim);
    for item in items.filter(|item| !item.is_empty()) {
        if let Some(at) = EMBEDDINGS.iter().position(|name| *name == item) {
            split.embeddings[at] = true;
            continue;
        }
        let expected = || {
            let names = EMBEDDINGS.join(", ");
            format!("expected {names}, continuous:FROM..TO or binary:FROM..TO, found {item:?}")
        };
        let (kind, range) = item.split_once(':').ok_or_else(expected)?;
        let (from, to) = range.split_once("..").ok_or_else(expected)?;
        let (Ok(from), Ok(to)) = (from.parse(), to.parse()) else { return Err(expected()) };
        let range: Range<usize> = from..to;
        match kind {
            "continuous" => split.continuous.push(range),
            "binary" => split.binary.push(range),
            _ => return Err(expected()),
        }
    }
    split.continuous.sort_by_key(|range| range.start);
    split.binary.sort_by_key(|range| range.start);
    Ok(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_the_inputs_are() {
        let expected =
            Split { continuous: vec![0..7, 40..50], binary: vec![3..9], embeddings: [true, false, false] };
        for text in [
            "binary:3..9,user_embedding,continuous:40..50,continuous:0..7",
            "user_embedding\ncontinuous:0..7\ncontinuous:40..50\n binary:3..9\n",
        ] {
            assert_eq!(parse(text).unwrap(), expected);
        }
        assert_eq!(parse("").unwrap(), Split::default());
        for wrong in ["continuous", "continuous:", "continuous:3", "binary:a..b", "user", "binary:1..2;3"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_may_name_what_a_model_does_not_read() {
        let split =
            Split { continuous: vec![0..7, 40..50], binary: vec![3..9], embeddings: [true, true, false] };
        let widths = Widths { continuous: 42, binary: 3, user_embedding: 0, ..Widths::PRODUCTION };
        let by_hand = RequestColumns { split: split.clone(), is_file: false };
        assert_eq!(by_hand.of(widths), split);
        let of_file = RequestColumns { split, is_file: true }.of(widths);
        assert_eq!(
            of_file,
            Split { continuous: vec![0..7, 40..42], binary: vec![], embeddings: [false, true, false] }
        );
        assert!(RequestColumns::from_str("@/nowhere/at-all").unwrap_err().contains("cannot read"));
    }
}
