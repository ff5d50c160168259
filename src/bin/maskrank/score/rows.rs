//! One line a candidate.

use std::io::{self, Write};

use maskrank::records::RecordBlock;
use maskrank::{Scores, Status};

use crate::output::short_name;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
}

/// A candidate's line, kept until its request is whole.
struct Kept {
    score: f32,
    line: Vec<u8>,
}

/// Writes blocks; with `top`, only the best of each request, also of one that several blocks hold.
pub(crate) struct Rows {
    format: Format,
    tasks: Vec<String>,
    top: Option<usize>,
    /// The best so far of the request that goes on in the next block, best first.
    open: Vec<Kept>,
}

impl Rows {
    pub(crate) fn new(format: Format, tasks: &[String], top: Option<u32>) -> Self {
        let tasks = tasks.iter().map(|task| short_name(task).to_owned()).collect();
        Self { format, tasks, top: top.map(|k| k as usize), open: Vec::new() }
    }

    pub(crate) fn header(&self, out: &mut impl Write) -> io::Result<()> {
        if self.format == Format::Csv {
            writeln!(out, "user_id,author_id,tweet_id,status,score,{}", self.tasks.join(","))?;
        }
        Ok(())
    }

    pub(crate) fn write(
        &mut self,
        block: &RecordBlock,
        scores: &Scores,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let Some(top) = self.top else {
            return (0..block.len()).try_for_each(|row| self.line(block, scores, row, out));
        };
        if !block.continues_from_previous() {
            self.close(out)?;
        }
        let last = block.requests().len() - 1;
        for (index, range) in block.requests().enumerate() {
            let best = &scores.top_k[scores.top_k_offsets[index]..scores.top_k_offsets[index + 1]];
            for &candidate in best {
                let row = range.start + candidate as usize;
                let mut line = Vec::new();
                self.line(block, scores, row, &mut line)?;
                self.open.push(Kept { score: scores.scores[row], line });
            }
            // Stable: ties keep the order of the records.
            self.open.sort_by(|a, b| match (a.score.is_finite(), b.score.is_finite()) {
                (true, true) => b.score.total_cmp(&a.score),
                (left, right) => right.cmp(&left),
            });
            self.open.truncate(top);
            if index < last || !block.continues() {
                self.close(out)?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.close(out)
    }

    fn close(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.open.drain(..).try_for_each(|kept| out.write_all(&kept.line))
    }

    fn line(&self, block: &RecordBlock, scores: &Scores, row: usize, out: &mut impl Write) -> io::Result<()> {
        let status = match scores.statuses[row] {
            Status::Ok => "ok",
            Status::ZeroVariance => "zero_variance",
            _ => "non_finite",
        };
        let (user, author, tweet) = (block.user_ids()[row], block.author_ids()[row], block.tweet_ids()[row]);
        let score = scores.scores[row];
        let tasks = self.tasks.len();
        let probabilities = &scores.calibrated_probabilities[row * tasks..(row + 1) * tasks];
        match self.format {
            Format::Csv => {
                write!(out, "{user},{author},{tweet},{status},{score}")?;
                probabilities.iter().try_for_each(|p| write!(out, ",{p}"))?;
                writeln!(out)
            }
            Format::JsonLines => {
                // Ids pass 2^53, which many readers of JSON cannot hold as numbers.
                write!(
                    out,
                    "{{\"user_id\":\"{user}\",\"author_id\":\"{author}\",\"tweet_id\":\"{tweet}\",\
                     \"status\":\"{status}\",\"score\":{}",
                    Number(score)
                )?;
                for (task, &p) in self.tasks.iter().zip(probabilities) {
                    write!(out, ",{}:{}", serde_json::Value::from(task.as_str()), Number(p))?;
                }
                writeln!(out, "}}")
            }
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
