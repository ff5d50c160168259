//! One line a candidate.

use std::io::{self, Write};
use std::ops::Range;

use maskrank::records::RecordBlock;
use maskrank::{Scores, Status};
use serde::{Deserialize, Serialize};

use crate::output::short_name;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
    Parquet,
}

/// What is written of a candidate. Floats are kept as bits, which JSON can hold whatever they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// User, author, tweet.
    pub(super) ids: [i64; 3],
    status: u8,
    score: u32,
    probabilities: Vec<u32>,
}

impl Line {
    fn fill(&mut self, block: &RecordBlock, scores: &Scores, row: usize, tasks: usize) {
        self.ids = [block.user_ids()[row], block.author_ids()[row], block.tweet_ids()[row]];
        self.status = scores.statuses[row] as u8;
        self.score = scores.scores[row].to_bits();
        self.probabilities.clear();
        let probabilities = &scores.calibrated_probabilities[row * tasks..(row + 1) * tasks];
        self.probabilities.extend(probabilities.iter().map(|p| p.to_bits()));
    }

    /// Bytes of a packed line.
    pub(super) fn packed_bytes(tasks: usize) -> usize {
        3 * 8 + 1 + 4 + 4 * tasks
    }

    /// The line in a form of one size: what a table's rows wait in until the table can be made.
    fn pack(&self, out: &mut impl Write) -> io::Result<()> {
        self.ids.iter().try_for_each(|id| out.write_all(&id.to_le_bytes()))?;
        out.write_all(&[self.status])?;
        out.write_all(&self.score.to_le_bytes())?;
        self.probabilities.iter().try_for_each(|p| out.write_all(&p.to_le_bytes()))
    }

    /// The line that was packed into these bytes, which are [`Line::packed_bytes`].
    pub(super) fn unpack(&mut self, bytes: &[u8]) {
        let (ids, rest) = bytes.split_at(3 * 8);
        for (id, bytes) in self.ids.iter_mut().zip(ids.chunks_exact(8)) {
            *id = bytes.iter().rev().fold(0, |value, &byte| value << 8 | i64::from(byte));
        }
        self.status = rest[0];
        let mut words = rest[1..].chunks_exact(4);
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
        self.score = words.next().map_or(0, word);
        self.probabilities.clear();
        self.probabilities.extend(words.map(word));
    }

    pub(super) fn status(&self) -> &'static str {
        match self.status {
            status if status == Status::Ok as u8 => "ok",
            status if status == Status::ZeroVariance as u8 => "zero_variance",
            _ => "non_finite",
        }
    }

    pub(super) fn score(&self) -> f32 {
        f32::from_bits(self.score)
    }

    pub(super) fn probabilities(&self) -> impl Iterator<Item = f32> + '_ {
        self.probabilities.iter().map(|&bits| f32::from_bits(bits))
    }
}

/// Writes blocks; with `top`, only the best of each request, also of one that several blocks hold.
pub(crate) struct Rows {
    format: Format,
    tasks: Vec<String>,
    top: Option<usize>,
    /// The best so far of the request that goes on in the next block, best first.
    open: Vec<Line>,
}

impl Rows {
    pub(crate) fn new(format: Format, tasks: &[String], top: Option<u32>) -> Self {
        let tasks = tasks.iter().map(|task| short_name(task).to_owned()).collect();
        Self { format, tasks, top: top.map(|k| k as usize), open: Vec::new() }
    }

    /// The engagements' short names.
    pub(crate) fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// The lines of a request that the next block goes on with.
    pub(crate) fn open(&self) -> &[Line] {
        &self.open
    }

    /// Goes on with a request that an earlier run began.
    pub(crate) fn resume(&mut self, open: Vec<Line>) {
        self.open = open;
    }

    pub(crate) fn header(&self, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Csv => {
                writeln!(out, "user_id,author_id,tweet_id,status,score,{}", self.tasks.join(","))
            }
            Format::JsonLines | Format::Parquet => Ok(()),
        }
    }

    /// Writes a block's candidates. `scored` says which were scored together: parts of requests.
    pub(crate) fn write(
        &mut self,
        block: &RecordBlock,
        scored: &[Range<usize>],
        scores: &Scores,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let tasks = self.tasks.len();
        let Some(top) = self.top else {
            let mut line = Line::default();
            return (0..block.len()).try_for_each(|row| {
                line.fill(block, scores, row, tasks);
                self.format.line(&line, &self.tasks, out)
            });
        };
        if !block.continues_from_previous() {
            self.close(out)?;
        }
        let mut ends = block.requests().map(|range| range.end).peekable();
        for (index, range) in scored.iter().enumerate() {
            let best = &scores.top_k[scores.top_k_offsets[index]..scores.top_k_offsets[index + 1]];
            for &candidate in best {
                let mut line = Line::default();
                line.fill(block, scores, range.start + candidate as usize, tasks);
                self.open.push(line);
            }
            // Stable: ties keep the order of the records.
            self.open.sort_by(|a, b| match (a.score().is_finite(), b.score().is_finite()) {
                (true, true) => b.score().total_cmp(&a.score()),
                (left, right) => right.cmp(&left),
            });
            self.open.truncate(top);
            if ends.next_if_eq(&range.end).is_some() && (ends.peek().is_some() || !block.continues()) {
                self.close(out)?;
            }
        }
        Ok(())
    }

    /// Writes what is left of the last request.
    pub(crate) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.close(out)
    }

    fn close(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Self { format, tasks, open, .. } = self;
        open.drain(..).try_for_each(|line| format.line(&line, tasks, out))
    }
}

impl Format {
    fn line(self, line: &Line, tasks: &[String], out: &mut impl Write) -> io::Result<()> {
        let [user, author, tweet] = line.ids;
        let (status, score) = (line.status(), line.score());
        match self {
            Self::Csv => {
                write!(out, "{user},{author},{tweet},{status},{score}")?;
                line.probabilities().try_for_each(|p| write!(out, ",{p}"))?;
                writeln!(out)
            }
            Self::JsonLines => {
                // Ids pass 2^53, which many readers of JSON cannot hold as numbers.
                write!(
                    out,
                    "{{\"user_id\":\"{user}\",\"author_id\":\"{author}\",\"tweet_id\":\"{tweet}\",\
                     \"status\":\"{status}\",\"score\":{}",
                    Number(score)
                )?;
                for (task, p) in tasks.iter().zip(line.probabilities()) {
                    write!(out, ",{}:{}", serde_json::Value::from(task.as_str()), Number(p))?;
                }
                writeln!(out, "}}")
            }
            // The table is made of these when all are there: see `parquet_out`.
            Self::Parquet => line.pack(out),
        }
    }
}

/// A JSON number; `null` where JSON has none.
struct Number(f32);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_finite() { write!(f, "{}", self.0) } else { f.write_str("null") }
    }
}
