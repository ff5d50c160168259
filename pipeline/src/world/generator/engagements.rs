//! Who did what with which post.
//!
//! Every user looks at posts: mostly of accounts they follow, else of their communities. What they do with one depends
//! on how strongly they belong to its community, on its quality and on what it carries; the same probabilities label
//! training records. Replies, reposts and quotes come from the posts that are there, so that counts and posts agree.

use std::collections::HashMap;

use super::follows::UserLists;
use super::people::Society;
use super::plan::{Kind, NONE, Plan, Traits};
use super::posts::user_id;
use super::random::{Purpose, Random};
use crate::domain::stores::TieStrength;
use crate::domain::{Engagement, EngagementKind, Millis};
use crate::world::WorldConfig;

/// Most ties that a user keeps.
const MAX_TIES: usize = 60;

/// An engagement in sixteen bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    /// Milliseconds after the world's first post could have been written.
    offset_ms: u32,
    user: u32,
    post: u32,
    /// Position in [`EngagementKind::ALL`].
    kind: u8,
}

/// How likely a user does each thing with a post, given how strongly they belong to its community (0..=1).
pub(super) fn probabilities(affinity: f64, traits: &Traits) -> [(EngagementKind, f64); 11] {
    use EngagementKind as K;
    let interest = affinity * f64::from(traits.quality);
    let with = |has: bool, p: f64| if has { p } else { 0.0 };
    let distance = 1.0 - affinity;
    [
        (K::Favorite, 0.02 + 0.30 * interest),
        (K::Click, 0.04 + 0.12 * interest),
        (K::ProfileClick, 0.01 + 0.04 * interest),
        (K::LinkOpen, with(traits.has_url, 0.02 + 0.06 * interest)),
        (K::PhotoExpand, with(traits.photos > 0, 0.05 + 0.12 * interest)),
        (K::VideoHalf, with(traits.video_ms.is_some(), 0.08 + 0.30 * interest)),
        (K::Share, 0.006 + 0.02 * interest),
        (K::Bookmark, 0.006 + 0.02 * interest),
        (K::Dwell, 0.01 + 0.06 * interest),
        (K::NegativeFeedback, with(true, 0.015 * distance * distance) + with(traits.is_spam, 0.05)),
        (K::Report, 0.002 * distance + with(traits.is_spam, 0.01)),
    ]
}

/// The posts of each author and of each community, by number.
pub(super) struct Shelves {
    by_author: UserLists,
    by_community: UserLists,
}

impl Shelves {
    pub(super) fn new(config: &WorldConfig, society: &Society, plan: &Plan) -> Self {
        let posts = || (0..plan.posts.len() as u32).zip(&plan.posts);
        Self {
            by_author: UserLists::group(config.users as usize, posts().map(|(n, post)| (post.author, n))),
            by_community: UserLists::group(
                society.communities.len(),
                posts().filter(|(_, post)| post.kind != Kind::Repost).map(|(n, post)| (post.community, n)),
            ),
        }
    }

    /// How many posts an author wrote.
    pub(super) fn count_of(&self, author: u32) -> u32 {
        self.by_author.of(author).len() as u32
    }

    /// An author's posts, oldest first.
    pub(super) fn of_author(&self, author: u32) -> &[u32] {
        self.by_author.of(author)
    }

    /// A post that a user would come across.
    fn come_across(&self, random: &mut Random, followed: &[u32], community: u32) -> Option<u32> {
        let shelf = match random.pick(followed) {
            Some(&author) if random.chance(0.75) => self.by_author.of(author),
            _ => self.by_community.of(community),
        };
        // The later of two draws: people mostly see what is new.
        let position = random.below(shelf.len()).max(random.below(shelf.len()));
        shelf.get(position).copied()
    }
}

/// Everything that happened, in order of time, and the ties that follow from it.
pub(super) struct Happenings {
    start: Millis,
    events: Vec<Event>,
    /// (viewer, author, tie), ascending by viewer, strongest first.
    pub(super) ties: Vec<(u32, u32, TieStrength)>,
}

