//! Long runs of posts from outside of the network.

use super::Among;
use crate::component;
use crate::domain::{PageKind, Query};
use crate::engine::{Choice, Selector};
use crate::mixing::Item;

/// Where more than so many posts from outside of the network follow each other, moves the next one of the network up
/// between them. On a page of newer posts, cuts a long tail that has none of the network any more.
pub struct BreakBunches {
    /// The longest run.
    pub max_bunch: usize,
}

component!(BreakBunches, "break_bunches", "moves posts of the network between long runs from outside of it");

/// Share and least length of the tail that a page of newer posts keeps.
const TAIL_SHARE: f64 = 0.1;
const LEAST_TAIL: usize = 5;

impl Selector<Query, Item> for BreakBunches {
    fn select(&self, query: &Query, pool: &[Item], choice: &mut Choice, _quality: f64) {
        let (mut ranked, others): (Vec<usize>, Vec<usize>) =
            choice.remaining.iter().partition(|&&index| Among::Ranked.has(&pool[index]));
        let is_outside =
            |index: usize| !pool[index].focal().is_none_or(|shown| shown.candidate.is_in_network());
        let last_inside = debunch(&mut ranked, self.max_bunch, is_outside);
        if query.request.page() == PageKind::Newer {
            let head = last_inside.map_or(0, |last| last + 1);
            let tail = ranked.len() - head;
            let kept = head + LEAST_TAIL.max((tail as f64 * TAIL_SHARE) as usize);
            choice.dropped.extend(ranked.split_off(kept.min(ranked.len())));
        }
        choice.remaining = ranked;
        choice.remaining.extend(others);
    }
}

/// Breaks runs of more than `longest` outside items; gives the place of the last inside item that was met.
fn debunch<T: Copy>(items: &mut [T], longest: usize, is_outside: impl Fn(T) -> bool) -> Option<usize> {
    let (mut place, mut run, mut search_from, mut last_inside) = (0, 0, 0, None);
    while place < items.len() {
        if is_outside(items[place]) {
            run += 1;
        } else {
            run = 0;
            last_inside = Some(place);
        }
        if run > longest {
            search_from = search_from.max(place);
            let Some(found) = (search_from..items.len()).find(|&index| !is_outside(items[index])) else {
                break;
            };
            items[place..=found].rotate_right(1);
            search_from = found;
            run = 0;
            last_inside = Some(place);
        }
        place += 1;
    }
    last_inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_broken_with_the_next_post_of_the_network() {
        for (before, after) in [
            ("OOOIOI", "OOIOOI"),
            ("OOOO", "OOOO"),
            ("IIII", "IIII"),
            ("OOOOOIII", "OOIOOIOI"),
            ("", ""),
            ("OO", "OO"),
        ] {
            let mut items: Vec<char> = before.chars().collect();
            debunch(&mut items, 2, |item| item == 'O');
            assert_eq!(items.into_iter().collect::<String>(), after, "{before}");
        }
    }
}
