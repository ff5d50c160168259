//! Where candidates come from, one file each.

mod backfill;
mod cached;
mod in_network;
mod list_posts;
mod popular_videos;
mod recommended_authors;
mod second_degree;
mod similar;
#[cfg(test)]
mod tests;

pub use backfill::Backfill;
pub use cached::Cached;
pub use in_network::{InNetwork, LightRanker};
pub use list_posts::{HasLists, ListPosts};
pub use popular_videos::PopularVideos;
pub use recommended_authors::{AccountReason, RecommendedAccount, RecommendedAuthors, recommend_accounts};
pub use second_degree::SecondDegree;
pub use similar::{Similar, nearest};
