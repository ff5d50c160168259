//! Worlds in files: a folder with a manifest and one file for each table, in Parquet or JSON lines.
//!
//! [`columns`] holds a chunk of rows as columns; [`parquet_read`], [`parquet_write`] and [`json_lines`] fill and drain it; [`tables`]
//! says which columns make up which row. A reader hands out rows one by one with their numbers, so that whatever is
//! wrong with one is reported as file, row and field. `docs/FORMATS.md` is made from the same tables.
//!
//! [`columns`]: self
//! [`parquet_read`]: self
//! [`parquet_write`]: self
//! [`json_lines`]: self
//! [`tables`]: self

mod columns;
mod describe;
mod error;
mod folder;
mod json_lines;
mod parquet_read;
mod parquet_write;
mod read;
mod tables;
mod tables_users;
mod write;

pub use describe::describe;
pub use error::ImportError;
pub use folder::{Manifest, World, default_folder, default_world, generate, import};
pub use read::load;
pub use write::{FileFormat, WorldWriter};

#[cfg(test)]
mod tests;
