//! The service: timelines over HTTP, and the page that shows them.
//!
//! ```text
//! connections (bounded; the idle give way) ► frame (id, body, deadline, log) ► token ► viewer's allowance
//!     ► lane (places, short queue, shedding) ► Home, or a store ► JSON
//! ```
//!
//! A token names the viewer, and nothing else in a request can: whatever is read or written is that viewer's. Lanes keep
//! ranking, reading and writing apart; what would have to wait too long is sent away at once. What a write acknowledges
//! is on disk. The configuration is replaced whole or not at all.

mod admission;
mod app;
mod asking;
mod clock;
mod config;
mod connections;
mod crew;
mod demo;
mod explain;
mod frame;
mod listener;
mod metrics;
mod page;
mod probes;
mod problem;
mod reload;
mod routes;
mod timelines;
mod tokens;
mod viewer;
mod viewers;
mod writes;

pub use app::{App, Parts};
pub use clock::RunningClock;
pub use config::{DEFAULT_LISTEN, LaneConfig, RushConfig, ServiceConfig, ViewerLimits};
pub use demo::{Demo, PAGE_FIELD};
pub use frame::{REQUEST_ID, RequestId};
pub use listener::{Drained, bind, serve};
pub use problem::Problem;
pub use reload::{Build, ReloadError, Reloader, Watched};
pub use routes::{router, routes};
pub use tokens::Tokens;
