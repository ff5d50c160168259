//! What goes into a scorer: views of the caller's own memory.
//!
//! A batch is a list of requests; a request is its own features, given once, and any number of candidates. Which
//! columns are given once is declared when the scorer is built ([`Split`]); the others are given per candidate, in
//! ascending order of their column. Matrices are row-major without gaps, one row a candidate.

use std::ops::Range;

use half::{bf16, f16};

use crate::config::Widths;
use crate::{Error, Result};

/// Feature values in one of three types.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Features<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// bfloat16.
    Bf16(&'a [bf16]),
    /// IEEE halves.
    F16(&'a [f16]),
}

impl Features<'_> {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::Bf16(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Features<'_> {
    fn default() -> Self {
        Self::F32(&[])
    }
}

/// Binary feature values: numbers (0 or 1 in real data), however they are stored.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Binary<'a> {
    /// One byte a feature, taken as a number.
    Bytes(&'a [u8]),
    /// One bit a feature, least significant first; each row starts at a new byte.
    Bits(&'a [u8]),
    /// Any numbers.
    Numbers(&'a [f32]),
}

impl Binary<'_> {
    /// Stored elements of `rows` rows of `width` features each.
    fn expected(&self, rows: usize, width: usize) -> usize {
        match self {
            Self::Bytes(_) | Self::Numbers(_) => rows * width,
            Self::Bits(_) => rows * width.div_ceil(8),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Bytes(values) | Self::Bits(values) => values.len(),
            Self::Numbers(values) => values.len(),
        }
    }
}

impl Default for Binary<'_> {
    fn default() -> Self {
        Self::Bytes(&[])
    }
}

/// One matrix or row of every input that the model has; an absent input stays empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    /// Continuous features.
    pub continuous: Features<'a>,
    /// Binary features.
    pub binary: Binary<'a>,
    /// The viewer's follow embedding.
    pub user_embedding: Features<'a>,
    /// The viewer's engagement embedding.
    pub user_eng_embedding: Features<'a>,
    /// The author's embedding.
    pub author_embedding: Features<'a>,
}

impl<'a> Columns<'a> {
    /// The three embeddings, in the order of [`crate::config::EMBEDDINGS`].
    #[must_use]
    pub fn embeddings(&self) -> [Features<'a>; 3] {
        [self.user_embedding, self.user_eng_embedding, self.author_embedding]
    }
}

/// One request: features given once, and its candidates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// Number of candidates; may be 0.
    pub candidates: usize,
    /// Columns given once: one row of each.
    pub request: Columns<'a>,
    /// Columns given per candidate: `candidates` rows of each.
    pub candidate: Columns<'a>,
}

/// Requests that are scored together. Their order and grouping never change a candidate's bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    /// The requests.
    pub requests: &'a [Request<'a>],
}

impl Batch<'_> {
    /// Candidates of all requests.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.requests.iter().map(|request| request.candidates).sum()
    }
}

/// Which columns are given once a request. Declared when a scorer is built, the same for every batch.
///
/// Every backend reads such columns once a request. The CPU and CUDA also compute what they can of the products over them
/// once a request; wgpu computes all products for every candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Ranges of continuous features; ascending, not touching each other's columns.
    pub continuous: Vec<Range<usize>>,
    /// Ranges of binary features.
    pub binary: Vec<Range<usize>>,
    /// Whether each embedding is given once, in the order of [`crate::config::EMBEDDINGS`].
    pub embeddings: [bool; 3],
}

impl Split {
    /// Both of the viewer's embeddings once a request, everything else per candidate.
    #[must_use]
    pub fn user_embeddings() -> Self {
        Self { embeddings: [true, true, false], ..Self::default() }
    }

    /// Widths of what is given once a request.
    #[must_use]
    pub fn request_widths(&self, widths: Widths) -> Widths {
        let once = |flag: bool, width: usize| if flag { width } else { 0 };
        Widths {
            continuous: self.continuous.iter().map(ExactSizeIterator::len).sum(),
            binary: self.binary.iter().map(ExactSizeIterator::len).sum(),
            user_embedding: once(self.embeddings[0], widths.user_embedding),
            user_eng_embedding: once(self.embeddings[1], widths.user_eng_embedding),
            author_embedding: once(self.embeddings[2], widths.author_embedding),
        }
    }

    /// Widths of what is given per candidate.
    #[must_use]
    pub fn candidate_widths(&self, widths: Widths) -> Widths {
        let once = self.request_widths(widths);
        Widths {
            continuous: widths.continuous - once.continuous,
            binary: widths.binary - once.binary,
            user_embedding: widths.user_embedding - once.user_embedding,
            user_eng_embedding: widths.user_eng_embedding - once.user_eng_embedding,
            author_embedding: widths.author_embedding - once.author_embedding,
        }
    }

    /// Checks the declared ranges against the model's widths.
    ///
    /// # Errors
    /// A range that is empty, out of order, overlapping or beyond the width.
    pub fn check(&self, widths: Widths) -> Result<()> {
        for (argument, ranges, width) in [
            ("split.continuous", &self.continuous, widths.continuous),
            ("split.binary", &self.binary, widths.binary),
        ] {
            let mut end = 0;
            for range in ranges {
                if range.start < end || range.start >= range.end || range.end > width {
                    return Err(Error::Argument {
                        argument,
                        expected: format!("ascending, non-empty, non-overlapping ranges inside 0..{width}"),
                        found: format!("{ranges:?}"),
                    });
                }
                end = range.end;
            }
        }
        Ok(())
    }
}

/// Compares every length of a batch with the scorer's widths. The only place where lengths are looked at.
///
/// # Errors
/// [`Error::TooManyCandidates`], or [`Error::Batch`] naming the request and the operand.
pub(crate) fn check(batch: &Batch<'_>, widths: Widths, split: &Split, max_candidates: usize) -> Result<()> {
    let found =
        batch.requests.iter().try_fold(0usize, |sum, r| sum.checked_add(r.candidates)).unwrap_or(usize::MAX);
    if found > max_candidates {
        return Err(Error::TooManyCandidates { max: max_candidates, found });
    }
    let (once, each) = (split.request_widths(widths), split.candidate_widths(widths));
    for (index, request) in batch.requests.iter().enumerate() {
        // A request without candidates may leave its own features out: nothing reads them.
        if request.candidates > 0 {
            check_columns(index, "request", &request.request, once, 1)?;
        }
        check_columns(index, "candidate", &request.candidate, each, request.candidates)?;
    }
    Ok(())
}

fn check_columns(
    request: usize,
    part: &str,
    columns: &Columns<'_>,
    widths: Widths,
    rows: usize,
) -> Result<()> {
    let wrong = |name: &str, width: usize, expected: usize, found: usize| Error::Batch {
        request,
        operand: format!("{part}.{name} (rows {rows}, {name} {width})"),
        expected: format!("{expected} values"),
        found: format!("{found}"),
    };
    let names = ["continuous", "user_embedding", "user_eng_embedding", "author_embedding"];
    let [user, user_eng, author] = columns.embeddings();
    let values = [columns.continuous, user, user_eng, author];
    let [user, user_eng, author] = widths.embeddings();
    for ((name, values), width) in names.iter().zip(values).zip([widths.continuous, user, user_eng, author]) {
        if values.len() != rows * width {
            return Err(wrong(name, width, rows * width, values.len()));
        }
    }
    let expected = columns.binary.expected(rows, widths.binary);
    if columns.binary.len() != expected {
        return Err(wrong("binary", widths.binary, expected, columns.binary.len()));
    }
    Ok(())
}
