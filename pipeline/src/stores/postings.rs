//! Posts of a community, ascending by id, in chunks.
//!
//! Tens of thousands of posts are in one list, and most engagements that change it are with posts of days ago: in one
//! array, each would move half of all that came since.

use crate::domain::PostId;

/// Most postings of a chunk: eight kibibytes.
const MOST: usize = 512;

/// One post of a community.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Posting {
    pub(super) post: u64,
    /// Its strength in the community, divided by its embedding's length.
    pub(super) share: f32,
}

/// Some neighbours, at least one.
#[derive(Debug)]
struct Chunk {
    first: u64,
    postings: Vec<Posting>,
}

/// All posts of a community.
#[derive(Debug, Default)]
pub(super) struct Postings {
    /// Ascending.
    chunks: Vec<Chunk>,
}

impl Postings {
    /// The chunk where a post is, or belongs.
    fn chunk(&self, post: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk.first <= post).saturating_sub(1)
    }

    /// Adds a post, or changes its share.
    pub(super) fn set(&mut self, posting: Posting) {
        let place = self.chunk(posting.post);
        let Some(chunk) = self.chunks.get_mut(place) else {
            self.chunks.push(Chunk { first: posting.post, postings: vec![posting] });
            return;
        };
        match chunk.postings.binary_search_by_key(&posting.post, |other| other.post) {
            Ok(known) => chunk.postings[known] = posting,
            Err(free) if chunk.postings.len() < MOST => {
                chunk.postings.insert(free, posting);
                chunk.first = chunk.first.min(posting.post);
            }
            // What comes in order leaves full chunks behind.
            Err(MOST) => {
                let next = Chunk { first: posting.post, postings: vec![posting] };
                self.chunks.insert(place + 1, next);
            }
            Err(_) => {
                let upper = chunk.postings.split_off(MOST / 2);
                self.chunks.insert(place + 1, Chunk { first: upper[0].post, postings: upper });
                self.set(posting);
            }
        }
    }

    /// Takes a post out.
    pub(super) fn remove(&mut self, post: PostId) {
        let place = self.chunk(post.0);
        let Some(chunk) = self.chunks.get_mut(place) else { return };
        let Ok(known) = chunk.postings.binary_search_by_key(&post.0, |other| other.post) else { return };
        chunk.postings.remove(known);
        match chunk.postings.first() {
            Some(first) => chunk.first = first.post,
            None => _ = self.chunks.remove(place),
        }
    }

    /// All of them, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Posting> {
        self.chunks.iter().rev().flat_map(|chunk| chunk.postings.iter().rev())
    }

    /// Takes out the posts below an id; whether any is left.
    pub(super) fn forget_before(&mut self, first: PostId) -> bool {
        let place = self.chunk(first.0);
        self.chunks.drain(..place);
        if let Some(chunk) = self.chunks.first_mut() {
            let gone = chunk.postings.partition_point(|posting| posting.post < first.0);
            chunk.postings.drain(..gone);
            match chunk.postings.first() {
                Some(first) => chunk.first = first.post,
                None => _ = self.chunks.remove(0),
            }
        }
        !self.chunks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn postings_are_a_map_in_order(
            loaded in 0..3 * MOST as u64,
            changes in prop::collection::vec((0..4_u8, 0..4 * MOST as u64), 0..3 * MOST),
        ) {
            let (mut postings, mut twin) = (Postings::default(), BTreeMap::new());
            for post in 0..loaded {
                postings.set(Posting { post: 3 * post, share: 0.0 });
                twin.insert(3 * post, 0.0);
            }
            for (step, (change, post)) in changes.into_iter().enumerate() {
                match change {
                    0 => {
                        postings.remove(PostId(post));
                        twin.remove(&post);
                    }
                    1 if post < 8 => {
                        // In the middle of what is there, in front of it, behind it.
                        let first = post * MOST as u64 / 2;
                        twin = twin.split_off(&first);
                        prop_assert_eq!(postings.forget_before(PostId(first)), !twin.is_empty());
                    }
                    _ => {
                        postings.set(Posting { post, share: step as f32 });
                        twin.insert(post, step as f32);
                    }
                }
                let is_sound = |chunk: &Chunk| {
                    let first = chunk.postings.first().map(|one| one.post);
                    chunk.postings.len() <= MOST && first == Some(chunk.first)
                };
                prop_assert!(postings.chunks.iter().all(is_sound));
            }
            let shown: Vec<_> = postings.newest_first().map(|posting| (posting.post, posting.share)).collect();
            prop_assert_eq!(shown, twin.into_iter().rev().collect::<Vec<_>>());
        }
    }
}
