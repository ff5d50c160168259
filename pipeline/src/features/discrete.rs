//! The record's discrete slots: identities, codes and sequences, for models that learn embeddings of them.
//!
//! No loaded model reads them, so they are computed only when records are written. A slot that has nothing to hold, such
//! as the fifth hashtag of a post with four, is -1.

use crate::domain::stores::Stores;
use crate::domain::{
    Candidate, Query, SparseEmbedding, country_code, hour_and_weekday, language_code, topic_code,
};

/// Discrete slots of a record.
pub const DISCRETE_SLOTS: usize = 320;

/// Names of sequences and codes, with how many slots each has, in the order of the slots.
pub const DISCRETE: [(&str, usize); 33] = [
    ("viewer", 1),
    ("author", 1),
    ("poster", 1),
    ("post", 1),
    ("conversation", 1),
    ("parent_author", 1),
    ("quoted_author", 1),
    ("viewer_language", 1),
    ("viewer_country", 1),
    ("author_language", 1),
    ("author_country", 1),
    ("post_language", 1),
    ("topic", 1),
    ("source", 1),
    ("suggestion", 1),
    ("device_context", 1),
    ("platform", 1),
    ("hour", 1),
    ("weekday", 1),
    ("viewer_state", 1),
    ("hashtags", 8),
    ("link_hosts", 4),
    ("mentions", 8),
    ("words", 64),
    ("viewer_communities", 8),
    ("post_communities", 8),
    ("author_communities", 8),
    ("viewer_lists", 20),
    ("strongest_ties", 32),
    ("likers", 10),
    ("followers_in_common", 10),
    ("recent_posts", 60),
    ("recent_kinds", 60),
];

/// How many of the viewer's recent engagements are read.
const RECENT: usize = 60;

/// Computes the discrete slots, (candidates, [`DISCRETE_SLOTS`]) row by row.
pub fn discrete(stores: &Stores, query: &Query, candidates: &[Candidate]) -> Vec<i64> {
    let recent = stores.engagements.of_user(query.viewer, RECENT);
    let recent_posts: Vec<i64> = recent.iter().map(|edge| edge.post.0 as i64).collect();
    let recent_kinds: Vec<i64> = recent.iter().map(|edge| edge.kind.index() as i64).collect();
    let ties = super::families::strongest_followed(query, 32);
    let ties: Vec<i64> = ties.into_iter().map(|(user, _)| user.0 as i64).collect();
    let lists: Vec<i64> =
        query.facts.lists.get().iter().flat_map(|lists| lists.iter()).map(|list| list.0 as i64).collect();
    let viewer_communities = communities(query.facts.communities.get_or(None));
    let mut out = Vec::with_capacity(candidates.len() * DISCRETE_SLOTS);
    for candidate in candidates {
        let mut row = Filler { out: &mut out, slots: DISCRETE.iter() };
        one(&mut row, stores, query, candidate);
        row.put(&viewer_communities);
        row.put(&communities(stores.embeddings.post_communities(candidate.original_id())));
        row.put(&communities(stores.embeddings.user_communities(candidate.original_author_id())));
        row.put(&lists);
        row.put(&ties);
        let proof = candidate.social_proof.get();
        row.put(&proof.iter().flat_map(|p| &p.liked_by).map(|u| u.0 as i64).collect::<Vec<_>>());
        row.put(&proof.iter().flat_map(|p| &p.followed_by).map(|u| u.0 as i64).collect::<Vec<_>>());
        row.put(&recent_posts);
        row.put(&recent_kinds);
    }
    out
}

