//! The command line.

/// What `--help` says.
pub(crate) const HELP: &str = "\
Times the library's backends beside the f64 reference and the machine's own limits; every answer is checked first.

    cargo bench                          everything that is present; says first how long it takes
    cargo bench -- --quick               fewer sizes and samples: under three minutes
    cargo bench -- score/cpu/bf16 load   rows whose id (op/backend/precision/shape) contains one of the words

    --list        ids and estimates; nothing is run
    --resume      goes on with an interrupted run of this commit
    --again       a second run of this commit, kept beside the first, for cargo xtask compare
    --no-record   nothing is written to benches/record/
    --help        this

Afterwards: cargo xtask report (a page of all records), cargo xtask peers (PyTorch, ONNX Runtime and OpenVINO beside it),
cargo xtask compare A B (what changed). docs/METHOD.md says how to read the figures.";

use std::collections::BTreeSet;

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    /// Fewer samples, fewer sizes.
    pub(crate) quick: bool,
    /// Ids and estimates only.
    pub(crate) list: bool,
    /// Write records.
    pub(crate) record: bool,
    /// Go on with an interrupted run of this commit.
    pub(crate) resume: bool,
    /// A second run of this commit, kept beside the first, for `cargo xtask compare`.
    pub(crate) again: bool,
    /// Words of which an id must contain one; none takes all.
    pub(crate) words: Vec<String>,
    /// Plant a fault in the product: every row must be refused. For tests.
    pub(crate) planted_fault: bool,
    /// Ids that are not run: measured before, or left out for want of time.
    pub(crate) without: BTreeSet<String>,
}

impl Arguments {
    /// # Errors
    /// An option that there is not.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut arguments = Self { record: true, ..Self::default() };
        for word in words {
            match word.as_str() {
                "--quick" => arguments.quick = true,
                "--list" => arguments.list = true,
                "--no-record" => arguments.record = false,
                "--resume" => arguments.resume = true,
                "--again" => arguments.again = true,
                "--planted-fault" => (arguments.planted_fault, arguments.record) = (true, false),
                option if option.starts_with('-') => {
                    return Err(format!(
                        "no option is called {option}; there are --quick, --list, --no-record, --resume, --again, --help \
                         and words of ids"
                    ));
                }
                word => arguments.words.push(word.to_owned()),
            }
        }
        Ok(arguments)
    }

    /// Whether a row is asked for.
    pub(crate) fn wants(&self, id: &str) -> bool {
        let is_named = self.words.is_empty() || self.words.iter().any(|word| id.contains(word.as_str()));
        is_named && !self.without.contains(id)
    }

    /// The record's name: a part of the rows never takes the place of all of them.
    pub(crate) fn name(&self) -> String {
        let plain = |word: &String| {
            let word = word.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            word.trim_matches('-').to_owned()
        };
        let mut parts = vec![if self.quick { "bench-quick" } else { "bench" }.to_owned()];
        parts.extend(self.words.iter().map(plain));
        parts.extend(self.again.then(|| "again".to_owned()));
        parts.join("-")
    }
}
