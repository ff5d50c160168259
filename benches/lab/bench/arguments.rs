//! The command line.

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    /// Fewer samples, fewer sizes.
    pub(crate) quick: bool,
    /// Ids and estimates only.
    pub(crate) list: bool,
    /// Write records.
    pub(crate) record: bool,
    /// Words of which an id must contain one; none takes all.
    pub(crate) words: Vec<String>,
    /// Plant a fault in the product: every row must be refused. For tests.
    pub(crate) planted_fault: bool,
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
                "--planted-fault" => (arguments.planted_fault, arguments.record) = (true, false),
                option if option.starts_with('-') => {
                    return Err(format!(
                        "no option is called {option}; there are --quick, --list, --no-record and words of ids"
                    ));
                }
                word => arguments.words.push(word.to_owned()),
            }
        }
        Ok(arguments)
    }

    /// Whether a row is asked for.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| id.contains(word.as_str()))
    }
}
