//! The service as its clients meet it: over TCP, with every answer held against the OpenAPI document.

#[path = "../common/mod.rs"]
mod common;
mod contract;
mod explain;
mod faults;
mod harness;
mod hostile;
mod http;
mod kill;
mod model;
mod overload;
mod reading;
mod reload;
mod schema;
mod writing;
