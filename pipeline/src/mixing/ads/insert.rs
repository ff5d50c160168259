//! Ads into the result.

use std::collections::HashMap;

use super::fit::Neighbour;
use super::places::{Place, partition, separate};
use crate::component;
use crate::config::AdsConfig;
use crate::domain::Query;
use crate::engine::{Choice, Selector};
use crate::mixing::Item;

/// How ads are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Posts may move, as in a ranked timeline; the page of posts and ads has so many places unless the caller says.
    Ranked {
        /// The usual page.
        page: usize,
    },
    /// Posts keep their order.
    Chronological,
}

/// Places the ads that fit among the posts of the result. Modules and prompts stay behind as many posts as before, one
/// more where an ad would come to stand beside them; a pinned post stays where it is. Ads without a place are left.
pub struct InsertAds {
    /// How.
    pub placement: Placement,
    /// Spacing and least page.
    pub config: AdsConfig,
}

component!(InsertAds, "insert_ads", "places the ads that suit their neighbours among the posts");

impl Selector<Query, Item> for InsertAds {
    fn select(&self, query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        let (ads, others): (Vec<usize>, Vec<usize>) =
            choice.remaining.iter().partition(|&&index| matches!(pool[index], Item::Ad(_)));
        let is_organic = |index: usize| {
            !pool[index].posts().is_empty() && !pool[index].posts().iter().any(|shown| shown.is_pinned)
        };
        let posts: Vec<usize> = choice.result.iter().copied().filter(|&index| is_organic(index)).collect();
        if ads.is_empty() || posts.len() < self.config.min_posts {
            return;
        }
        let neighbours: Vec<Neighbour> = posts.iter().map(|&index| Neighbour::of(&pool[index])).collect();
        let safe: Vec<bool> = neighbours.iter().map(|neighbour| !neighbour.is_avoided()).collect();
        let suits = |ad: usize, post: usize| match &pool[ads[ad]] {
            Item::Ad(slot) => neighbours[post].suits(&slot.ad),
            _ => false,
        };
        let spacing = self.config.spacing;
        let places = match self.placement {
            Placement::Ranked { page } => {
                let limit = query.request.max_results.unwrap_or(page);
                partition(&safe, ads.len(), spacing, limit, suits)
            }
            Placement::Chronological => separate(&safe, ads.len(), spacing, suits),
        };
        let placed: Vec<usize> = places
            .iter()
            .map(|place| match *place {
                Place::Post(post) => posts[post],
                Place::Ad(ad) => ads[ad],
            })
            .collect();
        let is_placed: std::collections::HashSet<usize> = placed.iter().copied().collect();
        // What the page was too short for; the caller's next page has it.
        choice.dropped.extend(posts.iter().copied().filter(|index| !is_placed.contains(index)));
        let (before, behind) = fixtures(&choice.result, is_organic);
        choice.result = weave(placed, before, behind, |index| matches!(pool[index], Item::Ad(_)));
        choice.remaining = others;
        choice.remaining.extend(ads.into_iter().filter(|index| !is_placed.contains(index)));
    }
}

/// What stands before all posts, and what stands behind how many of them.
fn fixtures(
    result: &[usize],
    is_organic: impl Fn(usize) -> bool,
) -> (Vec<usize>, HashMap<usize, Vec<usize>>) {
    let (mut first, mut behind, mut count) = (Vec::new(), HashMap::<usize, Vec<usize>>::new(), 0);
    for &index in result {
        if is_organic(index) {
            count += 1;
        } else if count == 0 {
            first.push(index);
        } else {
            behind.entry(count).or_default().push(index);
        }
    }
    (first, behind)
}

fn weave(
    placed: Vec<usize>,
    first: Vec<usize>,
    mut behind: HashMap<usize, Vec<usize>>,
    is_ad: impl Fn(usize) -> bool,
) -> Vec<usize> {
    let mut result = first;
    let (mut count, mut due) = (0, Vec::new());
    let mut places = placed.iter().copied().peekable();
    while let Some(index) = places.next() {
        result.push(index);
        if is_ad(index) {
            continue;
        }
        count += 1;
        due.extend(behind.remove(&count).into_iter().flatten());
        // An ad has posts on both sides: what is due waits for the next gap without one.
        if !places.peek().is_some_and(|&next| is_ad(next)) {
            result.append(&mut due);
        }
    }
    let mut rest: Vec<_> = behind.into_iter().collect();
    rest.sort_by_key(|(count, _)| *count);
    result.extend(due.into_iter().chain(rest.into_iter().flat_map(|(_, items)| items)));
    result
}
