//! Limits of the service, each by its name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// How much of one kind of work is done at once, and how much may wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneConfig {
    /// Requests that are worked on at once.
    pub concurrent: usize,
    /// Requests that may wait for a place; one more is shed.
    pub waiting: usize,
    /// Longest wait, in milliseconds: a request that would wait longer, going by how long the last ones took, is shed
    /// at once, and one that did wait longer is shed then.
    pub max_wait_ms: u64,
    /// A request is not let wait when it would be answered later than this, in milliseconds, going by how long the last
    /// ones took. Without it only the wait itself is limited.
    #[serde(default)]
    pub answer_within_ms: Option<u64>,
    /// Stricter limits while more is asked for than can be done; without it the two above hold always.
    #[serde(default)]
    pub rush: Option<RushConfig>,
}

/// What a lane allows while more is asked for than can be done. A burst passes, so it may wait; in a rush everybody would
/// wait for as long as anybody may.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RushConfig {
    /// It is a rush once requests have been waiting without a pause for so long, in milliseconds.
    pub after_ms: u64,
    /// Longest wait, in milliseconds.
    pub max_wait_ms: u64,
    /// A request is not let wait when it would be answered later than this, in milliseconds.
    #[serde(default)]
    pub answer_within_ms: Option<u64>,
}

/// What one viewer may do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ViewerLimits {
    /// Requests under way at once.
    pub concurrent: usize,
    /// Requests a second, in the long run.
    pub rate: f64,
    /// Requests at once after a pause.
    pub burst: f64,
}

impl Default for ViewerLimits {
    fn default() -> Self {
        Self { concurrent: 8, rate: 50.0, burst: 100.0 }
    }
}

/// Limits of the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceConfig {
    /// For You and explanations.
    pub ranked: LaneConfig,
    /// Following, Lists and Subscribed.
    pub chronological: LaneConfig,
    /// Everything that writes.
    pub writes: LaneConfig,
    /// What one viewer may do.
    pub viewer: ViewerLimits,
    /// A whole request's limit, in milliseconds, its wait for a place included.
    pub deadline_ms: u64,
    /// Limit for receiving a request's line and header fields, in milliseconds.
    pub head_timeout_ms: u64,
    /// Limit for receiving a request's body, in milliseconds.
    pub body_timeout_ms: u64,
    /// Most bytes of a request's body.
    pub max_body_bytes: usize,
    /// Most bytes of a request's line and header fields.
    pub max_head_bytes: usize,
    /// Connections at once. One more takes the place of the one that has been idle for longest.
    pub connections: usize,
    /// A connection on which nothing happens for so long is closed, in milliseconds.
    pub idle_timeout_ms: u64,
    /// How long a shutdown waits for what is under way, in milliseconds.
    pub drain_ms: u64,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            // Who is sent away comes again after a second at the earliest: up to that, waiting is the better offer.
            ranked: LaneConfig {
                concurrent: cores,
                waiting: 32 * cores,
                max_wait_ms: 1_500,
                answer_within_ms: Some(1_500),
                rush: Some(RushConfig { after_ms: 20, max_wait_ms: 350, answer_within_ms: Some(450) }),
            },
            chronological: LaneConfig {
                concurrent: 2 * cores,
                waiting: 128 * cores,
                max_wait_ms: 100,
                answer_within_ms: None,
                rush: Some(RushConfig { after_ms: 150, max_wait_ms: 10, answer_within_ms: None }),
            },
            writes: LaneConfig {
                concurrent: 16,
                waiting: 256,
                max_wait_ms: 500,
                answer_within_ms: None,
                rush: None,
            },
            viewer: ViewerLimits::default(),
            deadline_ms: 3_000,
            head_timeout_ms: 5_000,
            body_timeout_ms: 5_000,
            max_body_bytes: 64 * 1024,
            max_head_bytes: 16 * 1024,
            connections: 1_024,
            idle_timeout_ms: 30_000,
            drain_ms: 10_000,
        }
    }
}

