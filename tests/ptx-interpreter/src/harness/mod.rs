//! What tests use: modules, buffers, arguments, launches, and the kernels as they ship.

mod args;
mod artifacts;
mod gpu;
mod launch;
mod module;

pub use args::{Arg, Struct};
pub use artifacts::{EntryInfo, Kernels};
pub use gpu::{Gpu, Padding, Plain};
pub use launch::Launch;
pub use module::Module;
