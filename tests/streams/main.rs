//! `score` over files: any number, any size, any form, and killed at any moment.

#![allow(unreachable_pub, reason = "a test crate has no one to export to")]

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod large;
mod resume;
mod tables;
mod world;
