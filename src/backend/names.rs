//! Backends and precisions by the names that they are displayed with.

use std::fmt::Display;
use std::str::FromStr;

use super::{Backend, Precision};
use crate::{Error, Result};

fn named<T: Copy + Display>(argument: &'static str, all: &[T], name: &str) -> Result<T> {
    all.iter().copied().find(|one| one.to_string() == name).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(T::to_string).collect();
        Error::Argument {
            argument,
            expected: format!("one of {}", names.join(", ")),
            found: format!("{name:?}"),
        }
    })
}

impl FromStr for Backend {
    type Err = Error;

    /// # Errors
    /// [`Error::Argument`] for any other text than [`Backend`]'s displayed names.
    fn from_str(name: &str) -> Result<Self> {
        named("backend", &[Self::Auto, Self::Cuda, Self::Wgpu, Self::Cpu], name)
    }
}

impl FromStr for Precision {
    type Err = Error;

    /// # Errors
    /// [`Error::Argument`] for any other text than [`Precision`]'s displayed names.
    fn from_str(name: &str) -> Result<Self> {
        named("precision", &[Self::F32, Self::Tf32, Self::Bf16, Self::F16], name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displayed_is_read() {
        assert_eq!("wgpu".parse::<Backend>().unwrap(), Backend::Wgpu);
        assert_eq!("tf32".parse::<Precision>().unwrap(), Precision::Tf32);
        let error = "BF16".parse::<Precision>().unwrap_err().to_string();
        assert!(error.contains("precision") && error.contains("f32, tf32, bf16, f16"), "{error}");
    }
}
