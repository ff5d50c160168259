//! The two ways to place ads, as plain functions over positions.

use std::collections::VecDeque;

/// What stands at a place: the post or the ad with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A post.
    Post(usize),
    /// An ad.
    Ad(usize),
}

/// For a ranked timeline, whose posts may move.
///
/// There are as many slots as ads, as fit at `spacing` posts an ad, and as have two safe posts each. The safe posts, in
/// their order, are cut into equal groups, one a slot; what is left over of them is not in any. A slot is the first two
/// posts of its group with the first waiting ad between them that `suits` both; when none does, the slot stays empty and
/// its posts are free again. All free posts, in the order of their numbers, are spread evenly behind the slots; what does
/// not go up evenly stands behind the last ones. The result is cut to `limit` and never ends with an ad.
pub fn partition(
    safe: &[bool],
    ads: usize,
    spacing: usize,
    limit: usize,
    suits: impl Fn(usize, usize) -> bool,
) -> Vec<Place> {
    let posts = safe.len();
    let safe_posts: Vec<usize> = (0..posts).filter(|&post| safe[post]).collect();
    let slots = ads.min(posts.saturating_sub(1) / spacing.max(1)).min(safe_posts.len() / 2);
    let mut waiting: VecDeque<usize> = (0..ads).collect();
    let mut is_free = vec![true; posts];
    let mut placed = Vec::with_capacity(slots);
    let group = safe_posts.len().checked_div(slots).unwrap_or(0);
    for pair in safe_posts.chunks(group.max(1)).take(slots) {
        let [above, below, ..] = *pair else { continue };
        let found = waiting.iter().position(|&ad| suits(ad, above) && suits(ad, below));
        if let Some(ad) = found.and_then(|place| waiting.remove(place)) {
            (is_free[above], is_free[below]) = (false, false);
            placed.push([Place::Post(above), Place::Ad(ad), Place::Post(below)]);
        }
    }
    let free: Vec<usize> = (0..posts).filter(|&post| is_free[post]).collect();
    let mut result = Vec::with_capacity(posts + placed.len());
    if placed.is_empty() {
        result.extend(free.into_iter().map(Place::Post));
    } else {
        // Every slot gets as many free posts behind it; the last `extra` slots one more.
        let (each, extra) = (free.len() / placed.len(), free.len() % placed.len());
        let first_with_more = placed.len() - extra;
        let mut free = free.into_iter();
        for (number, slot) in placed.into_iter().enumerate() {
            result.extend(slot);
            let behind = each + usize::from(number >= first_with_more);
            result.extend(free.by_ref().take(behind).map(Place::Post));
        }
    }
    cut(result, limit)
}

/// For a chronological timeline, whose posts never move.
///
/// The first ad stands behind `spacing` posts, each further one behind as many more, or further down: only between two
/// posts that are both safe and suit it. No ad stands first or last.
pub fn separate(
    safe: &[bool],
    ads: usize,
    spacing: usize,
    suits: impl Fn(usize, usize) -> bool,
) -> Vec<Place> {
    let mut waiting: VecDeque<usize> = (0..ads).collect();
    let mut since_last = 0;
    let mut result = Vec::with_capacity(safe.len() + ads);
    for post in 0..safe.len() {
        let is_due = post > 0 && since_last >= spacing.max(1);
        if is_due && safe[post - 1] && safe[post] {
            let found = waiting.iter().position(|&ad| suits(ad, post - 1) && suits(ad, post));
            if let Some(ad) = found.and_then(|place| waiting.remove(place)) {
                result.push(Place::Ad(ad));
                since_last = 0;
            }
        }
        result.push(Place::Post(post));
        since_last += 1;
    }
    result
}

