//! Records of random values, as the released `generate_random_data.py` draws them: integers uniform in 0 to 9, binary
//! features and ids included, floats uniform in [0, 1), every feature of the schema.
//!
//! Value `j` of feature `name` in record `r` is drawn from
//! `mix((seed XOR fnv1a64(name)) + (r · length + j + 1) · 0x9E3779B97F4A7C15)` with splitmix64's finaliser `mix`, all
//! 64-bit and wrapping: a float is its upper 24 bits · 2⁻²⁴, an integer its upper 32 bits · 10 · 2⁻³² without the
//! fraction. So a record depends on seed, schema and number alone. What differs from a plain draw:
//!
//! - features whose name starts with `user.` describe the viewer: `r` is the request there, not the record;
//! - the user id differs from the one of the request before (it is drawn from the other nine), so that requests stay
//!   apart;
//! - a bytes feature (which the released script cannot draw) holds one ASCII digit a value, and a feature whose length
//!   varies has no values.

use std::path::Path;

use super::encode::{Values, encode_example};
use super::schema::{Dtype, Schema};
use super::writer::{Compression, RecordWriter};
use crate::{Error, Result};

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const USER_ID: &str = "meta.user_id";
const TWEET_ID: &str = "meta.tweet_id";
const DIGITS: [&[u8]; 10] = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"];

/// How `meta.tweet_id` is filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TweetIds {
    /// Drawn from 0 to 9 like every integer.
    #[default]
    Drawn,
    /// The record's number from 0, so that candidates can be told apart.
    Numbered,
}

/// Which records to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomRecords {
    /// Seed of all values.
    pub seed: u64,
    /// How many records.
    pub records: u64,
    /// Records of one request: they share `meta.user_id`. At least 1.
    pub records_per_request: u64,
    /// How `meta.tweet_id` is filled.
    pub tweet_ids: TweetIds,
}

impl RandomRecords {
    /// Writes the records to a TFRecord file.
    ///
    /// # Errors
    /// `records_per_request` is 0; the file cannot be written.
    pub fn write(&self, schema: &Schema, path: &Path, compression: Compression) -> Result<()> {
        let mut examples = self.examples(schema)?;
        let mut writer = RecordWriter::create(path, compression)?;
        let mut example = Vec::new();
        while examples.next_into(&mut example) {
            writer.write(&example)?;
        }
        writer.finish()
    }

    /// The records one after the other, as encoded examples.
    ///
    /// # Errors
    /// `records_per_request` is 0.
    pub fn examples<'a>(&self, schema: &'a Schema) -> Result<RandomExamples<'a>> {
        if self.records_per_request == 0 {
            return Err(Error::Argument {
                argument: "records_per_request",
                expected: "at least one record".to_owned(),
                found: "0".to_owned(),
            });
        }
        let columns = schema
            .entries()
            .iter()
            .map(|entry| {
                let length = entry.length.unwrap_or(0);
                let drawn = match entry.dtype {
                    Dtype::Bytes => Drawn::Bytes(vec![DIGITS[0]; length]),
                    Dtype::Float => Drawn::Floats(vec![0.0; length]),
                    Dtype::Int64 => Drawn::Integers(vec![0; length]),
                };
                Drawing { name: &entry.name, base: self.seed ^ fnv1a64(&entry.name), drawn }
            })
            .collect();
        Ok(RandomExamples { plan: *self, drawings: columns, record: 0, user: 0 })
    }
}

/// The records of a [`RandomRecords`], drawn one by one.
#[derive(Debug, Clone)]
pub struct RandomExamples<'a> {
    plan: RandomRecords,
    drawings: Vec<Drawing<'a>>,
    record: u64,
    user: i64,
}

#[derive(Debug, Clone)]
struct Drawing<'a> {
    name: &'a str,
    base: u64,
    drawn: Drawn,
}

