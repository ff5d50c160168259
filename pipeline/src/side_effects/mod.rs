//! What happens because a timeline was served, one file each.

mod cache_scored_posts;
mod record_impressions;
mod record_served;
mod record_visit;

pub use cache_scored_posts::CacheScoredPosts;
pub use record_impressions::RecordImpressions;
pub use record_served::RecordServed;
pub use record_visit::RecordVisit;
