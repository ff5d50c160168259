//! Why a post is there.

use crate::component;
use crate::domain::{Candidate, Query, SocialProof, SuggestKind};
use crate::engine::Decorator;
use crate::mixing::{Item, Reason, Thread};
use crate::timeline::ContextKind;

/// Names the first reason that holds: liked by, followed by, a topic, a popular video, a list, popular nearby. In a
/// conversation only its first post has one: that an account of the network replied, or that one of its posts got a reply.
pub struct SocialContexts;

component!(SocialContexts, "social_contexts", "the first reason that holds why a post is there");

impl Decorator<Query, Item> for SocialContexts {
    fn decorate(&self, _query: &Query, items: &mut [Item]) {
        for item in items {
            match item {
                Item::Post(shown) if shown.reason.is_none() => shown.reason = reason(&shown.candidate),
                Item::Conversation(thread) => decorate_thread(thread),
                _ => {}
            }
        }
    }
}

fn reason(candidate: &Candidate) -> Option<Reason> {
    let nothing = SocialProof::default();
    let proof = candidate.social_proof.get().unwrap_or(&nothing);
    let is_outside = !candidate.is_in_network();
    let plain = |kind, holds: bool| holds.then(|| Reason::plain(kind));
    let topic = proof.topic.filter(|_| is_outside);
    let by_topic = || topic.map(|topic| Reason { topic: Some(topic), ..Reason::plain(ContextKind::Topic) });
    Reason::of_people(ContextKind::LikedBy, &proof.liked_by)
        .or_else(|| Reason::of_people(ContextKind::FollowedBy, &proof.followed_by).filter(|_| is_outside))
        .or_else(by_topic)
        .or_else(|| plain(ContextKind::PopularVideo, candidate.suggest == SuggestKind::Media))
        .or_else(|| plain(ContextKind::List, candidate.suggest == SuggestKind::RankedList))
        .or_else(|| plain(ContextKind::PopularNearby, candidate.suggest == SuggestKind::RecommendedTrend))
}

fn decorate_thread(thread: &mut Thread) {
    let [root, .., focal] = thread.posts.as_mut_slice() else { return };
    let (root_is_near, focal_is_near) = (root.candidate.is_in_network(), focal.candidate.is_in_network());
    let (kind, who) = match (root_is_near, focal_is_near) {
        (false, true) => (ContextKind::ExtendedReply, focal.candidate.author_id),
        (true, false) => (ContextKind::ReceivedReply, root.candidate.author_id),
        _ => return,
    };
    root.reason = Reason::of_people(kind, &[who]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Feature, TopicId, UserId};
    use crate::mixing::Shown;
    use crate::testing::{candidate, post, query, reply, stranger};

    fn decorated(candidate: Candidate) -> Option<Reason> {
        let mut items = [Item::post(candidate)];
        SocialContexts.decorate(&query(&[]), &mut items);
        items[0].posts()[0].reason.clone()
    }

    #[test]
    fn the_first_reason_that_holds_is_named() {
        let people = |ids: &[u64]| ids.iter().copied().map(UserId).collect::<Vec<_>>();
        let full = SocialProof {
            liked_by: people(&[2, 3, 4]),
            followed_by: people(&[5]),
            topic: Some(TopicId(6)),
            ..SocialProof::default()
        };
        let mut with = stranger(&post(20, 1));
        with.suggest = SuggestKind::Media;
        let mut expect = |proof: &SocialProof, kind, named: &[u64], others| {
            with.social_proof = Feature::Value(proof.clone());
            let found = decorated(with.clone()).expect("a reason");
            assert_eq!((found.kind, found.named, found.others), (kind, people(named), others));
        };
        expect(&full, ContextKind::LikedBy, &[2], 2);
        let two = SocialProof { liked_by: people(&[2, 3]), ..full.clone() };
        expect(&two, ContextKind::LikedBy, &[2, 3], 0);
        let unliked = SocialProof { liked_by: Vec::new(), ..full.clone() };
        expect(&unliked, ContextKind::FollowedBy, &[5], 0);
        let unfollowed = SocialProof { followed_by: Vec::new(), ..unliked.clone() };
        expect(&unfollowed, ContextKind::Topic, &[], 0);
        expect(&SocialProof::default(), ContextKind::PopularVideo, &[], 0);
        let mut near = candidate(&post(10, 1));
        near.social_proof = Feature::Value(unliked);
        assert_eq!(decorated(near), None, "who follows an author says nothing within the network");
    }

    #[test]
    fn in_a_conversation_only_the_first_post_says_who_replied() {
        let root = post(20, 60);
        let answer = reply(10, 1, &root);
        for (root, focal, expected) in [
            (stranger(&root), candidate(&answer), Some((ContextKind::ExtendedReply, 10))),
            (candidate(&root), stranger(&answer), Some((ContextKind::ReceivedReply, 20))),
            (candidate(&root), candidate(&answer), None),
        ] {
            let posts = vec![Shown::new(root), Shown::new(focal)];
            let mut items = [Item::Conversation(Box::new(Thread { posts, above: Vec::new() }))];
            SocialContexts.decorate(&query(&[]), &mut items);
            let posts = items[0].posts();
            let found = posts[0].reason.as_ref().map(|reason| (reason.kind, reason.named[0].0));
            assert_eq!(found, expected);
            assert_eq!(posts[1].reason, None);
        }
    }
}
