//! Many threads read while others write.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{NOW, in_memory, post};
use crate::domain::stores::{Relation, TallyKey};
use crate::domain::{Cut, Engagement, EngagementKind, PostId, UserId};

const POSTS_PER_WRITER: u64 = 60;
const WRITERS: u64 = 4;

#[test]
fn readers_see_whole_posts_in_order_while_writers_add_and_delete() {
    let stores = in_memory().0.stores();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    for author in 1..=WRITERS {
                        let mut last = PostId(u64::MAX);
                        stores.posts.visit_by_author(UserId(author), &mut |post, _| {
                            assert!(post.id < last, "newest first");
                            assert_eq!(post.author, UserId(author));
                            assert_eq!(post.text, format!("post {}", post.id.0 & 0x3f_ffff));
                            last = post.id;
                            ControlFlow::Continue(())
                        });
                    }
                }
            });
        }
        let writers: Vec<_> = (1..=WRITERS)
            .map(|author| {
                let stores = &stores;
                scope.spawn(move || {
                    for number in 0..POSTS_PER_WRITER {
                        let own = post(author, 1_000, number * WRITERS + author);
                        let id = own.id;
                        stores.posts.insert(own).expect("ids differ");
                        assert!(stores.posts.get(id).is_some(), "an acknowledged post is there");
                        if number % 3 == 0 {
                            assert!(stores.posts.delete(id).expect("deletes"));
                            assert!(stores.posts.get(id).is_none());
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().expect("no writer fails"));
        is_over.store(true, Ordering::Relaxed);
    });
    for author in 1..=WRITERS {
        let mut count = 0;
        stores.posts.visit_by_author(UserId(author), &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(count, POSTS_PER_WRITER - POSTS_PER_WRITER.div_ceil(3));
    }
}

#[test]
fn of_many_who_insert_one_id_exactly_one_succeeds() {
    let stores = in_memory().0.stores();
    for number in 0..20 {
        let winners: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| usize::from(stores.posts.insert(post(1, 0, number)).is_ok())))
                .collect();
            tries.into_iter().map(|attempt| attempt.join().expect("no panic")).sum()
        });
        assert_eq!(winners, 1);
    }
}

#[test]
fn no_engagement_and_no_follow_is_lost_between_writers() {
    let stores = in_memory().0.stores();
    let liked = post(9, 0, 1);
    stores.posts.insert(liked.clone()).expect("new");
    std::thread::scope(|scope| {
        for user in 1..=8 {
            let (stores, post) = (&stores, liked.id);
            scope.spawn(move || {
                for _ in 0..25 {
                    let (user, author, kind) = (UserId(user), UserId(9), EngagementKind::Favorite);
                    let event = Engagement { user, post, author, kind, at: NOW };
                    stores.engagements.record(&[event]).expect("records");
                }
                for other in (1..=9).filter(|&other| other != user) {
                    stores.graph.set(Relation::Follow, UserId(user), UserId(other), true).expect("sets");
                }
            });
        }
    });
    assert_eq!(stores.posts.get(liked.id).map(|(_, counts)| counts.favorites), Some(200));
    assert_eq!(stores.engagements.of_post(liked.id, 1_000).len(), 200);
    let mut received = Vec::new();
    stores.aggregates.visit_tallies(&[TallyKey::Person(UserId(9))], &mut |_, rows| {
        received.extend(rows.of(Cut::Any, 0).iter().map(|row| (row.key.kind(), row.count.total())));
    });
    assert_eq!(received, [(EngagementKind::Favorite, 200)]);
    let followers = stores.graph.sources(Relation::Follow, UserId(9));
    assert_eq!(followers.iter().collect::<BTreeSet<_>>(), (1..=8).map(UserId).collect());
}
