//! What a reader can say about a post.

use crate::component;
use crate::domain::{Candidate, FeedbackKind, Query};
use crate::engine::Decorator;
use crate::mixing::{Item, Offer};
use crate::timeline::ActionKind;

/// Offers, on everybody else's posts, to say that one does not like the post, and then more exactly why: fewer posts of
/// its author, fewer reposts of who passed it on, not relevant; or to unfollow, mute or block its author.
pub struct FeedbackOffers {
    /// Whether to unfollow, mute or block is offered instead.
    pub relations: bool,
}

component!(FeedbackOffers, "feedback_offers", "what a reader can say about each post");

impl Decorator<Query, Item> for FeedbackOffers {
    fn decorate(&self, query: &Query, items: &mut [Item]) {
        for shown in items.iter_mut().flat_map(Item::all_posts_mut) {
            shown.offers = self.offers(query, &shown.candidate);
        }
    }
}

impl FeedbackOffers {
    fn offers(&self, query: &Query, candidate: &Candidate) -> Vec<Offer> {
        let (poster, author) = (candidate.author_id, candidate.original_author_id());
        if poster == query.viewer || author == query.viewer {
            return Vec::new();
        }
        let offer = |kind, about, through| Offer { kind, about, through };
        let mut offers = vec![offer(ActionKind::DontLike, author, FeedbackKind::NotRelevant)];
        if self.relations {
            if query.follows(author) {
                offers.push(offer(ActionKind::Unfollow, author, FeedbackKind::Post));
            }
            offers.push(offer(ActionKind::Mute, author, FeedbackKind::Post));
            offers.push(offer(ActionKind::Block, author, FeedbackKind::Post));
            return offers;
        }
        offers.push(offer(ActionKind::SeeFewer, author, FeedbackKind::Post));
        if candidate.is_repost() {
            offers.push(offer(ActionKind::SeeFewer, poster, FeedbackKind::Repost));
        }
        offers.push(offer(ActionKind::NotRelevant, author, FeedbackKind::NotRelevant));
        offers
    }
}
