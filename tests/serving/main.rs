//! What a service needs beyond a scorer: merged requests, replaced models.

#![allow(unreachable_pub, reason = "a test crate has no one to export to")]

mod batching;
#[path = "../common/mod.rs"]
mod common;
mod performance;
mod reload;
mod soak;
mod stress;
mod support;
