//! A post as one run of bytes, so that a million of them take one small allocation each.
//!
//! Layout: `created_at` (8 bytes), flags (4 bytes), then only what the flags announce, numbers as LEB128 varints, texts
//! with their length in front. A post's own id is not in it: the store keeps that beside, to search by it. The bytes
//! live in memory only and never reach a disk, so the layout is free to change.

use crate::domain::{Language, ListId, Media, Millis, Post, PostId, PostRef, SafetyLabels, TopicId, UserId};

const REPLY: u32 = 1 << 0;
const REPOST: u32 = 1 << 1;
const QUOTE: u32 = 1 << 2;
const DIRECTED: u32 = 1 << 3;
const MENTIONS: u32 = 1 << 4;
const HASHTAGS: u32 = 1 << 5;
const URLS: u32 = 1 << 6;
const PHOTOS: u32 = 1 << 7;
const VIDEO: u32 = 1 << 8;
const TOPIC: u32 = 1 << 9;
const LIST: u32 = 1 << 10;
const EXCLUSIVE: u32 = 1 << 11;
const ADULT: u32 = 1 << 12;
const GRAPHIC: u32 = 1 << 13;
const SPAM: u32 = 1 << 14;
const DO_NOT_AMPLIFY: u32 = 1 << 15;
/// The conversation's first post is the post itself.
const STARTS_CONVERSATION: u32 = 1 << 16;
const LANGUAGE: u32 = 1 << 17;

