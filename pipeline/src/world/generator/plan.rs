//! Which posts there are: author, time, kind and what each answers or passes on, without their words.

use super::follows::UserLists;
use super::people::Society;
use super::random::{Purpose, Random, Weighted};
use crate::domain::{Millis, PostId};
use crate::world::WorldConfig;

/// No post.
pub(super) const NONE: u32 = u32::MAX;

/// How a post relates to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Original,
    Reply,
    Repost,
    Quote,
}

/// One planned post. Posts are counted from 0 in order of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    /// When, in milliseconds after the world's first moment.
    pub(super) offset_ms: u32,
    pub(super) author: u32,
    /// The post it answers, passes on or quotes, or [`NONE`].
    pub(super) parent: u32,
    /// The first post of its conversation.
    pub(super) root: u32,
    /// The community it is written for.
    pub(super) community: u32,
    pub(super) kind: Kind,
}

/// What a post carries beside words, decided before the words are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    pub(super) photos: u8,
    pub(super) video_ms: Option<u32>,
    pub(super) has_url: bool,
    pub(super) is_adult: bool,
    pub(super) is_graphic: bool,
    pub(super) is_spam: bool,
    pub(super) is_exclusive: bool,
    /// How good it is: 0.5 to 1.5, around which everybody's interest turns.
    pub(super) quality: f32,
}

/// All planned posts.
#[derive(Debug)]
pub(super) struct Plan {
    seed: u64,
    start: Millis,
    pub(super) posts: Vec<Planned>,
}

impl Plan {
    /// Plans all posts of a world.
    pub(super) fn new(config: &WorldConfig, society: &Society, follows: &UserLists) -> Self {
        let span_ms = (u64::from(config.days) * 86_400_000).clamp(1, u64::from(u32::MAX));
        let start = Millis(config.now.0 - span_ms as i64);
        let authors = Weighted::new(society.people.iter().map(|person| person.activity));
        let mut latest = vec![NONE; config.users as usize];
        let mut latest_in = vec![NONE; society.communities.len()];
        let mut plan = Self { seed: config.seed, start, posts: Vec::with_capacity(config.posts as usize) };
        for number in 0..config.posts {
            let mut random = Random::of(config.seed, Purpose::PostPlan, u64::from(number));
            // One post per slice of time, anywhere within it: ascending, and never at the very end.
            let position = (f64::from(number) + random.unit()) / f64::from(config.posts);
            let offset_ms = ((position * span_ms as f64) as u64).min(span_ms - 1) as u32;
            let author = authors.draw(&mut random).unwrap_or(0) as u32;
            let person = &society.people[author as usize];
            let mut post = Planned {
                offset_ms,
                author,
                parent: NONE,
                root: number,
                community: person.draw_community(&mut random),
                kind: match random.unit() {
                    x if x < 0.55 => Kind::Original,
                    x if x < 0.77 => Kind::Reply,
                    x if x < 0.92 => Kind::Repost,
                    _ => Kind::Quote,
                },
            };
            if post.kind != Kind::Original {
                let found = plan.find_parent(&mut random, follows.of(author), &latest, society);
                let found = found.or(Some(latest_in[post.community as usize]).filter(|&post| post != NONE));
                plan.attach(&mut post, found);
            }
            if post.kind != Kind::Repost {
                latest_in[post.community as usize] = number;
            }
            latest[author as usize] = number;
            plan.posts.push(post);
        }
        plan
    }

    /// Of the latest posts of a few followed accounts, the one by the most popular author.
    fn find_parent(
        &self,
        random: &mut Random,
        followed: &[u32],
        latest: &[u32],
        society: &Society,
    ) -> Option<u32> {
        let popularity = |post: &u32| society.people[self.posts[*post as usize].author as usize].popularity;
        (0..4)
            .filter_map(|_| random.pick(followed))
            .map(|&user| latest[user as usize])
            .filter(|&post| post != NONE)
            .max_by(|a, b| popularity(a).total_cmp(&popularity(b)))
    }

    /// Makes a post answer or pass on what was found; without a find it becomes an original.
    fn attach(&self, post: &mut Planned, found: Option<u32>) {
        let Some(found) = found else {
            post.kind = Kind::Original;
            return;
        };
        // Nobody answers a repost: they answer what it passes on.
        let shown = self.posts[found as usize];
        let target = if shown.kind == Kind::Repost { shown.parent } else { found };
        let original = self.posts[target as usize];
        if original.author == post.author && post.kind != Kind::Reply {
            post.kind = Kind::Original;
            return;
        }
        post.parent = target;
        post.community = original.community;
        if post.kind == Kind::Reply {
            post.root = original.root;
        }
    }

    /// When a post was posted.
    pub(super) fn at(&self, number: u32) -> Millis {
        Millis(self.start.0 + i64::from(self.posts[number as usize].offset_ms))
    }

    /// A post's id: its time, and its number in the bits below, so that ids are unique and ascend.
    pub(super) fn id(&self, number: u32) -> PostId {
        const SEQUENCE_BITS: u32 = 22;
        PostId(PostId::at(self.at(number)).0 | u64::from(number) & ((1 << SEQUENCE_BITS) - 1))
    }

    /// What a post carries.
    pub(super) fn traits(&self, number: u32, society: &Society) -> Traits {
        let post = &self.posts[number as usize];
        let mut random = Random::of(self.seed, Purpose::PostTraits, u64::from(number));
        let person = &society.people[post.author as usize];
        let quality = 0.5 + random.unit() as f32;
        if post.kind == Kind::Repost {
            return Traits { quality, ..Traits::default() };
        }
        let video_ms = random.chance(0.12).then(|| 3_000 + random.exponential(40_000.0) as u32);
        let photos = if video_ms.is_none() && random.chance(0.3) { 1 + random.below(4) as u8 } else { 0 };
        let has_media = video_ms.is_some() || photos > 0;
        Traits {
            photos,
            video_ms,
            has_url: random.chance(0.15),
            is_adult: has_media && random.chance(if person.is_adult { 0.6 } else { 0.01 }),
            is_graphic: has_media && random.chance(0.008),
            is_spam: random.chance(0.006),
            is_exclusive: person.is_creator && post.kind == Kind::Original && random.chance(0.1),
            quality,
        }
    }
}
