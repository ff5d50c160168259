//! People that the viewer must not or does not want to meet, in every timeline.

use super::{ALL, ids, posts, world};
use crate::domain::stores::{Relation, SocialGraph};
use crate::domain::{TimelineKind, UserId};
use crate::testing::{VIEWER, post, quote, reply, repost};
use crate::timeline::TimelineRequest;

/// A stranger's post reaches every timeline by a repost, a quote and a reply; then somebody blocks or mutes.
#[tokio::test]
async fn a_block_or_mute_takes_effect_on_the_next_request_everywhere_reposts_quotes_and_conversations_included()
 {
    for kind in ALL {
        for (relation, from, to) in
            [(Relation::Block, 1, 25), (Relation::Block, 25, 1), (Relation::Mute, 1, 25)]
        {
            let world = world();
            let original = post(25, 500);
            world.stores.add(&original, 9);
            // 12 is a list's member and followed; 18 is followed and subscribed to.
            let who = if kind == TimelineKind::Subscribed { 18 } else { 12 };
            let own = post(who, 30);
            let mut through = [repost(who, 20, &original), quote(who, 21, &original), own.clone()];
            // A reply of theirs under a reply of the stranger's to their own post.
            let answer = reply(25, 25, &own);
            world.stores.add(&answer, 1);
            if kind == TimelineKind::Subscribed {
                through.iter_mut().for_each(|post| post.exclusive_author = Some(UserId(18)));
            }
            through.iter().for_each(|post| world.stores.add(post, 1_000_000));
            let get = async || {
                world.get(TimelineRequest { count: Some(200), ..TimelineRequest::new(kind, VIEWER) }).await
            };
            let before = get().await;
            let shown =
                |timeline: &_| through[..2].iter().filter(|post| ids(timeline).contains(&post.id)).count();
            assert_eq!(shown(&before), 2, "{kind}: it reaches the viewer at first");
            world.stores.set(relation, UserId(from), UserId(to), true).expect("set");
            let after = get().await;
            assert_eq!(shown(&after), 0, "{kind} {relation:?} {from} {to}");
            for shown in posts(&after) {
                let people = [
                    Some(shown.post.author.id),
                    shown.quoted.as_ref().map(|quoted| quoted.author.id),
                    shown.reposted_by.as_ref().map(|person| person.id),
                ];
                assert!(!people.contains(&Some(UserId(25))), "{kind} {relation:?}: {shown:?}");
            }
            assert!(ids(&after).contains(&own.id), "{kind}: their other posts stay");
        }
    }
}

#[tokio::test]
async fn posts_for_subscribers_are_nobody_elses() {
    let world = world();
    for kind in [TimelineKind::ForYou, TimelineKind::Following] {
        let with = world.first(kind).await;
        assert!(posts(&with).iter().any(|post| post.post.is_for_subscribers), "{kind}");
    }
    for author in [18, 19] {
        world.stores.set(Relation::Subscribe, VIEWER, UserId(author), false).expect("set");
    }
    for kind in ALL {
        let without = world.first(kind).await;
        assert!(posts(&without).iter().all(|post| !post.post.is_for_subscribers), "{kind}");
    }
}
