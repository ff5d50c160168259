//! One line a candidate.

use std::io::{self, Write};

use maskrank::records::RecordBlock;
use maskrank::{Scores, Status};
use serde::{Deserialize, Serialize};

use super::parquet_out::ParquetRows;
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
    encoder: Encoder,
    tasks: Vec<String>,
    top: Option<usize>,
    /// The best so far of the request that goes on in the next block, best first.
    open: Vec<Line>,
}

enum Encoder {
    Csv,
    JsonLines,
    Parquet(Box<ParquetRows>),
}

impl Rows {
    pub(crate) fn new(format: Format, tasks: &[String], top: Option<u32>) -> io::Result<Self> {
        let tasks: Vec<String> = tasks.iter().map(|task| short_name(task).to_owned()).collect();
        let encoder = match format {
            Format::Csv => Encoder::Csv,
            Format::JsonLines => Encoder::JsonLines,
            Format::Parquet => Encoder::Parquet(Box::new(ParquetRows::new(&tasks)?)),
        };
        Ok(Self { encoder, tasks, top: top.map(|k| k as usize), open: Vec::new() })
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
        match self.encoder {
            Encoder::Csv => {
                writeln!(out, "user_id,author_id,tweet_id,status,score,{}", self.tasks.join(","))
            }
            Encoder::JsonLines | Encoder::Parquet(_) => Ok(()),
        }
    }

    pub(crate) fn write(
        &mut self,
        block: &RecordBlock,
        scores: &Scores,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let tasks = self.tasks.len();
        let Some(top) = self.top else {
            let mut line = Line::default();
            return (0..block.len()).try_for_each(|row| {
                line.fill(block, scores, row, tasks);
                self.encoder.line(&line, &self.tasks, out)
            });
        };
        if !block.continues_from_previous() {
            self.close(out)?;
        }
        let last = block.requests().len() - 1;
        for (index, range) in block.requests().enumerate() {
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
            if index < last || !block.continues() {
                self.close(out)?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.close(out)?;
        match &mut self.encoder {
            Encoder::Parquet(rows) => rows.finish(out),
            Encoder::Csv | Encoder::JsonLines => Ok(()),
        }
    }

    fn close(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Self { encoder, tasks, open, .. } = self;
        open.drain(..).try_for_each(|line| encoder.line(&line, tasks, out))
    }
}

impl Encoder {
    fn line(&mut self, line: &Line, tasks: &[String], out: &mut impl Write) -> io::Result<()> {
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
            Self::Parquet(rows) => rows.push(line, out),
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
