//! What a reader says about an entry comes back as events and changes the next request.

use super::{ids, plain, posts, world, world_of};
use crate::domain::stores::FeedbackStore;
use crate::domain::{FeedbackKind, Millis, TimelineKind, UserId};
use crate::testing::{Answer, VIEWER, post, repost};
use crate::timeline::{ActionKind, FeedbackAction, PostItem, Timeline, TimelineError, TimelineRequest};

/// The action of a kind about a post, directly offered or below another.
fn action<'a>(timeline: &'a Timeline, post: &PostItem, kind: ActionKind) -> Vec<&'a FeedbackAction> {
    let top = post.feedback.iter().map(|key| &timeline.feedback_actions[key]);
    let below =
        |action: &&'a FeedbackAction| action.children.iter().map(|key| &timeline.feedback_actions[key]);
    top.clone()
        .chain(top.flat_map(|action| below(&action).collect::<Vec<_>>()))
        .filter(|action| action.kind == kind)
        .collect()
}

#[tokio::test]
async fn not_interested_hides_the_post_and_see_fewer_its_author() {
    let world = world();
    let page = world.first(TimelineKind::ForYou).await;
    let shown = posts(&page)[0];
    world.home.act(VIEWER, &action(&page, shown, ActionKind::DontLike)[0].token).expect("stored");
    let next = world.first(TimelineKind::ForYou).await;
    assert!(!ids(&next).contains(&shown.id), "out of the cache as well");
    let author = shown.post.author.id;
    assert!(posts(&next).iter().any(|post| post.post.author.id == author), "its author is none the worse");
    world.home.act(VIEWER, &action(&page, shown, ActionKind::SeeFewer)[0].token).expect("stored");
    let last = world.first(TimelineKind::ForYou).await;
    assert!(posts(&last).iter().all(|post| post.post.author.id != author));
    let stored = world.stores.feedback(VIEWER, Millis(0));
    assert_eq!(
        stored.iter().map(|entry| entry.kind).collect::<Vec<_>>(),
        [FeedbackKind::NotRelevant, FeedbackKind::Post]
    );
    assert!(stored.iter().all(|entry| entry.post == Some(shown.post.id)));
}

#[tokio::test]
async fn a_repost_offers_fewer_of_its_author_and_of_who_passed_it_on() {
    let world = world_of(plain(), 0, &[], Answer::Rows);
    let original = post(20, 50);
    let passed_on = repost(10, 5, &original);
    [&original, &passed_on].into_iter().for_each(|post| world.stores.add(post, 1));
    let page = world.first(TimelineKind::ForYou).await;
    let shown = posts(&page)[0];
    assert_eq!((shown.id, shown.post.id), (passed_on.id, original.id));
    assert_eq!(shown.reposted_by.as_ref().map(|person| person.id), Some(UserId(10)));
    let offers = action(&page, shown, ActionKind::SeeFewer);
    assert_eq!(offers.len(), 2);
    world.home.act(VIEWER, &offers[1].token).expect("stored");
    assert!(posts(&world.first(TimelineKind::ForYou).await).is_empty(), "nobody else brings it");
    assert_eq!(world.stores.feedback(VIEWER, Millis(0))[0].about, UserId(10));
}

#[tokio::test]
async fn own_posts_offer_nothing_and_foreign_or_changed_tokens_do_nothing() {
    let world = world();
    let page = world.first(TimelineKind::ForYou).await;
    let token = &action(&page, posts(&page)[0], ActionKind::DontLike)[0].token;
    for (viewer, token) in
        [(10, token.clone()), (1, format!("{token}A")), (1, String::new()), (1, "x".repeat(9_999))]
    {
        let refused = world.home.act(UserId(viewer), &token);
        assert!(matches!(refused, Err(TimelineError::BadAction)), "{refused:?}");
    }
    let cursor = page.cursor(crate::timeline::CursorKind::Top).expect("a cursor");
    assert!(world.home.act(VIEWER, cursor).is_err(), "a cursor is no action");
    assert!(world.stores.feedback(UserId(10), Millis(0)).is_empty());
    let own = world.get(TimelineRequest::new(TimelineKind::Following, VIEWER)).await;
    assert!(posts(&own).iter().all(|post| post.post.author.id != VIEWER || post.feedback.is_empty()));
}

#[tokio::test]
async fn relations_can_be_offered_instead_and_take_effect() {
    let mut config = plain();
    config.mixing.offer_relations = true;
    for kind in [ActionKind::Mute, ActionKind::Block, ActionKind::Unfollow] {
        let world = world_of(config.clone(), 3, &[], Answer::Rows);
        let page = world.first(TimelineKind::Following).await;
        let shown = posts(&page)[0];
        world.home.act(VIEWER, &action(&page, shown, kind)[0].token).expect("stored");
        for timeline in [TimelineKind::Following, TimelineKind::ForYou] {
            let next = world.first(timeline).await;
            assert!(
                posts(&next).iter().all(|post| post.post.author != shown.post.author),
                "{kind:?} {timeline}"
            );
        }
    }
}

#[tokio::test]
async fn what_was_said_can_be_taken_back_and_then_was_never_said() {
    let mut relations = plain();
    relations.mixing.offer_relations = true;
    let said = [ActionKind::DontLike, ActionKind::SeeFewer].map(|kind| (kind, plain()));
    let done = [ActionKind::Mute, ActionKind::Block, ActionKind::Unfollow];
    for (kind, config) in said.into_iter().chain(done.map(|kind| (kind, relations.clone()))) {
        let world = world_of(config, 5, &[], Answer::Rows);
        let before = world.first(TimelineKind::ForYou).await;
        let shown = posts(&before)[0];
        let token = &action(&before, shown, kind)[0].token;
        assert!(!world.home.undo(VIEWER, token).expect("taken"), "{kind:?}: nothing was said yet");
        world.home.act(VIEWER, token).expect("done");
        let without = world.first(TimelineKind::ForYou).await;
        assert!(!ids(&without).contains(&shown.id), "{kind:?}: it acts");
        let foreign = world.home.undo(UserId(10), token);
        assert!(matches!(foreign, Err(TimelineError::BadAction)), "{kind:?}: {foreign:?}");
        assert!(world.home.undo(VIEWER, token).expect("taken back"), "{kind:?}");
        let again = world.first(TimelineKind::ForYou).await;
        assert!(ids(&again).contains(&shown.id), "{kind:?}: as before");
    }
}
