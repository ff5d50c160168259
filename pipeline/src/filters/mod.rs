//! What removes candidates, one file each. Plain functions over what hydrators found.

mod age;
mod author_visibility;
mod competitor_authors;
mod competitor_urls;
mod conversation_duplicates;
mod feedback_fatigue;
mod hydrated;
mod muted_content;
mod out_of_network_safety;
mod own_posts;
mod previously_seen;
mod previously_served;
mod repost_duplicates;
mod sensitive_media;
mod social_context;
mod source_posts;
mod subscription_replies;
mod subscriptions;
mod support_replies;
#[cfg(test)]
mod tests;

pub use age::Age;
pub use author_visibility::AuthorVisibility;
pub use competitor_authors::CompetitorAuthors;
pub use competitor_urls::CompetitorUrls;
pub use conversation_duplicates::ConversationDuplicates;
pub use feedback_fatigue::FeedbackFatigue;
pub use hydrated::Hydrated;
pub(crate) use muted_content::Keywords;
pub use muted_content::MutedContent;
pub use out_of_network_safety::OutOfNetworkSafety;
pub use own_posts::OwnPosts;
pub use previously_seen::PreviouslySeen;
pub use previously_served::PreviouslyServed;
pub use repost_duplicates::RepostDuplicates;
pub use sensitive_media::SensitiveMediaFilter;
pub use social_context::{ProofRule, SocialContext};
pub use source_posts::SourcePosts;
pub use subscription_replies::SubscriptionReplies;
pub use subscriptions::Subscriptions;
pub use support_replies::SupportReplies;

use crate::domain::Candidate;
use crate::engine::Verdict;

/// Judges each candidate by itself: removed by `rule` when `broken` says so.
fn each(candidates: &[Candidate], rule: &'static str, broken: impl Fn(&Candidate) -> bool) -> Vec<Verdict> {
    candidates.iter().map(|candidate| Verdict::remove_if(broken(candidate), rule)).collect()
}
