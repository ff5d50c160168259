//! Worlds: everything the stores are loaded with, generated or imported.
//!
//! A world is generated ([`Generator`]) or read from files ([`load`]), row by row, into whatever takes rows
//! ([`WorldSink`]): the stores' base in memory ([`LoadedWorld`]) or files ([`WorldWriter`]). On disk it is a folder with
//! a manifest, its tables and the stores' journal ([`World`]).

#[cfg(feature = "cli")]
pub mod cli;
mod config;
mod files;
mod generator;
mod into_base;
mod rows;
#[cfg(feature = "model")]
pub mod training;

pub use config::{DEFAULT_NOW, WorldConfig};
pub use files::{
    FileFormat, ImportError, Manifest, World, WorldWriter, default_folder, default_world, describe, generate,
    import, load,
};
pub use generator::Generator;
pub use into_base::LoadedWorld;
pub use rows::{Ad, BrandSafety, PostRow, Topic, UserEmbeddingRow, WorldSink};