impl ServiceConfig {
    /// Reads a YAML or JSON file. Fields that it does not name keep their defaults.
    ///
    /// # Errors
    /// The file cannot be read, names an unknown field, or has a value out of range.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let syntax = |problem: String| ConfigError::Syntax { path: path.to_owned(), problem };
        let config: Self = serde_norway::from_str(&text).map_err(|error| syntax(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// Checks every value that has a range.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        const MOST: usize = 1 << 20;
        let sizes = [
            ("ranked.concurrent", self.ranked.concurrent, 1, MOST),
            ("ranked.waiting", self.ranked.waiting, 0, MOST),
            ("chronological.concurrent", self.chronological.concurrent, 1, MOST),
            ("chronological.waiting", self.chronological.waiting, 0, MOST),
            ("writes.concurrent", self.writes.concurrent, 1, MOST),
            ("writes.waiting", self.writes.waiting, 0, MOST),
            ("viewer.concurrent", self.viewer.concurrent, 1, MOST),
            ("max_body_bytes", self.max_body_bytes, 1, 1 << 30),
            // The HTTP library reads at least this much at once.
            ("max_head_bytes", self.max_head_bytes, 8 * 1024, 1 << 24),
            ("connections", self.connections, 1, MOST),
        ];
        for (field, value, least, most) in sizes {
            if !(least..=most).contains(&value) {
                return Err(out_of_range(field, least, most, value));
            }
        }
        const HOUR: u64 = 3_600_000;
        let times = [
            ("ranked.max_wait_ms", self.ranked.max_wait_ms),
            ("chronological.max_wait_ms", self.chronological.max_wait_ms),
            ("writes.max_wait_ms", self.writes.max_wait_ms),
            ("deadline_ms", self.deadline_ms),
            ("head_timeout_ms", self.head_timeout_ms),
            ("body_timeout_ms", self.body_timeout_ms),
            ("idle_timeout_ms", self.idle_timeout_ms),
            ("drain_ms", self.drain_ms),
        ];
        let lanes = [
            (self.ranked, optional_times!("ranked")),
            (self.chronological, optional_times!("chronological")),
            (self.writes, optional_times!("writes")),
        ];
        let optional = lanes.iter().flat_map(|(lane, [within, after, wait, rush_within])| {
            [
                (*within, lane.answer_within_ms),
                (*after, lane.rush.map(|rush| rush.after_ms)),
                (*wait, lane.rush.map(|rush| rush.max_wait_ms)),
                (*rush_within, lane.rush.and_then(|rush| rush.answer_within_ms)),
            ]
        });
        let optional = optional.filter_map(|(field, value)| Some((field, value?)));
        for (field, value) in times.into_iter().chain(optional) {
            if !(1..=HOUR).contains(&value) {
                return Err(out_of_range(field, 1, HOUR, value));
            }
        }
        for (field, value) in [("viewer.rate", self.viewer.rate), ("viewer.burst", self.viewer.burst)] {
            if !(1.0..=1e6).contains(&value) {
                return Err(out_of_range(field, 1.0, 1e6, value));
            }
        }
        Ok(())
    }
}

/// Names of a lane's times that may be left out.
macro_rules! optional_times {
    ($lane:literal) => {
        [
            concat!($lane, ".answer_within_ms"),
            concat!($lane, ".rush.after_ms"),
            concat!($lane, ".rush.max_wait_ms"),
            concat!($lane, ".rush.answer_within_ms"),
        ]
    };
}
use optional_times;

fn out_of_range<T: std::fmt::Display>(field: &'static str, least: T, most: T, value: T) -> ConfigError {
    ConfigError::Value { field, problem: format!("expected {least} to {most}, got {value}") }
}

/// Where the service listens, unless told otherwise: on this machine only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_a_file_names_only_what_differs() {
        ServiceConfig::default().check().expect("in range");
        let config: ServiceConfig =
            serde_norway::from_str("viewer: {rate: 5}\ndeadline_ms: 100").expect("parses");
        assert_eq!((config.viewer.rate, config.viewer.burst, config.deadline_ms), (5.0, 100.0, 100));
        config.check().expect("in range");
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_refused() {
        for text in ["dead_line_ms: 3", "ranked: {concurrent: 1}", "connections: -1"] {
            assert!(serde_norway::from_str::<ServiceConfig>(text).is_err(), "{text}");
        }
        for text in [
            "connections: 0",
            "max_head_bytes: 100",
            "deadline_ms: 0",
            "viewer: {rate: .nan}",
            "ranked: {concurrent: 0, waiting: 0, max_wait_ms: 1}",
            "ranked: {concurrent: 1, waiting: 0, max_wait_ms: 1, answer_within_ms: 0}",
            "writes: {concurrent: 1, waiting: 0, max_wait_ms: 1, rush: {after_ms: 0, max_wait_ms: 1}}",
        ] {
            let config: ServiceConfig = serde_norway::from_str(text).expect("parses");
            assert!(config.check().is_err(), "{text}");
        }
    }
}
