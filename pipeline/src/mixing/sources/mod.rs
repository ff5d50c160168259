//! Where items come from, one file each.

mod conversations;
mod ranked_posts;

pub use ranked_posts::RankedPosts;
