//! Posts that were edited.

use super::{HOUR_MS, in_memory, on_disk, post};
use crate::domain::stores::{PostStore, StoreError};
use crate::domain::{Post, PostId, UserId};

fn newer(old: &Post, text: &str) -> Post {
    let id = PostId(old.id.0 + 1);
    Post { id, created_at: id.made_at(), text: text.to_owned(), ..old.clone() }
}

#[test]
fn the_newest_version_is_found_from_every_older_one_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("state.redb");
    let first = post(1, HOUR_MS, 7);
    let second = newer(&first, "mended");
    let third = newer(&second, "mended twice");
    let stores = on_disk(&journal);
    stores.insert(first.clone()).expect("commits");
    stores.edit(first.id, second.clone()).expect("commits");
    stores.edit(second.id, third.clone()).expect("commits");
    drop(stores);
    let stores = on_disk(&journal);
    for id in [first.id, second.id] {
        assert_eq!(stores.newest_version(id), Some(third.id));
        assert!(PostStore::get(&*stores, id).is_none(), "an old version is not there any more");
    }
    assert_eq!(stores.newest_version(third.id), None);
    assert_eq!(
        PostStore::get(&*stores, third.id).map(|(post, _)| post.text.clone()).as_deref(),
        Some("mended twice")
    );
}

#[test]
fn only_an_authors_own_words_become_newer_ones() {
    let (stores, _) = in_memory();
    let (old, other) = (post(1, HOUR_MS, 1), post(2, HOUR_MS, 2));
    stores.insert(old.clone()).expect("commits");
    stores.insert(other.clone()).expect("commits");
    let repost = Post {
        repost_of: Some(crate::domain::PostRef { id: old.id, author: old.author }),
        ..post(3, HOUR_MS, 5)
    };
    stores.insert(repost.clone()).expect("commits");
    for (id, new) in [
        (PostId(3), newer(&old, "of nothing")),
        (old.id, Post { author: UserId(2), ..newer(&old, "by somebody else") }),
        (old.id, Post { id: PostId(old.id.0 - 1), ..old.clone() }),
        (old.id, Post { id: other.id, ..old.clone() }),
        (repost.id, newer(&repost, "a repost")),
    ] {
        let refused = stores.edit(id, new);
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    }
    assert!(PostStore::get(&*stores, old.id).is_some(), "nothing happened");
}
