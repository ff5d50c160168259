//! Replies under what they answer.

use std::collections::HashSet;

use crate::domain::stores::PostStore;
use crate::domain::{Candidate, Feature, PageKind, PostId, Query};
use crate::mixing::{Item, Shown, Thread};

/// Makes items of posts, in their order. A reply whose conversation is stored stands as a module of at most three: the
/// conversation's first post, the reply's parent, the reply. Where one of those above it is already shown, by an earlier
/// item or on an earlier page, the reply stands alone: no post is shown twice, and none is left out for that.
pub(crate) fn open_conversations(
    posts: &dyn PostStore,
    query: &Query,
    candidates: Vec<Candidate>,
) -> Vec<Item> {
    let served = query.facts.served.get().filter(|_| query.request.page() == PageKind::Older);
    let mut shown: HashSet<PostId> = HashSet::new();
    let mut open = |candidate: Candidate| {
        let is_free = |id: &PostId| !shown.contains(id) && !served.is_some_and(|served| served.contains(*id));
        if !shown.contains(&candidate.post_id) {
            let above = above(&candidate);
            let visible = visible(&above);
            let fits = !visible.is_empty() && visible.iter().all(is_free);
            if let Some(ancestors) = fits.then(|| read(posts, &candidate, &visible)).flatten() {
                shown.extend(visible);
                shown.insert(candidate.post_id);
                let posts = ancestors.into_iter().chain([Shown::new(candidate)]).collect();
                return Item::Conversation(Box::new(Thread { posts, above }));
            }
            shown.insert(candidate.post_id);
        }
        Item::post(candidate)
    };
    candidates.into_iter().map(&mut open).collect()
}

/// All posts above a reply, oldest first.
fn above(candidate: &Candidate) -> Vec<PostId> {
    let ancestors = candidate.conversation.get().map(|found| found.ancestors.as_slice()).unwrap_or_default();
    ancestors.iter().rev().map(|(id, _)| *id).collect()
}

/// Those that are shown: the first and the last.
fn visible(above: &[PostId]) -> Vec<PostId> {
    match above {
        [] => Vec::new(),
        [root] => vec![*root],
        [root, .., parent] => vec![*root, *parent],
    }
}

/// The posts above a reply, unless one of them is gone.
fn read(posts: &dyn PostStore, reply: &Candidate, ids: &[PostId]) -> Option<Vec<Shown>> {
    let ancestor = |id: &PostId| {
        let (post, counts) = posts.get(*id)?;
        let mut ancestor = Candidate::of(&post, counts, reply.source, reply.suggest);
        ancestor.cached_source = reply.cached_source;
        ancestor.score = reply.score;
        // Taken for the network's until hydration says otherwise.
        ancestor.in_network = Feature::Value(true);
        Some(Shown::new(ancestor))
    };
    ids.iter().map(ancestor).collect()
}
