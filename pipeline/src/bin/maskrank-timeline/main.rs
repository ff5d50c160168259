//! Command line of the timeline pipeline.
#![forbid(unsafe_code)]
fn main() {}
