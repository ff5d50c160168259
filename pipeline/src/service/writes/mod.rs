//! What viewers do: posts, engagements, feedback, impressions, dismissals, relationships.
//!
//! An answer means that it is on disk. What is acknowledged to a viewer was done as that viewer, whatever the body says:
//! no body names who acts. A post or account that the viewer cannot see is not there, for writes as for reads.

mod engagements;
mod feedback;
mod impressions;
mod post_text;
mod posts;
mod relationships;

use std::sync::Arc;

use serde::Serialize;

pub(super) use engagements::record_engagements;
pub(super) use feedback::{record_dismissal, record_feedback};
pub(super) use impressions::record_impressions;
pub(super) use posts::{PostIds, add_post, delete_post};
pub(super) use relationships::set_relationship;

use super::problem::Problem;
use crate::domain::stores::{Relation, Stores};
use crate::domain::{Post, PostId, User, UserId};

/// How much was recorded.
#[derive(Debug, Serialize)]
pub(super) struct Recorded {
    recorded: usize,
}

/// An account that the viewer can act towards.
fn account(stores: &Stores, id: UserId) -> Result<Arc<User>, Problem> {
    let account = stores.users.get(id).filter(|account| !account.is_withdrawn);
    account.ok_or_else(|| Problem::not_found(format!("there is no account {id}")))
}

/// A post that the viewer can see. One that they must not see looks like one that does not exist.
fn visible_post(stores: &Stores, viewer: UserId, id: PostId) -> Result<Arc<Post>, Problem> {
    let post = stores.posts.get(id).map(|(post, _)| post).filter(|post| can_see(stores, viewer, post));
    post.ok_or_else(|| Problem::not_found(format!("there is no post {id}")))
}

/// Whether the viewer must not even learn that there is such a post: its author keeps it from them. What the viewer
/// blocks or mutes themselves is no secret.
pub(super) fn is_hidden(stores: &Stores, viewer: UserId, id: PostId) -> bool {
    let Some((post, _)) = stores.posts.get(id) else { return true };
    let keeps = |author: UserId| {
        let is_protected = stores.users.get(author).is_none_or(|account| account.is_protected);
        let graph = &stores.graph;
        author != viewer
            && (graph.has(Relation::Block, author, viewer)
                || is_protected && !graph.has(Relation::Follow, viewer, author))
    };
    keeps(post.author) || keeps(post.original_author())
}

fn can_see(stores: &Stores, viewer: UserId, post: &Post) -> bool {
    let pays = |author| author == viewer || stores.graph.has(Relation::Subscribe, viewer, author);
    [post.author, post.original_author()].into_iter().all(|author| can_see_author(stores, viewer, author))
        && post.exclusive_author.is_none_or(pays)
}

fn can_see_author(stores: &Stores, viewer: UserId, author: UserId) -> bool {
    if author == viewer {
        return true;
    }
    let Some(account) = stores.users.get(author) else { return false };
    let graph = &stores.graph;
    let blocked = graph.has(Relation::Block, viewer, author) || graph.has(Relation::Block, author, viewer);
    let approved = || !account.is_protected || graph.has(Relation::Follow, viewer, author);
    !account.is_withdrawn && !blocked && approved()
}
