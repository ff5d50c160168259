//! When a pipeline applies, one file each.

mod away;
mod follows_somebody;
mod known_viewer;
mod not_enough_cached;

pub use away::Away;
pub use follows_somebody::FollowsSomebody;
pub use known_viewer::KnownViewer;
pub use not_enough_cached::NotEnoughCached;
