//! Worlds: everything the stores are loaded with, generated or imported.

mod config;
mod generator;
mod into_base;
mod rows;

pub use config::{DEFAULT_NOW, WorldConfig};
pub use generator::Generator;
pub use into_base::LoadedWorld;
pub use rows::{Ad, BrandSafety, PostRow, Topic, UserEmbeddingRow, WorldSink};