impl Happenings {
    pub(super) fn new(
        config: &WorldConfig,
        society: &Society,
        follows: &UserLists,
        plan: &Plan,
        shelves: &Shelves,
    ) -> Self {
        let span_ms = (u64::from(config.days) * 86_400_000).clamp(1, u64::from(u32::MAX)) as u32;
        let start = Millis(config.now.0 - i64::from(span_ms));
        let mut events = Vec::new();
        let mut ties = Vec::new();
        for user in 0..config.users {
            let first = events.len();
            let mut random = Random::of(config.seed, Purpose::Engagements, u64::from(user));
            let person = &society.people[user as usize];
            let followed = follows.of(user);
            let views = (person.appetite * f64::from(config.mean_views)) as usize;
            for _ in 0..views {
                let community = person.draw_community(&mut random);
                let Some(found) = shelves.come_across(&mut random, followed, community) else { continue };
                let found_post = &plan.posts[found as usize];
                let post = if found_post.kind == Kind::Repost { found_post.parent } else { found };
                let planned = &plan.posts[post as usize];
                if planned.author == user {
                    continue;
                }
                let seen_at = plan.posts[found as usize].offset_ms;
                let delay = random.exponential(3.0 * 3_600_000.0) as u32;
                // Who would have come after the world's present came at some moment before it.
                let left = span_ms - seen_at;
                let offset_ms =
                    seen_at + if delay < left { delay } else { random.below(left as usize) as u32 };
                let traits = plan.traits(post, society);
                for (kind, p) in probabilities(person.affinity(planned.community), &traits) {
                    if random.chance(p) {
                        events.push(Event { offset_ms, user, post, kind: kind.index() as u8 });
                    }
                }
            }
            for &own in shelves.of_author(user) {
                let post = &plan.posts[own as usize];
                let kind = match post.kind {
                    Kind::Original => continue,
                    Kind::Reply => EngagementKind::Reply,
                    Kind::Repost => EngagementKind::Repost,
                    Kind::Quote => EngagementKind::Quote,
                };
                if post.parent != NONE {
                    let event = Event {
                        offset_ms: post.offset_ms,
                        user,
                        post: post.parent,
                        kind: kind.index() as u8,
                    };
                    events.push(event);
                }
            }
            // A second look at the same post may repeat what was done at the first.
            let mine = &mut events[first..];
            mine.sort_unstable_by_key(|event| (event.post, event.kind, event.offset_ms));
            let mut kept = first;
            for next in first..events.len() {
                let event = events[next];
                let is_repeated = kept > first
                    && (events[kept - 1].post, events[kept - 1].kind) == (event.post, event.kind);
                if !is_repeated {
                    events[kept] = event;
                    kept += 1;
                }
            }
            events.truncate(kept);
            collect_ties(&mut ties, user, &events[first..], plan, span_ms);
        }
        events.sort_unstable();
        Self { start, events, ties }
    }

    /// All engagements, in order of time.
    pub(super) fn engagements<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = Engagement> + 'a {
        self.events.iter().map(move |event| Engagement {
            user: user_id(event.user),
            post: plan.id(event.post),
            author: user_id(plan.posts[event.post as usize].author),
            kind: EngagementKind::ALL[usize::from(event.kind)],
            at: Millis(self.start.0 + i64::from(event.offset_ms)),
        })
    }
}

/// A user's ties, from what they did.
fn collect_ties(
    ties: &mut Vec<(u32, u32, TieStrength)>,
    user: u32,
    events: &[Event],
    plan: &Plan,
    span_ms: u32,
) {
    const DAY_MS: u32 = 86_400_000;
    // By author: the tie, the days of the span as bits, and the last moment.
    let mut by_author = HashMap::<u32, (TieStrength, u64, u32)>::new();
    for event in events {
        let author = plan.posts[event.post as usize].author;
        if author == user {
            continue;
        }
        let (tie, days, last) = by_author.entry(author).or_default();
        *days |= 1 << (event.offset_ms / DAY_MS).min(63);
        *last = (*last).max(event.offset_ms);
        match EngagementKind::ALL[usize::from(event.kind)] {
            EngagementKind::Favorite => tie.favorites += 1.0,
            EngagementKind::Reply => {
                tie.replies += 1.0;
                tie.mentions += 1.0;
            }
            EngagementKind::Repost | EngagementKind::Quote => tie.reposts += 1.0,
            EngagementKind::ProfileClick => tie.profile_visits += 1.0,
            EngagementKind::Click => tie.clicks += 1.0,
            _ => {}
        }
    }
    let start = ties.len();
    for (author, (mut tie, days, last)) in by_author {
        tie.active_days = days.count_ones() as f32;
        tie.days_since_last = (span_ms - last) as f32 / DAY_MS as f32;
        let weight = tie.favorites
            + 3.0 * tie.replies
            + 2.0 * tie.reposts
            + 0.5 * tie.profile_visits
            + 0.3 * tie.clicks
            + 0.5 * tie.active_days;
        tie.score = 1.0 - (-weight / 6.0).exp();
        ties.push((user, author, tie));
    }
    ties[start..].sort_unstable_by(|a, b| b.2.score.total_cmp(&a.2.score).then(a.1.cmp(&b.1)));
    ties.truncate(start + MAX_TIES);
}