fn cut(mut places: Vec<Place>, limit: usize) -> Vec<Place> {
    places.truncate(limit);
    while matches!(places.last(), Some(Place::Ad(_))) {
        places.pop();
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ads(places: &[Place]) -> Vec<usize> {
        let is_ad = |place: &usize| matches!(places[*place], Place::Ad(_));
        (0..places.len()).filter(is_ad).collect()
    }

    #[test]
    fn thirty_five_safe_posts_and_ten_ads_make_ten_slots_of_groups_of_three() {
        let all = partition(&[true; 35], 10, 3, usize::MAX, |_, _| true);
        assert_eq!(all.len(), 45);
        // min(10 ads, ⌊34/3⌋ = 11, ⌊35/2⌋ = 17) slots; groups of ⌊35/10⌋ = 3 posts, two around the ad.
        assert_eq!(ads(&all).len(), 10);
        assert_eq!(all[..3], [Place::Post(0), Place::Ad(0), Place::Post(1)]);
        let second = all.iter().position(|place| *place == Place::Ad(1)).expect("placed");
        assert_eq!((all[second - 1], all[second + 1]), (Place::Post(3), Place::Post(4)));
        let page = partition(&[true; 35], 10, 3, 35, |_, _| true);
        assert_eq!(page.len(), 35);
        assert_eq!(page, all[..35]);
    }

    #[test]
    fn the_first_ad_that_suits_its_slot_takes_it_and_an_empty_slot_frees_its_posts() {
        let picky = partition(&[true; 8], 2, 3, usize::MAX, |ad, post| !(ad == 0 && post < 4));
        assert_eq!(ads(&picky), [1, 6], "{picky:?}");
        assert_eq!((picky[1], picky[6]), (Place::Ad(1), Place::Ad(0)));
        let nobody = partition(&[true; 8], 2, 3, usize::MAX, |_, _| false);
        assert_eq!(nobody, (0..8).map(Place::Post).collect::<Vec<_>>());
    }

    #[test]
    fn a_chronological_page_keeps_its_order_and_its_ads_their_distance() {
        let mut safe = [true; 12];
        safe[3] = false;
        let page = separate(&safe, 3, 3, |_, _| true);
        // Behind three posts the neighbour is not safe; one further down neither; then it is.
        assert_eq!(ads(&page), [5, 9, 13]);
        let posts: Vec<_> = page.iter().filter(|place| matches!(place, Place::Post(_))).copied().collect();
        assert_eq!(posts, (0..12).map(Place::Post).collect::<Vec<_>>());
        assert_eq!(separate(&[true; 3], 3, 3, |_, _| true).len(), 3, "an ad would end the page");
        assert!(separate(&[], 3, 3, |_, _| true).is_empty());
    }

    proptest! {
        #[test]
        fn no_post_is_lost_or_doubled_and_every_ad_stands_between_safe_posts_that_suit_it(
            safe in prop::collection::vec(prop::bool::weighted(0.8), 0..60),
            count in 0_usize..12,
            spacing in 0_usize..6,
            mask in any::<u64>(),
        ) {
            let suits = |ad: usize, post: usize| mask.rotate_left((7 * ad + post) as u32) & 3 != 0;
            let ranked = partition(&safe, count, spacing, usize::MAX, suits);
            let chronological = separate(&safe, count, spacing, suits);
            for page in [&ranked, &chronological] {
                let mut posts: Vec<usize> =
                    page.iter().filter_map(|place| match place { Place::Post(post) => Some(*post), _ => None }).collect();
                posts.sort_unstable();
                prop_assert_eq!(posts, (0..safe.len()).collect::<Vec<_>>());
                let mut shown = Vec::new();
                for place in ads(page) {
                    prop_assert!(place > 0 && place + 1 < page.len(), "first or last");
                    let Place::Ad(ad) = page[place] else { unreachable!() };
                    for neighbour in [page[place - 1], page[place + 1]] {
                        let Place::Post(post) = neighbour else { panic!("two ads side by side") };
                        prop_assert!(safe[post] && suits(ad, post));
                    }
                    shown.push(ad);
                }
                shown.sort_unstable();
                shown.dedup();
                prop_assert_eq!(shown.len(), ads(page).len(), "an ad comes once");
            }
        }
    }
}
