//! Embeddings of users and posts.
//!
//! Those that were loaded lie in plain arrays. A post's communities also follow what happens while running: a new post
//! starts with its author's communities, and everybody who likes a post adds theirs, so that a post of this minute can
//! be recommended in the next.

use super::adjacency::Csr;
use super::shards::ShardedMap;
use crate::domain::{DenseEmbedding, PostId, SparseEmbedding};

/// Most communities that a post keeps: the strongest.
const MAX_COMMUNITIES: usize = 16;

/// One user's embeddings.
#[derive(Clone, Debug, Default)]
pub(super) struct UserEmbeddings {
    /// Whom they follow.
    pub(super) follow: Option<DenseEmbedding>,
    /// What they engage with.
    pub(super) engagement: Option<DenseEmbedding>,
    /// By whom they are followed.
    pub(super) author: Option<DenseEmbedding>,
}

/// All embeddings in memory.
#[derive(Debug, Default)]
pub(super) struct Embeddings {
    /// Width of the dense ones.
    pub(super) width: usize,
    /// By slot.
    pub(super) dense: Vec<UserEmbeddings>,
    /// (community, strength) by user's slot.
    pub(super) users: Csr<(u32, f32)>,
    /// Ids of the posts that were loaded with communities, ascending.
    pub(super) post_ids: Vec<u64>,
    /// (community, strength) by position in `post_ids`.
    pub(super) posts: Csr<(u32, f32)>,
    /// Posts whose communities changed since.
    pub(super) live: ShardedMap<u64, Vec<(u32, f32)>>,
}

impl Embeddings {
    /// A user's dense embeddings.
    pub(super) fn dense(&self, slot: u32) -> Option<&UserEmbeddings> {
        self.dense.get(slot as usize)
    }

    /// A user's communities.
    pub(super) fn user_communities(&self, slot: u32) -> Option<SparseEmbedding> {
        sparse(self.users.list(slot))
    }

    /// The community where a user is at home: the strongest, of equal ones the first.
    pub(super) fn home(&self, slot: u32) -> Option<u32> {
        strongest(self.users.list(slot))
    }

    /// A post's communities.
    pub(super) fn post_communities(&self, post: PostId) -> Option<SparseEmbedding> {
        match self.live.with(&post.0, |live| live.map(|entries| sparse(entries))) {
            Some(embedding) => embedding,
            None => sparse(self.loaded(post)),
        }
    }

    fn loaded(&self, post: PostId) -> &[(u32, f32)] {
        match self.post_ids.binary_search(&post.0) {
            Ok(position) => self.posts.list(position as u32),
            Err(_) => &[],
        }
    }

    /// Adds a user's communities, scaled to length 1, to a post's: as its author or as one who liked it.
    pub(super) fn attract(&self, post: PostId, slot: u32) {
        let Some(user) = self.user_communities(slot) else { return };
        let scale = 1.0 / user.norm();
        self.live.update(post.0, |entries| {
            if entries.is_empty() {
                entries.extend_from_slice(self.loaded(post));
            }
            entries.extend(user.entries().iter().map(|&(community, strength)| (community, strength * scale)));
            let mut merged = SparseEmbedding::new(std::mem::take(entries)).entries().to_vec();
            if merged.len() > MAX_COMMUNITIES {
                merged.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                merged.truncate(MAX_COMMUNITIES);
                merged.sort_unstable_by_key(|entry| entry.0);
            }
            *entries = merged;
        });
    }

    /// Forgets posts that are gone.
    pub(super) fn sweep(&self, gone: &[PostId]) {
        gone.iter().for_each(|post| _ = self.live.remove(&post.0));
    }
}

/// The strongest of some communities, of equal ones the first.
pub(super) fn strongest(entries: &[(u32, f32)]) -> Option<u32> {
    let better = |best: Option<(u32, f32)>, entry: &(u32, f32)| match best {
        Some(best) if best.1 >= entry.1 => Some(best),
        _ => Some(*entry),
    };
    entries.iter().fold(None, better).map(|(community, _)| community)
}

fn sparse(entries: &[(u32, f32)]) -> Option<SparseEmbedding> {
    let embedding = SparseEmbedding::of(entries);
    (!embedding.entries().is_empty()).then_some(embedding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likes_pull_a_post_towards_the_communities_of_those_who_like_it() {
        let users = [(0, (3, 2.0)), (1, (8, 5.0)), (2, (3, 0.5))];
        let embeddings = Embeddings { users: Csr::new(3, &users), ..Embeddings::default() };
        let post = PostId(5);
        assert!(embeddings.post_communities(post).is_none());
        for (slot, expected) in
            [(0, vec![(3, 1.0)]), (1, vec![(3, 1.0), (8, 1.0)]), (2, vec![(3, 2.0), (8, 1.0)])]
        {
            embeddings.attract(post, slot);
            let got = embeddings.post_communities(post).map(|sparse| sparse.entries().to_vec());
            assert_eq!(got, Some(expected));
        }
        embeddings.attract(post, 77);
        embeddings.sweep(&[post]);
        assert!(embeddings.post_communities(post).is_none());
    }

    #[test]
    fn a_loaded_post_starts_from_what_was_loaded_and_keeps_the_strongest() {
        let many: Vec<_> = (0..MAX_COMMUNITIES as u32)
            .map(|community| (0, (community, 0.1 + 0.01 * community as f32)))
            .collect();
        let embeddings = Embeddings {
            users: Csr::new(1, &[(0, (99, 1.0))]),
            post_ids: vec![5],
            posts: Csr::new(1, &many),
            ..Embeddings::default()
        };
        (0..20).for_each(|_| embeddings.attract(PostId(5), 0));
        let got = embeddings.post_communities(PostId(5)).unwrap_or_default();
        assert_eq!(got.entries().len(), MAX_COMMUNITIES);
        assert_eq!(got.entries()[0].0, 1, "the weakest, community 0, made room");
    }
}
