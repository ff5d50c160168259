//! Each selector by what it chooses.

use std::collections::BTreeMap;

use super::*;
use crate::config::{ScoringConfig, SelectionConfig};
use crate::domain::{Candidate, Feature, Query, SourceKind, SuggestKind};
use crate::engine::{Choice, Selector};
use crate::testing::{candidate, post, query, stranger};

fn select(selector: &dyn Selector<Query, Candidate>, pool: &[Candidate]) -> Choice {
    select_for(selector, &query(&[]), pool, 1.0)
}

fn select_for(
    selector: &dyn Selector<Query, Candidate>,
    query: &Query,
    pool: &[Candidate],
    quality: f64,
) -> Choice {
    let mut choice = Choice::all_remaining(pool.len());
    selector.select(query, pool, &mut choice, quality);
    choice
}

fn scored(mut candidate: Candidate, score: f64) -> Candidate {
    candidate.score = score;
    candidate
}

#[test]
fn the_first_copy_of_a_post_wins() {
    let pool = [post(10, 1), post(11, 1), post(10, 1)].map(|post| candidate(&post));
    let choice = select(&DropDuplicates, &pool);
    assert_eq!((choice.remaining, choice.dropped), (vec![0, 1], vec![2]));
}

#[test]
fn scores_order_equal_ones_stay_and_no_numbers_sink() {
    let scores = [1.0, f64::NAN, 3.0, 1.0, f64::INFINITY, 2.0];
    let pool: Vec<_> = scores.iter().map(|&score| scored(candidate(&post(10, 1)), score)).collect();
    assert_eq!(select(&SortByScore, &pool).remaining, [2, 5, 0, 3, 1, 4]);
}

#[test]
fn strangers_keep_their_best_post_of_each_kind_of_suggestion() {
    let of_kind = |suggest, score| {
        let mut candidate = scored(stranger(&post(20, 1)), score);
        candidate.suggest = suggest;
        candidate
    };
    let pool = [
        of_kind(SuggestKind::SimilarContent, 1.0),
        of_kind(SuggestKind::SimilarContent, f64::NAN),
        of_kind(SuggestKind::SimilarContent, 2.0),
        of_kind(SuggestKind::SimilarContent, 2.0),
        of_kind(SuggestKind::Activity, 0.5),
        scored(candidate(&post(10, 1)), 0.1),
        scored(candidate(&post(10, 2)), 0.2),
    ];
    assert_eq!(select(&BestOutOfNetworkPerAuthor, &pool).remaining, [2, 4, 5, 6]);
}

#[test]
fn each_share_is_cut_by_itself() {
    let config =
        SelectionConfig { max_in_network: 2, max_out_of_network: 1, max_backfill: 1, ..Default::default() };
    let backfill = |author| Candidate { source: SourceKind::Backfill, ..candidate(&post(author, 1)) };
    let mut cached = backfill(13);
    (cached.source, cached.cached_source) = (SourceKind::Cached, Some(SourceKind::Backfill));
    let pool = [
        candidate(&post(10, 1)),
        stranger(&post(20, 1)),
        stranger(&post(21, 1)),
        candidate(&post(11, 1)),
        backfill(12),
        cached,
        candidate(&post(14, 1)),
    ];
    let choice = select(&NetworkCaps { config }, &pool);
    assert_eq!((choice.remaining, choice.dropped), (vec![0, 1, 3, 4], vec![2, 5, 6]));
}

#[test]
fn the_best_of_each_source_are_scored_and_nothing_of_the_cache() {
    let with = |source, light_score: f32, minutes| {
        let mut candidate = candidate(&post(10, minutes));
        (candidate.source, candidate.light_score) = (source, light_score);
        candidate.model_score = Feature::Missing;
        candidate
    };
    let pool = [
        with(SourceKind::InNetwork, 0.1, 1),
        with(SourceKind::InNetwork, 0.9, 2),
        with(SourceKind::Cached, 1.0, 3),
        with(SourceKind::InNetwork, f32::NAN, 4),
        with(SourceKind::InNetwork, 0.5, 5),
        with(SourceKind::Backfill, 0.0, 9),
        with(SourceKind::Backfill, 0.0, 8),
        with(SourceKind::Backfill, 0.0, 7),
    ];
    let max_scored: BTreeMap<_, _> = [(SourceKind::InNetwork, 2), (SourceKind::Backfill, 2)].into();
    let selector = ScoringCandidates { max_scored: max_scored.clone(), max_candidates: None };
    let choice = select(&selector, &pool);
    assert_eq!((choice.result, choice.remaining), (vec![1, 4, 7, 6], vec![0, 2, 3, 5]));
    let slow = select_for(&selector, &query(&[]), &pool, 0.5);
    assert_eq!(slow.result, [1, 7], "half the quality, half the work");
    let fewer = ScoringCandidates { max_scored, max_candidates: Some(3) };
    assert_eq!(select(&fewer, &pool).result, [1, 4, 7], "three of four, each source by its share");
    assert_eq!(select_for(&fewer, &query(&[]), &pool, 0.34).result, [1]);
}

#[test]
fn no_selector_minds_an_empty_pool() {
    let config = SelectionConfig::default;
    let selectors: [Box<dyn Selector<Query, Candidate>>; 6] = [
        Box::new(AppendRemaining),
        Box::new(DropDuplicates),
        Box::new(SortByScore),
        Box::new(BestOutOfNetworkPerAuthor),
        Box::new(NetworkCaps { config: config() }),
        Box::new(ScoringCandidates {
            max_scored: ScoringConfig::default().max_scored,
            max_candidates: Some(1),
        }),
    ];
    for selector in selectors {
        assert_eq!(select(&*selector, &[]), Choice::default(), "{}", selector.name());
    }
}