#[derive(Debug, Clone)]
enum Drawn {
    Bytes(Vec<&'static [u8]>),
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

impl RandomExamples<'_> {
    /// Replaces `example` by the next record; `false` when there is none left.
    pub fn next_into(&mut self, example: &mut Vec<u8>) -> bool {
        example.clear();
        if self.record >= self.plan.records {
            return false;
        }
        let request = self.record / self.plan.records_per_request;
        let starts_request = self.record.is_multiple_of(self.plan.records_per_request);
        for drawing in &mut self.drawings {
            let name = drawing.name;
            let row = if name.starts_with("user.") { request } else { self.record };
            match name {
                USER_ID if starts_request => {
                    let draw = mix(drawing.base, request);
                    self.user = match request {
                        0 => below(10, draw),
                        _ => (self.user + 1 + below(9, draw)) % 10,
                    };
                    drawing.fill(|_| Draw::fixed(self.user));
                }
                USER_ID => drawing.fill(|_| Draw::fixed(self.user)),
                TWEET_ID if self.plan.tweet_ids == TweetIds::Numbered => {
                    drawing.fill(|_| Draw::fixed(self.record as i64));
                }
                _ => {
                    let base = drawing.base;
                    let first = row.wrapping_mul(drawing.len() as u64);
                    drawing.fill(|j| Draw::random(mix(base, first.wrapping_add(j as u64))));
                }
            }
        }
        let features: Vec<(&str, Values<'_>)> =
            self.drawings.iter().map(|drawing| (drawing.name, drawing.values())).collect();
        encode_example(&features, example);
        self.record += 1;
        true
    }
}

/// One draw, as the float and as the integer that it gives.
struct Draw {
    float: f32,
    integer: i64,
}

impl Draw {
    fn random(bits: u64) -> Self {
        // 24 bits and a power of two: both steps are exact in f32.
        Self { float: (bits >> 40) as f32 * (1.0 / 16_777_216.0), integer: below(10, bits) }
    }

    fn fixed(integer: i64) -> Self {
        Self { float: integer as f32, integer }
    }
}

impl Drawing<'_> {
    fn len(&self) -> usize {
        match &self.drawn {
            Drawn::Bytes(values) => values.len(),
            Drawn::Floats(values) => values.len(),
            Drawn::Integers(values) => values.len(),
        }
    }

    fn fill(&mut self, draw: impl Fn(usize) -> Draw) {
        match &mut self.drawn {
            Drawn::Bytes(values) => {
                let digit = |j| DIGITS[draw(j).integer.rem_euclid(10) as usize];
                values.iter_mut().enumerate().for_each(|(j, value)| *value = digit(j));
            }
            Drawn::Floats(values) => {
                values.iter_mut().enumerate().for_each(|(j, value)| *value = draw(j).float);
            }
            Drawn::Integers(values) => {
                values.iter_mut().enumerate().for_each(|(j, value)| *value = draw(j).integer);
            }
        }
    }

    fn values(&self) -> Values<'_> {
        match &self.drawn {
            Drawn::Bytes(values) => Values::Bytes(values),
            Drawn::Floats(values) => Values::Floats(values),
            Drawn::Integers(values) => Values::Integers(values),
        }
    }
}

/// The upper 32 bits scaled to 0..bound.
fn below(bound: u64, bits: u64) -> i64 {
    (((bits >> 32) * bound) >> 32) as i64
}

/// Number `index` of the sequence that starts at `base`.
fn mix(base: u64, index: u64) -> u64 {
    let mut z = base.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn fnv1a64(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generator_is_splitmix64() {
        // The first outputs of the published splitmix64.c with state 1234567.
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        for (index, expected) in expected.into_iter().enumerate() {
            assert_eq!(mix(1_234_567, index as u64), expected);
        }
        // FNV's published vectors.
        assert_eq!(fnv1a64(""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(fnv1a64("foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn a_seed_gives_the_same_bits_everywhere() {
        let schema = Schema::released();
        let plan = RandomRecords { seed: 7, records: 3, records_per_request: 2, tweet_ids: TweetIds::Drawn };
        let mut examples = plan.examples(&schema).unwrap();
        let mut example = Vec::new();
        let mut sums = Vec::new();
        while examples.next_into(&mut example) {
            sums.push((example.len(), super::super::crc32c::crc32c(&example)));
        }
        assert_eq!(sums, [(28_410, 0x9695_C7A9), (28_410, 0x2CE6_0DB3), (28_410, 0x99FC_4BE2)]);
    }
}
