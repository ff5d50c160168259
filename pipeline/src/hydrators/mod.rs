//! What is found out about candidates, one file each. The model's features are not here but in [`crate::features`].

mod authors;
mod conversation;
mod in_network;
mod related_posts;
mod social_proof;
#[cfg(test)]
mod tests;

pub use authors::Authors;
pub use conversation::Conversations;
pub use in_network::InNetworkFlag;
pub use related_posts::RelatedPosts;
pub use social_proof::SocialProofs;