/// The slots of one candidate up to the words.
fn one(row: &mut Filler<'_>, stores: &Stores, query: &Query, candidate: &Candidate) {
    let content = candidate.content();
    let viewer = query.facts.user.get();
    let author = stores.users.get(candidate.original_author_id());
    let (hour, weekday) = hour_and_weekday(query.now);
    let state = query.facts.settings.get().map(|settings| settings.state as i64);
    let id = |value: Option<u64>| value.map(|value| value as i64);
    row.put(&[query.viewer.0 as i64]);
    row.put(&[candidate.original_author_id().0 as i64]);
    row.put(&[candidate.author_id.0 as i64]);
    row.put(&[candidate.original_id().0 as i64]);
    row.put_one(id(content.map(|post| post.conversation.0)));
    row.put_one(id(content.and_then(|post| post.in_reply_to).map(|parent| parent.author.0)));
    row.put_one(id(content.and_then(|post| post.quotes).map(|quoted| quoted.author.0)));
    row.put_one(viewer.map(|user| i64::from(language_code(user.language))));
    row.put_one(viewer.map(|user| i64::from(country_code(&user.country))));
    row.put_one(author.as_ref().map(|user| i64::from(language_code(user.language))));
    row.put_one(author.as_ref().map(|user| i64::from(country_code(&user.country))));
    row.put_one(content.map(|post| i64::from(language_code(post.language))));
    row.put_one(content.and_then(|post| post.topic).map(|topic| i64::from(topic_code(topic))));
    row.put(&[candidate.first_source() as i64]);
    row.put(&[candidate.suggest as i64]);
    row.put(&[query.request.context as i64]);
    row.put(&[query.request.platform as i64]);
    row.put(&[i64::from(hour)]);
    row.put(&[i64::from(weekday)]);
    row.put_one(state);
    let hashed = |texts: &mut dyn Iterator<Item = &str>| texts.map(hash).collect::<Vec<_>>();
    row.put(&hashed(&mut content.iter().flat_map(|post| &post.hashtags).map(String::as_str)));
    row.put(&hashed(&mut content.iter().flat_map(|post| &post.urls).map(|url| host(url))));
    row.put(&content.iter().flat_map(|post| &post.mentions).map(|user| user.0 as i64).collect::<Vec<_>>());
    row.put(&hashed(&mut content.iter().flat_map(|post| post.text.split_whitespace())));
}

/// Puts one sequence after the other, each cut or filled up to its length.
struct Filler<'a> {
    out: &'a mut Vec<i64>,
    slots: std::slice::Iter<'static, (&'static str, usize)>,
}

impl Filler<'_> {
    fn put(&mut self, values: &[i64]) {
        let length = self.slots.next().map_or(0, |(_, length)| *length);
        let end = self.out.len() + length;
        self.out.extend_from_slice(&values[..values.len().min(length)]);
        self.out.resize(end, -1);
    }

    fn put_one(&mut self, value: Option<i64>) {
        self.put(&value.map_or_else(Vec::new, |value| vec![value]));
    }
}

/// The strongest communities, strongest first.
fn communities(embedding: Option<SparseEmbedding>) -> Vec<i64> {
    let mut entries = embedding.unwrap_or_default().entries().to_vec();
    entries.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    entries.into_iter().map(|(community, _)| i64::from(community)).collect()
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// FNV-1a of a word, in 31 bits: the same on every machine, never negative.
fn hash(text: &str) -> i64 {
    let hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from(hash >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MemoryStores, candidate, post, query};

    #[test]
    fn every_slot_belongs_to_a_sequence() {
        assert_eq!(DISCRETE.iter().map(|(_, length)| length).sum::<usize>(), DISCRETE_SLOTS);
        let stores = MemoryStores::with_users([1, 10]).stores();
        let candidates = [candidate(&post(10, 5)), candidate(&post(10, 9))];
        let rows = discrete(&stores, &query(&[10]), &candidates);
        assert_eq!(rows.len(), 2 * DISCRETE_SLOTS);
        let place = |name: &str| {
            let before = DISCRETE.iter().take_while(|(other, _)| *other != name);
            before.map(|(_, length)| length).sum::<usize>()
        };
        for (row, candidate) in rows.chunks(DISCRETE_SLOTS).zip(&candidates) {
            assert_eq!(row[place("post")], candidate.post_id.0 as i64);
            assert_eq!(row[place("words")..][..4], [hash("post"), hash("of"), hash("10"), -1]);
            assert_eq!(row[place("strongest_ties")], 10);
            assert_eq!(row[place("recent_kinds")], -1);
        }
    }
}
