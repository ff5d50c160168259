//! What happens because a timeline was served, one file each.

mod announced;
mod cache_scored_posts;
mod client_events;
mod record_impressions;
mod record_served;
mod record_visit;

pub use announced::Announced;
pub use cache_scored_posts::CacheScoredPosts;
pub use client_events::{ClientEvents, ServedCounters};
pub use record_impressions::RecordImpressions;
pub use record_served::RecordServed;
pub use record_visit::RecordVisit;
