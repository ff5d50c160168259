//! Who follows whom, and who avoids whom.
//!
//! Everybody follows neighbours at home, who mostly follow back; popular members of their own communities; and a few of
//! the most popular people anywhere. Popularity has a heavy tail, and so do the numbers of followers.

use super::people::Society;
use super::random::{Purpose, Random};
use crate::domain::stores::Relation;
use crate::world::WorldConfig;

/// Neighbours on each side at home that a user may know.
const NEIGHBOURS: usize = 4;

/// Lists of users, one after the other.
#[derive(Debug, Default)]
pub(super) struct UserLists {
    /// (users + 1,)
    offsets: Vec<u32>,
    items: Vec<u32>,
}

impl UserLists {
    /// Lists from one closure call for each user, which appends the user's items.
    pub(super) fn build(users: u32, mut append: impl FnMut(u32, &mut Vec<u32>)) -> Self {
        let mut lists = Self { offsets: vec![0], items: Vec::new() };
        for user in 0..users {
            append(user, &mut lists.items);
            lists.offsets.push(lists.items.len() as u32);
        }
        lists
    }

    /// Sorts (list, item) pairs into lists, items in the order in which they come.
    pub(super) fn group(lists: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut offsets = vec![0_u32; lists + 1];
        pairs.clone().for_each(|(list, _)| offsets[list as usize + 1] += 1);
        for list in 0..lists {
            offsets[list + 1] += offsets[list];
        }
        let mut next = offsets.clone();
        let mut items = vec![0; offsets[lists] as usize];
        for (list, item) in pairs {
            items[next[list as usize] as usize] = item;
            next[list as usize] += 1;
        }
        Self { offsets, items }
    }

    /// One user's list.
    pub(super) fn of(&self, user: u32) -> &[u32] {
        &self.items[self.offsets[user as usize] as usize..self.offsets[user as usize + 1] as usize]
    }

    /// How often each number occurs as an item.
    pub(super) fn occurrences(&self, numbers: usize) -> Vec<u32> {
        let mut counts = vec![0; numbers];
        self.items.iter().for_each(|&item| counts[item as usize] += 1);
        counts
    }
}

/// Whom everybody follows, each list ascending.
pub(super) fn follows(config: &WorldConfig, society: &Society) -> UserLists {
    let mut marks = vec![u32::MAX; config.users as usize];
    UserLists::build(config.users, |user, items| {
        let mut random = Random::of(config.seed, Purpose::Follows, u64::from(user));
        let person = &society.people[user as usize];
        let start = items.len();
        marks[user as usize] = user;
        let mut add = |target: u32, items: &mut Vec<u32>| {
            if marks[target as usize] != user {
                marks[target as usize] = user;
                items.push(target);
            }
        };
        let residents = &society.home(user).residents;
        for step in 1..=NEIGHBOURS.min(residents.len() / 2) {
            for place in [person.place as usize + step, person.place as usize + residents.len() - step] {
                let other = residents[place % residents.len()];
                // Both sides ask the same question, so the answer is mutual.
                let pair = u64::from(user.min(other)) << 32 | u64::from(user.max(other));
                if Random::of(config.seed, Purpose::Follows, pair | 1 << 63).chance(0.6) {
                    add(other, items);
                }
            }
        }
        // Pareto with exponent 2 has mean 2.
        let wanted = f64::from(config.mean_following) / 2.0 * random.pareto(2.0, 30.0);
        let wanted = (wanted as usize).min(config.users as usize / 3);
        // Popular people are drawn again and again; what is drawn twice does not count, so tries are limited.
        for _ in 0..3 * wanted {
            if items.len() - start >= wanted {
                break;
            }
            let target = match random.unit() {
                x if x < 0.8 => {
                    let community = &society.communities[person.draw_community(&mut random) as usize];
                    community.by_popularity.draw(&mut random).map(|position| community.members[position])
                }
                x if x < 0.95 => society.by_popularity.draw(&mut random).map(|position| position as u32),
                _ => Some(random.below(config.users as usize) as u32),
            };
            if let Some(target) = target {
                add(target, items);
            }
        }
        items[start..].sort_unstable();
    })
}

/// The rarer relations: block, mute, reposts turned off, subscribe. Shows each pair once, by relation, ascending.
pub(super) fn others<E>(
    config: &WorldConfig,
    society: &Society,
    follows: &UserLists,
    mut show: impl FnMut(Relation, u32, u32) -> Result<(), E>,
) -> Result<(), E> {
    let kinds = [
        (Relation::Block, 0.5, false),
        (Relation::Mute, 0.8, false),
        (Relation::RepostsOff, 0.4, true),
        (Relation::Subscribe, 0.3, true),
    ];
    for (relation, mean, is_of_followed) in kinds {
        for user in 0..config.users {
            let item = u64::from(user) | (relation as u64 + 1) << 40;
            let mut random = Random::of(config.seed, Purpose::Follows, item);
            let count = random.exponential(mean).round() as usize;
            let followed = follows.of(user);
            let mut targets: Vec<u32> = (0..count)
                .filter_map(|_| {
                    if is_of_followed {
                        random.pick(followed).copied()
                    } else {
                        society.by_popularity.draw(&mut random).map(|position| position as u32)
                    }
                })
                .filter(|&target| target != user)
                // Who blocks somebody does not follow them; only creators can be paid.
                .filter(|target| relation != Relation::Block || followed.binary_search(target).is_err())
                .filter(|&target| {
                    relation != Relation::Subscribe || society.people[target as usize].is_creator
                })
                .collect();
            targets.sort_unstable();
            targets.dedup();
            targets.into_iter().try_for_each(|target| show(relation, user, target))?;
        }
    }
    Ok(())
}