/// Packs a post. Its id must be handed to [`decode`] again.
pub(super) fn encode(post: &Post) -> Box<[u8]> {
    let flag = |set: bool, bit: u32| if set { bit } else { 0 };
    let flags = flag(post.in_reply_to.is_some(), REPLY)
        | flag(post.repost_of.is_some(), REPOST)
        | flag(post.quotes.is_some(), QUOTE)
        | flag(post.directed_at.is_some(), DIRECTED)
        | flag(!post.mentions.is_empty(), MENTIONS)
        | flag(!post.hashtags.is_empty(), HASHTAGS)
        | flag(!post.urls.is_empty(), URLS)
        | flag(post.media.photos > 0, PHOTOS)
        | flag(post.media.video_ms.is_some(), VIDEO)
        | flag(post.topic.is_some(), TOPIC)
        | flag(post.list.is_some(), LIST)
        | flag(post.exclusive_author.is_some(), EXCLUSIVE)
        | flag(post.labels.adult, ADULT)
        | flag(post.labels.graphic, GRAPHIC)
        | flag(post.labels.spam, SPAM)
        | flag(post.labels.do_not_amplify, DO_NOT_AMPLIFY)
        | flag(post.conversation == post.id, STARTS_CONVERSATION)
        | flag(post.language != Language::UNKNOWN, LANGUAGE);
    let mut out = Vec::with_capacity(64 + post.text.len());
    out.extend_from_slice(&post.created_at.0.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    varint(&mut out, post.author.0);
    for reference in [post.in_reply_to, post.repost_of, post.quotes].into_iter().flatten() {
        varint(&mut out, reference.id.0);
        varint(&mut out, reference.author.0);
    }
    if post.conversation != post.id {
        varint(&mut out, post.conversation.0);
    }
    let singles = [
        post.directed_at.map(|user| user.0),
        post.topic.map(|topic| topic.0),
        post.list.map(|list| list.0),
        post.exclusive_author.map(|user| user.0),
        (post.media.photos > 0).then_some(u64::from(post.media.photos)),
        post.media.video_ms.map(u64::from),
    ];
    singles.into_iter().flatten().for_each(|value| varint(&mut out, value));
    if post.language != Language::UNKNOWN {
        text(&mut out, post.language.as_str());
    }
    if !post.mentions.is_empty() {
        varint(&mut out, post.mentions.len() as u64);
        post.mentions.iter().for_each(|user| varint(&mut out, user.0));
    }
    for texts in [&post.hashtags, &post.urls] {
        if !texts.is_empty() {
            varint(&mut out, texts.len() as u64);
            texts.iter().for_each(|entry| text(&mut out, entry));
        }
    }
    // The text comes last and needs no length.
    out.extend_from_slice(post.text.as_bytes());
    out.into_boxed_slice()
}

/// When a packed post was posted.
pub(super) fn created_at(bytes: &[u8]) -> Millis {
    Millis(bytes.first_chunk().map_or(0, |chunk| i64::from_le_bytes(*chunk)))
}

/// Unpacks what [`encode`] packed. Bytes of any other origin give some post, never a panic.
pub(super) fn decode(id: PostId, bytes: &[u8]) -> Post {
    let mut from = Reader { bytes: bytes.get(12..).unwrap_or_default() };
    let flags = bytes.get(8..12).and_then(|chunk| chunk.first_chunk()).map_or(0, |c| u32::from_le_bytes(*c));
    let has = |bit: u32| flags & bit != 0;
    // Evaluated in the order in which `encode` wrote.
    let author = UserId(from.varint());
    let in_reply_to = has(REPLY).then(|| from.reference());
    let repost_of = has(REPOST).then(|| from.reference());
    let quotes = has(QUOTE).then(|| from.reference());
    let conversation = if has(STARTS_CONVERSATION) { id } else { PostId(from.varint()) };
    let directed_at = has(DIRECTED).then(|| UserId(from.varint()));
    let topic = has(TOPIC).then(|| TopicId(from.varint()));
    let list = has(LIST).then(|| ListId(from.varint()));
    let exclusive_author = has(EXCLUSIVE).then(|| UserId(from.varint()));
    let photos = if has(PHOTOS) { from.varint() as u8 } else { 0 };
    let video_ms = has(VIDEO).then(|| from.varint() as u32);
    let language = if has(LANGUAGE) { Language::new(&from.text()) } else { Language::UNKNOWN };
    let mentions =
        if has(MENTIONS) { (0..from.count()).map(|_| UserId(from.varint())).collect() } else { Vec::new() };
    let mut texts =
        |bit| if has(bit) { (0..from.count()).map(|_| from.text()).collect() } else { Vec::new() };
    let (hashtags, urls) = (texts(HASHTAGS), texts(URLS));
    Post {
        id,
        author,
        created_at: created_at(bytes),
        text: String::from_utf8_lossy(from.bytes).into_owned(),
        language,
        in_reply_to,
        repost_of,
        quotes,
        conversation,
        directed_at,
        mentions,
        hashtags,
        urls,
        media: Media { photos, video_ms },
        topic,
        list,
        exclusive_author,
        labels: SafetyLabels {
            adult: has(ADULT),
            graphic: has(GRAPHIC),
            spam: has(SPAM),
            do_not_amplify: has(DO_NOT_AMPLIFY),
        },
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, text: &str) {
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// What is left to read; reading past the end gives zeros and empty texts.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some((&byte, rest)) = self.bytes.split_first() else { break };
            self.bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    /// A number of entries: each takes a byte at least.
    fn count(&mut self) -> usize {
        (self.varint() as usize).min(self.bytes.len())
    }

    fn reference(&mut self) -> PostRef {
        PostRef { id: PostId(self.varint()), author: UserId(self.varint()) }
    }

    fn text(&mut self) -> String {
        let length = self.count();
        let (text, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        String::from_utf8_lossy(text).into_owned()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;

    fn reference() -> impl Strategy<Value = PostRef> {
        (any::<u64>(), any::<u64>())
            .prop_map(|(id, author)| PostRef { id: PostId(id), author: UserId(author) })
    }

    /// Any post with the given id.
    pub(crate) fn any_post(id: PostId) -> impl Strategy<Value = Post> {
        let who = (any::<u64>(), any::<i64>(), ".{0,40}", 0..4_usize, any::<[bool; 5]>());
        let refs = (of(reference()), of(reference()), of(reference()), any::<u64>(), of(any::<u64>()));
        let lists = (vec(any::<u64>(), 0..4), vec(".{0,9}", 0..4), vec(".{0,9}", 0..3));
        let rest = (any::<u8>(), of(any::<u32>()), of(any::<u64>()), of(any::<u64>()), of(any::<u64>()));
        (who, refs, lists, rest).prop_map(move |(who, refs, lists, rest)| Post {
            id,
            author: UserId(who.0),
            created_at: Millis(who.1),
            text: who.2,
            language: Language::new(["en", "fil", "", "pt"][who.3]),
            in_reply_to: refs.0,
            repost_of: refs.1,
            quotes: refs.2,
            conversation: if who.4[4] { id } else { PostId(refs.3) },
            directed_at: refs.4.map(UserId),
            mentions: lists.0.into_iter().map(UserId).collect(),
            hashtags: lists.1,
            urls: lists.2,
            media: Media { photos: rest.0, video_ms: rest.1 },
            topic: rest.2.map(TopicId),
            list: rest.3.map(ListId),
            exclusive_author: rest.4.map(UserId),
            labels: SafetyLabels {
                adult: who.4[0],
                graphic: who.4[1],
                spam: who.4[2],
                do_not_amplify: who.4[3],
            },
        })
    }

    proptest! {
        #[test]
        fn a_post_survives_packing(post in any_post(PostId(77))) {
            let bytes = encode(&post);
            prop_assert_eq!(created_at(&bytes), post.created_at);
            prop_assert_eq!(decode(post.id, &bytes), post);
        }

        #[test]
        fn bytes_of_any_origin_do_not_panic(bytes in vec(any::<u8>(), 0..80)) {
            _ = decode(PostId(1), &bytes);
        }
    }
}
