//! For any funnel: no candidate is lost or doubled, order is kept, and the same funnel gives the same result.

use std::sync::Arc;

use proptest::prelude::*;

use super::toys::{ById, Item, Mark, Mood, Pick, Query, Sieve, funnel, ids, run, source};
use crate::engine::{Choice, Filter, RecommendationPipeline, ScoringPipeline, Selector, Verdict};

type Judge = fn(&Query, &[Item]) -> Vec<Verdict>;
type Select = fn(&[Item], &mut Choice);

const FILTERS: [Judge; 4] = [
    |_, items| items.iter().map(|item| Verdict::remove_if(item.id % 3 == 0, "third")).collect(),
    |_, items| vec![Verdict::Keep; items.len()],
    |_, items| vec![Verdict::Remove("all"); items.len()],
    |_, items| (0..items.len()).map(|place| Verdict::remove_if(place > 4, "tail")).collect(),
];
const SELECTORS: [Select; 4] = [
    |pool, choice| choice.retain_remaining(|index| pool[index].id % 5 != 0),
    |_, choice| choice.remaining.reverse(),
    |_, choice| {
        let half = choice.remaining.split_off(choice.remaining.len() / 2);
        choice.result.extend(half);
    },
    |_, choice| choice.result.append(&mut choice.remaining),
];
const MOODS: [Mood; 4] = [Mood::After(0), Mood::Fails, Mood::Panics, Mood::Hangs];

#[derive(Clone, Debug)]
struct Plan {
    sources: Vec<(Vec<u32>, usize)>,
    filters: Vec<usize>,
    selectors: Vec<usize>,
    hydrator: usize,
    scorer: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let sources = prop::collection::vec((prop::collection::vec(0u32..40, 0..12), 0..MOODS.len()), 0..4);
    let some = |most: usize| prop::collection::vec(0..4usize, 0..most);
    (sources, some(4), some(5), 0..MOODS.len(), 0..MOODS.len()).prop_map(
        |(sources, filters, selectors, hydrator, scorer)| Plan {
            sources,
            filters,
            selectors,
            hydrator,
            scorer,
        },
    )
}

fn build(plan: &Plan) -> RecommendationPipeline<Query, Item> {
    let names = ["a", "b", "c", "d"];
    let sources =
        plan.sources.iter().zip(names).map(|((ids, mood), name)| source(name, ids, MOODS[*mood])).collect();
    let filters =
        plan.filters.iter().map(|&number| Arc::new(Sieve(FILTERS[number])) as Arc<dyn Filter<Query, Item>>);
    let selectors = plan
        .selectors
        .iter()
        .map(|&number| Arc::new(Pick(SELECTORS[number])) as Arc<dyn Selector<Query, Item>>);
    let mut funnel = funnel(sources);
    funnel.hydrators = vec![vec![Arc::new(Mark("m", MOODS[plan.hydrator]))]];
    funnel.filters = filters.collect();
    funnel.scoring_pipelines = vec![ScoringPipeline {
        scorers: vec![Arc::new(ById(MOODS[plan.scorer]))],
        ..ScoringPipeline::new("scoring")
    }];
    funnel.selectors = selectors.collect();
    funnel
}

/// Ids served and ids removed.
fn serve(plan: &Plan) -> (Vec<u32>, Vec<u32>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let outcome = build(plan).run(&run(), Arc::default()).await.expect("every failure here is recovered");
        let removed: Vec<_> = outcome.served.removed.iter().map(|gone| gone.candidate.id).collect();
        (ids(&outcome.served.selected), removed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_came_in_is_what_was_served_plus_what_was_removed(plan in plan()) {
        let (served, removed) = serve(&plan);
        let healthy = plan.sources.iter().filter(|(_, mood)| MOODS[*mood] == Mood::After(0));
        let mut fetched: Vec<u32> = healthy.flat_map(|(ids, _)| ids.clone()).collect();
        let mut out = [served, removed].concat();
        fetched.sort_unstable();
        out.sort_unstable();
        prop_assert_eq!(out, fetched);
    }

    #[test]
    fn the_same_funnel_gives_the_same_result(plan in plan()) {
        prop_assert_eq!(serve(&plan), serve(&plan));
    }

    #[test]
    fn without_reordering_selectors_the_order_of_the_sources_is_kept(mut plan in plan()) {
        plan.selectors = vec![0, 3];
        let (served, _) = serve(&plan);
        let healthy = plan.sources.iter().filter(|(_, mood)| MOODS[*mood] == Mood::After(0));
        let fetched: Vec<u32> = healthy.flat_map(|(ids, _)| ids.clone()).collect();
        let mut rest = fetched.iter();
        prop_assert!(served.iter().all(|id| rest.any(|other| other == id)), "{:?} is no subsequence of {:?}", served, fetched);
    }
}
