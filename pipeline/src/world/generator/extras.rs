//! Lists and ads.

use super::engagements::Shelves;
use super::people::Society;
use super::plan::{Kind, Plan};
use super::posts::user_id;
use super::random::{Purpose, Random};
use super::words::TOPICS;
use crate::domain::stores::List;
use crate::domain::{ListId, UserId};
use crate::world::WorldConfig;
use crate::world::rows::{Ad, BrandSafety};

/// Shows all lists: one for every twenty users, each of one community's people.
pub(super) fn lists<E>(
    config: &WorldConfig,
    society: &Society,
    mut show: impl FnMut(List) -> Result<(), E>,
) -> Result<(), E> {
    for number in 0..config.users / 20 {
        let mut random = Random::of(config.seed, Purpose::Lists, u64::from(number));
        let owner = random.below(config.users as usize) as u32;
        let community = society.home(owner);
        let draw = |random: &mut Random, count: usize| {
            let positions = (0..count).filter_map(|_| community.by_popularity.draw(random));
            let mut users: Vec<UserId> =
                positions.map(|position| user_id(community.members[position])).collect();
            users.sort_unstable();
            users.dedup();
            users.retain(|&user| user != user_id(owner));
            users
        };
        let (members, subscribers) = (5 + random.below(30), random.below(15));
        show(List {
            id: ListId(u64::from(number) + 1),
            owner: user_id(owner),
            name: format!("{} {}", TOPICS[community.topic].name, number + 1),
            members: draw(&mut random, members),
            subscribers: draw(&mut random, subscribers),
        })?;
    }
    Ok(())
}

/// Shows all ads: one for every hundred users, at least twenty, of authors who wrote something.
pub(super) fn ads<E>(
    config: &WorldConfig,
    society: &Society,
    plan: &Plan,
    shelves: &Shelves,
    mut show: impl FnMut(Ad) -> Result<(), E>,
) -> Result<(), E> {
    for number in 0..(config.users / 100).max(20) {
        let mut random = Random::of(config.seed, Purpose::Ads, u64::from(number));
        let Some(advertiser) = society.by_popularity.draw(&mut random).map(|position| position as u32) else {
            break;
        };
        let mut originals = shelves.of_author(advertiser).iter().rev().copied();
        let Some(post) = originals.find(|&post| {
            plan.posts[post as usize].kind == Kind::Original && {
                let traits = plan.traits(post, society);
                !(traits.is_adult || traits.is_graphic || traits.is_spam || traits.is_exclusive)
            }
        }) else {
            continue;
        };
        let mut excluded_keywords = Vec::new();
        if random.chance(0.3) {
            let topic = &TOPICS[random.below(TOPICS.len())];
            excluded_keywords.extend(random.pick(topic.words).map(|&word| word.to_owned()));
        }
        let mut excluded_authors = Vec::new();
        if random.chance(0.2) {
            excluded_authors.push(user_id(random.below(config.users as usize) as u32));
        }
        show(Ad {
            id: u64::from(number) + 1,
            advertiser: user_id(advertiser),
            post: plan.id(post),
            bid: random.pareto(2.0, 20.0) as f32,
            brand_safety: BrandSafety::ALL[random.below(BrandSafety::ALL.len())],
            excluded_authors,
            excluded_keywords,
        })?;
    }
    Ok(())
}
