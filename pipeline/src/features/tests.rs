//! Slots, what is computed, and what happens when it cannot be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::families::{self, PostFeatures};
use super::*;
use crate::domain::stores::EngagementGraph;
use crate::domain::{
    Candidate, Engagement, EngagementKind, FeatureBatch, ManualClock, Millis, ModelInputs, Query,
    RequestColumns, UserId,
};
use crate::engine::Failure;
use crate::testing::{MemoryStores, NOW, VIEWER, candidate, hours, post, query};

/// Writes `value` into all its features, or fails after writing.
struct Constant {
    name: &'static str,
    level: Level,
    value: f32,
    fails: bool,
    after: &'static [&'static str],
    runs: Arc<AtomicUsize>,
}

impl crate::engine::Component for Constant {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "a constant"
    }
}

const OWN: usize = 4;

impl FeatureFamily for Constant {
    fn level(&self) -> Level {
        self.level
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        (0..OWN).map(|i| FeatureSpec { name: format!("{}.c{i}", self.name), default: -(i as f32) }).collect()
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        (0..2).map(|i| FeatureSpec::new(format!("{}.b{i}", self.name))).collect()
    }

    fn after(&self) -> &'static [&'static str] {
        self.after
    }

    fn fill(&self, _: &Query, _: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        for index in 0..rows.len() {
            let mut row = rows.row(index);
            let earlier: f32 = (0..self.after.len()).map(|place| row.of(place).iter().sum::<f32>()).sum();
            row.put_from(0, [self.value + earlier; OWN]);
            row.flag_from(0, [true; 2]);
        }
        if self.fails { Err(Failure::failed("constant", "in a mood")) } else { Ok(()) }
    }
}

fn constant(name: &'static str, level: Level, value: f32) -> Constant {
    Constant { name, level, value, fails: false, after: &[], runs: Arc::default() }
}

fn inputs(continuous: usize, binary: usize) -> ModelInputs {
    ModelInputs { continuous, binary, user_embedding: 2, user_engagement_embedding: 0, author_embedding: 3 }
}

fn plan(families: Vec<Constant>, inputs: ModelInputs, once: bool) -> FeaturePlan {
    let families = families.into_iter().map(|family| Arc::new(family) as Arc<dyn FeatureFamily>).collect();
    let registry = Arc::new(Registry::new(families).expect("fits"));
    let columns = if once { registry.request_columns(inputs) } else { RequestColumns::default() };
    let stores = MemoryStores::with_users([]);
    FeaturePlan::new(registry, inputs, &columns, stores, Arc::new(ManualClock::new(NOW))).expect("laid out")
}

fn three() -> Vec<Constant> {
    vec![
        constant("a", Level::Candidate, 1.0),
        constant("b", Level::Request, 2.0),
        Constant { after: &["a"], ..constant("c", Level::Candidate, 3.0) },
    ]
}

fn two_candidates() -> Vec<Candidate> {
    [post(10, 1), post(11, 2)].map(|post| candidate(&post)).to_vec()
}

