//! Rows of measurements: one format, written by every bench and read by every report.
//!
//! A run of a bench is a [`Run`]: where and when it ran, what the machine can do, and its [`Row`]s. A [`Recorder`] keeps
//! it as `NAME.csv` and `NAME.json` under `benches/record/MACHINE/DATE-COMMIT/`, written anew after every row, so that an
//! interrupted run keeps what it measured. [`records`] finds all of them again.
#![forbid(unsafe_code)]

mod csv;
mod place;
mod record;
mod row;
pub mod statistics;

pub use csv::{from_csv, to_csv};
pub use place::{Place, commit, today};
pub use record::{Recorder, Run, find, read, records};
pub use row::{COLUMNS, Limit, Row, binding_limit};
pub use statistics::Summary;
