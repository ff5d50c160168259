//! What says how items are shown, one file each.

mod offers;
mod social_context;

pub use offers::FeedbackOffers;
pub use social_context::SocialContexts;