#[test]
fn families_get_consecutive_slots_and_request_columns_stand_apart() {
    let mut batch = FeatureBatch::default();
    plan(three(), inputs(14, 7), true).fill(&query(&[]), &two_candidates(), &mut batch);
    assert_eq!(batch.request_continuous, [2.0; 4]);
    assert_eq!(batch.request_binary, [1.0; 2]);
    // a, then c with the sum of a added, then columns of no family; both rows alike.
    let row = [1.0, 1.0, 1.0, 1.0, 7.0, 7.0, 7.0, 7.0, 0.0, 0.0];
    assert_eq!(batch.continuous, [row, row].concat());
    assert_eq!(batch.binary, [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    assert_eq!((batch.user_embedding.len(), batch.author_embedding.len()), (2, 6));
}

#[test]
fn a_model_that_takes_nothing_once_gets_request_columns_in_every_row() {
    let mut batch = FeatureBatch::default();
    plan(three(), inputs(12, 6), false).fill(&query(&[]), &two_candidates(), &mut batch);
    assert!(batch.request_continuous.is_empty() && batch.request_binary.is_empty());
    let row = [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 7.0, 7.0, 7.0, 7.0];
    assert_eq!(batch.continuous, [row, row].concat());
}

#[test]
fn only_what_the_model_reads_is_computed() {
    for (read, runs) in [(12, [1, 1, 1]), (9, [1, 1, 1]), (8, [1, 1, 0]), (3, [1, 0, 0]), (0, [0, 0, 0])] {
        let families = three();
        let counters: Vec<_> = families.iter().map(|family| Arc::clone(&family.runs)).collect();
        let mut batch = FeatureBatch::default();
        plan(families, inputs(read, 0), true).fill(&query(&[]), &two_candidates(), &mut batch);
        let ran: Vec<_> = counters.iter().map(|counter| counter.load(Ordering::Relaxed)).collect();
        assert_eq!(ran, runs, "{read} slots read");
        assert_eq!(batch.continuous.len() + 2 * batch.request_continuous.len(), 2 * read);
    }
}

#[test]
fn a_family_that_fails_leaves_its_defaults_and_is_counted() {
    let families = vec![
        Constant { fails: true, ..constant("a", Level::Candidate, 1.0) },
        Constant { fails: true, ..constant("b", Level::Request, 2.0) },
        constant("c", Level::Candidate, 3.0),
    ];
    let plan = plan(families, inputs(12, 6), true);
    let mut batch = FeatureBatch::default();
    plan.fill(&query(&[]), &two_candidates(), &mut batch);
    assert_eq!(batch.continuous[..8], [0.0, -1.0, -2.0, -3.0, 3.0, 3.0, 3.0, 3.0]);
    assert_eq!(batch.request_continuous, [0.0, -1.0, -2.0, -3.0]);
    assert_eq!(batch.request_binary, [0.0, 0.0]);
    let failures: Vec<_> = plan.times().iter().map(|time| (time.family, time.failures)).collect();
    assert_eq!(failures, [("a", 1), ("b", 1), ("c", 0), ("embeddings", 0)]);
}

#[test]
fn a_batch_used_again_holds_nothing_of_the_last_request() {
    let stores = MemoryStores::with_users([1, 10, 11]);
    let registry = Arc::new(Registry::new(families::all(&stores.stores())).expect("fits"));
    let once = registry.request_columns(ModelInputs::PRODUCTION);
    let clock = Arc::new(ManualClock::new(NOW));
    let plan = FeaturePlan::new(registry, ModelInputs::PRODUCTION, &once, stores, clock).expect("laid out");
    let mut fresh = FeatureBatch::default();
    plan.fill(&query(&[10]), &two_candidates(), &mut fresh);
    let mut used = FeatureBatch::default();
    let many: Vec<_> = (0..9).map(|place| candidate(&post(12 + place, 60 * place))).collect();
    plan.fill(&query(&[10, 11]), &many, &mut used);
    plan.fill(&query(&[10]), &[], &mut used);
    plan.fill(&query(&[10]), &two_candidates(), &mut used);
    assert_eq!(used, fresh);
}

#[test]
fn names_order_and_slots_are_checked() {
    let families = |list: Vec<Constant>| {
        Registry::new(list.into_iter().map(|family| Arc::new(family) as Arc<dyn FeatureFamily>).collect())
            .err()
    };
    let twice = vec![constant("a", Level::Candidate, 0.0), constant("a", Level::Candidate, 0.0)];
    assert_eq!(families(twice), Some(RegistryError::Duplicate("a.c0".to_owned())));
    let backwards = vec![
        Constant { after: &["b"], ..constant("a", Level::Candidate, 0.0) },
        constant("b", Level::Candidate, 0.0),
    ];
    assert_eq!(families(backwards), Some(RegistryError::Order { family: "a", other: "b" }));
    let of_request = vec![
        constant("b", Level::Request, 0.0),
        Constant { after: &["b"], ..constant("a", Level::Candidate, 0.0) },
    ];
    assert_eq!(families(of_request), Some(RegistryError::Order { family: "a", other: "b" }));
}

#[test]
fn a_model_may_not_take_once_what_differs_between_candidates() {
    let families: Vec<Arc<dyn FeatureFamily>> = vec![Arc::new(PostFeatures)];
    let registry = Arc::new(Registry::new(families).expect("fits"));
    let once = RequestColumns { continuous: std::iter::once(3..5).collect(), binary: Vec::new() };
    let stores = MemoryStores::with_users([]);
    let clock = Arc::new(ManualClock::new(NOW));
    let refused = FeaturePlan::new(registry, ModelInputs::PRODUCTION, &once, stores, clock).err();
    assert!(
        matches!(refused, Some(RegistryError::Split { family: "post", kind: "continuous", .. })),
        "{refused:?}"
    );
}

#[test]
fn the_families_hold_what_their_names_say() {
    let stores = MemoryStores::with_users([1, 10]);
    let liked = post(10, 90);
    let engagement = |minutes: u64, kind| Engagement {
        user: VIEWER,
        post: liked.id,
        author: UserId(10),
        kind,
        at: Millis(NOW.0 - minutes as i64 * 60_000),
    };
    let events = [
        engagement(30, EngagementKind::Favorite),
        engagement(0, EngagementKind::Favorite),
        engagement(0, EngagementKind::Reply),
        engagement(48 * 60, EngagementKind::Click),
    ];
    // After two days: what is left of one by the half-life of a day, and of three days.
    let (of_day, of_three_days) = (0.25_f32, (-2.0_f32 / 3.0).exp2());
    let likes = 1.0 + (-0.5_f32 / 24.0).exp2();
    stores.record(&events).expect("recorded");
    let registry = Arc::new(Registry::new(families::all(&stores.stores())).expect("fits"));
    let inputs = ModelInputs { continuous: CONTINUOUS_SLOTS, ..ModelInputs::PRODUCTION };
    let clock = Arc::new(ManualClock::new(NOW));
    let once = RequestColumns::default();
    let plan = FeaturePlan::new(Arc::clone(&registry), inputs, &once, stores, clock).expect("laid out");
    let mut batch = FeatureBatch::default();
    let mut viewed = query(&[10]);
    viewed.facts.last_visit = Some(NOW - hours(5)).into();
    plan.fill(&viewed, &[candidate(&liked)], &mut batch);
    for (name, expected) in [
        ("post.age_hours", 1.5),
        ("post.words", 3.0),
        ("request.hours_since_visit", 5.0),
        ("post_received.any.favorite.half_life_30m", 1.5),
        ("post_received.any.favorite.total", 2.0),
        ("author_received.any.reply.total", 1.0),
        ("viewer_gave.any.favorite.total", 2.0),
        ("viewer_author.any.reply.half_life_50d", 1.0),
        ("post_received.any.repost.total", 0.0),
        ("shares.post_received.favorite.share_total", 2.0 / 4.0),
        ("shares.post_received.click.share_24h", of_day / (likes + 1.0 + of_day)),
        ("shares.topic_received.click.share_24h", 0.0),
        ("shares.viewer_author.click.share_total", 1.0 / 4.0),
        ("shares.community_received.click.trend", of_day / of_three_days),
        ("shares.author_received.click.trend", of_day / of_three_days),
        ("shares.author_received.reply.trend", 1.0),
    ] {
        let slot = registry.continuous_names().iter().position(|other| other == name).expect(name);
        let got = batch.continuous[slot];
        assert!((got - expected).abs() <= 1e-5, "{name}: expected {expected}, got {got}");
    }
    for (name, expected) in [
        ("post.is_in_network", 1.0),
        ("post.is_reply", 0.0),
        ("source.in_network", 1.0),
        ("request.context_launch", 1.0),
    ] {
        let slot = registry.binary_names().iter().position(|other| other == name).expect(name);
        assert_eq!(batch.binary[slot], expected, "{name}");
    }
}

#[test]
fn the_registry_fills_the_record() {
    let registry = Registry::new(families::all(&MemoryStores::with_users([]).stores())).expect("fits");
    assert_eq!(registry.continuous_names().len(), CONTINUOUS_SLOTS);
    assert_eq!(registry.binary_names().len(), BINARY_SLOTS);
    assert_eq!(DISCRETE.iter().map(|(_, length)| length).sum::<usize>(), DISCRETE_SLOTS);
}
