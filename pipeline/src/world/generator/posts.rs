//! Planned posts in full.

use super::people::{Person, Society};
use super::plan::{Kind, NONE, Plan, Planned};
use super::random::{Purpose, Random};
use super::words::{TONGUES, TOPICS};
use crate::domain::PostCounts;
use crate::domain::{Language, Media, Post, PostRef, SafetyLabels, TopicId, UserId};
use crate::world::WorldConfig;
use crate::world::rows::PostRow;

/// The id of a user who is counted from 0.
pub(super) fn user_id(user: u32) -> UserId {
    UserId(u64::from(user) + 1)
}

/// Writes a planned post.
pub(super) fn write_post(config: &WorldConfig, society: &Society, plan: &Plan, number: u32) -> PostRow {
    let planned = plan.posts[number as usize];
    let traits = plan.traits(number, society);
    let community = &society.communities[planned.community as usize];
    let person = &society.people[planned.author as usize];
    let reference =
        |post: u32| PostRef { id: plan.id(post), author: user_id(plan.posts[post as usize].author) };
    let of_kind =
        |kind: Kind| (planned.kind == kind && planned.parent != NONE).then(|| reference(planned.parent));
    let mut post = Post {
        id: plan.id(number),
        author: user_id(planned.author),
        created_at: plan.at(number),
        language: Language::new(TONGUES[community.tongue].tag),
        in_reply_to: of_kind(Kind::Reply),
        repost_of: of_kind(Kind::Repost),
        quotes: of_kind(Kind::Quote),
        conversation: plan.id(planned.root),
        media: Media { photos: traits.photos, video_ms: traits.video_ms },
        exclusive_author: traits.is_exclusive.then(|| user_id(planned.author)),
        labels: SafetyLabels {
            adult: traits.is_adult,
            graphic: traits.is_graphic,
            spam: traits.is_spam,
            do_not_amplify: traits.is_spam,
        },
        ..Post::default()
    };
    if planned.kind == Kind::Repost {
        return PostRow { post, counts: PostCounts::default(), communities: Vec::new() };
    }
    let mut random = Random::of(config.seed, Purpose::PostText, u64::from(number));
    let mut words = Vec::with_capacity(24);
    if let Some(parent) = post.in_reply_to {
        post.directed_at = Some(parent.author);
        post.mentions.push(parent.author);
        words.push(format!("@user{}", parent.author));
    }
    let tongue = &TONGUES[community.tongue];
    let topic = &TOPICS[community.topic];
    let length = if planned.kind == Kind::Original { 6 + random.below(18) } else { 3 + random.below(10) };
    for _ in 0..length {
        let source = if random.chance(0.35) { topic.words } else { tongue.words };
        words.extend(random.pick(source).map(|&word| styled(&mut random, word)));
    }
    if random.chance(0.1) {
        words.push(random.below(2_000).to_string());
    }
    if random.chance(0.2) {
        words.extend(random.pick(EMOJI).map(|&sign| sign.repeat(1 + random.below(3))));
    }
    if random.chance(0.2) {
        words.push(format!("#{}", topic.name));
        post.hashtags.push(topic.name.to_owned());
    }
    if traits.has_url {
        let url = format!("https://{}.example/{:x}", topic.name, random.next() as u32);
        words.push(url.clone());
        post.urls.push(url);
    }
    let gap = if random.chance(0.1) { "\n" } else { " " };
    post.text = words.join(gap);
    post.topic = random.chance(0.7).then_some(TopicId(community.topic as u64 + 1));
    PostRow { communities: appeal(&planned, person), post, counts: PostCounts::default() }
}

/// Signs that end a post now and then.
const EMOJI: &[&str] = &["\u{1f600}", "\u{1f525}", "\u{1f389}", "\u{2764}", "\u{1f914}"];

/// A word as people write it: mostly plain, now and then loud, in quotation marks, or at the end of a clause.
fn styled(random: &mut Random, word: &str) -> String {
    match random.below(100) {
        0..3 => word.to_uppercase(),
        3..10 => format!("{word},"),
        10..17 => format!("{word}."),
        17..20 => format!("{word}!"),
        20..23 => format!("{word}?"),
        23 => format!("{word}\u{2026}"),
        24 => format!("\"{word}\""),
        25 => format!("({word})"),
        26 => format!("{word}:"),
        27 => format!("{word}!!"),
        _ => word.to_owned(),
    }
}

/// The communities that a post appeals to: the one it is written for, and a little its author's others. Of length 1.
fn appeal(planned: &Planned, person: &Person) -> Vec<(u32, f32)> {
    let mut entries = vec![(planned.community, 1.0_f32)];
    for &(community, strength) in &person.communities {
        if community != planned.community {
            entries.push((community, 0.25 * strength));
        }
    }
    entries.sort_unstable_by_key(|entry| entry.0);
    let length = entries.iter().map(|entry| entry.1 * entry.1).sum::<f32>().sqrt();
    entries.iter_mut().for_each(|entry| entry.1 /= length);
    entries
}
