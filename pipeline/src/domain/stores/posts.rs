//! Posts by id and by author.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::StoreError;
use crate::domain::{Post, PostCounts, PostId, UserId};

/// The posts that are kept.
pub trait PostStore: Send + Sync {
    /// A post and its counts; none when it was never there, was deleted or has outlived its retention.
    fn get(&self, id: PostId) -> Option<(Arc<Post>, PostCounts)>;

    /// Shows an author's posts to `visit`, newest first, until there are no more or it breaks.
    ///
    /// `visit` must not call the store: it may hold a lock.
    fn visit_by_author(
        &self,
        author: UserId,
        visit: &mut dyn FnMut(&Arc<Post>, PostCounts) -> ControlFlow<()>,
    );

    /// The newest version of a post that was edited; none when it was not.
    fn newest_version(&self, id: PostId) -> Option<PostId> {
        let _ = id;
        None
    }

    /// Adds a post as the newest version of another one by the same author, which is deleted. On disk when the call
    /// returns. A store that does not know versions refuses.
    ///
    /// # Errors
    /// The old post is not there, is a repost or by another author, the new id is taken, or the disk fails.
    fn edit(&self, old: PostId, new: Post) -> Result<(), StoreError> {
        let problem = format!("post {old} cannot become {}: versions are not kept here", new.id);
        Err(StoreError::Refused { store: "posts", operation: "edit", problem })
    }

    /// Adds a post. On disk when the call returns.
    ///
    /// # Errors
    /// The id is taken by another post, or the disk fails.
    fn insert(&self, post: Post) -> Result<(), StoreError>;

    /// Deletes a post; whether it was there. Its id stays deleted, even when an older copy is imported later.
    ///
    /// # Errors
    /// The disk fails.
    fn delete(&self, id: PostId) -> Result<bool, StoreError>;
}
