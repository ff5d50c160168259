//! The Heavy Ranker's own data: TFRecord files of `tf.Example`, read by a segdense schema.
//!
//! ```text
//! file ──► source (gzip or not) ──► frames (lengths, sums) ──► example (features found in place) ──► RecordBlock
//!                                                                        ▲
//!                          Schema + LayoutSpec + Widths ──►       RecordLayout
//! ```
//!
//! A [`BlockReader`] fills one [`RecordBlock`] over and over, so any number of files is read in constant memory.
//! [`ReadOptions`] say what a broken record or a missing feature means. What the reader holds, whatever the files say,
//! is at most
//!
//! - twice `max_record_bytes` for the record being read (once except while the buffer grows), and no more than three
//!   times what has really arrived of the longest record (or 256 KiB): a length is only a claim,
//! - [`RecordLayout::row_bytes`] times the capacity of the caller's block, and one row more,
//! - 512 KiB for file buffer, decompression, the places of features, and the texts of kept errors,
//! - 1.25 MiB more with [`BlockReader::read_ahead`].
//!
//! Writing is the reverse: [`encode_example`], [`RecordWriter`], and [`RandomRecords`] for data to try things with.

#![forbid(unsafe_code)]

mod ahead;
mod block;
mod crc32c;
mod decode;
mod encode;
mod example;
mod frames;
mod layout;
mod random;
mod reader;
mod schema;
mod source;
mod wire;
mod writer;

pub use block::{Origin, Position, RecordBlock, Row};
pub use encode::{Values, encode_example};
pub use layout::{LayoutSpec, RecordLayout};
pub use random::{RandomExamples, RandomRecords, TweetIds};
pub use reader::{BlockReader, Missing, OnBad, ReadOptions, Skipped};
pub use schema::{Dtype, Schema, SchemaEntry};
pub use writer::{Compression, RecordWriter};
