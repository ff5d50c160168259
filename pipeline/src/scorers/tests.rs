//! The heuristic factors, together.

use std::sync::Arc;

use super::Heuristics;
use crate::config::HeuristicsConfig;
use crate::domain::{AuthorFacts, Candidate, Feature, Feedback, FeedbackKind, Query, User, UserId};
use crate::engine::{Failure, Hydrator};
use crate::testing::{NOW, VIEWER, candidate, hours, post, query, reply, stranger};

async fn rescore(query: &Query, config: HeuristicsConfig, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let scorer = Heuristics { config };
    let scored = scorer.hydrate(query, &candidates).await.expect("scored");
    for (candidate, score) in candidates.iter_mut().zip(scored) {
        scorer.apply(candidate, score.map_err(|failure| panic!("{failure}")));
    }
    candidates
}

fn with_score(mut candidate: Candidate, score: f64) -> Candidate {
    candidate.model_score = Feature::Value(score);
    candidate
}

fn by(mut candidate: Candidate, edit: impl FnOnce(&mut User)) -> Candidate {
    let mut author = User { id: candidate.author_id, ..User::default() };
    edit(&mut author);
    candidate.authors = Feature::Value(AuthorFacts {
        author: Some(Arc::new(author)),
        original_author: None,
        quoted_author: None,
    });
    candidate
}

#[tokio::test]
async fn each_factor_multiplies_the_models_score() {
    let parent = post(50, 90);
    let config = HeuristicsConfig::default();
    for (name, candidate, expected) in [
        ("plain", candidate(&post(10, 1)), 1.0),
        ("stranger", stranger(&post(20, 1)), 0.75),
        ("reply", candidate(&reply(10, 1, &parent)), 0.75),
        ("stranger's reply", stranger(&reply(20, 1, &parent)), 0.5625),
        ("verified", by(candidate(&post(10, 1)), |user| user.verification.blue = true), 1.0),
        ("creator", by(candidate(&post(10, 1)), |user| user.is_creator = true), 1.1),
        ("stranger and creator", by(stranger(&post(20, 1)), |user| user.is_creator = true), 0.75 * 1.3),
        ("creator's reply", by(candidate(&reply(10, 1, &parent)), |user| user.is_creator = true), 0.75),
    ] {
        let rescored = rescore(&query(&[]), config.clone(), vec![with_score(candidate, 2.0)]).await;
        assert!((rescored[0].score - 2.0 * expected).abs() <= 1e-12, "{name}: {}", rescored[0].score);
        let product: f64 = rescored[0].factors.iter().map(|factor| factor.value).product();
        assert!((product - expected).abs() <= 1e-12, "{name}: {:?}", rescored[0].factors);
    }
}

#[tokio::test]
async fn verified_accounts_gain_only_where_the_configuration_says_so() {
    let mut config = HeuristicsConfig::default();
    config.verified.in_network = 4.0;
    config.verified.out_of_network = 2.0;
    config.out_of_network_factor = 1.0;
    let blue = |candidate| with_score(by(candidate, |user| user.verification.blue = true), 1.0);
    let rescored =
        rescore(&query(&[]), config, vec![blue(candidate(&post(10, 1))), blue(stranger(&post(20, 1)))]).await;
    assert_eq!([rescored[0].score, rescored[1].score], [4.0, 2.0]);
}

#[tokio::test]
async fn an_authors_posts_lose_by_the_models_order_and_feedback_fades() {
    let mut query = query(&[]);
    let feedback = Feedback {
        viewer: VIEWER,
        kind: FeedbackKind::Post,
        about: UserId(11),
        post: None,
        at: NOW - hours(49 * 24),
    };
    query.facts.feedback = Feature::Value(vec![feedback].into());
    let candidates = vec![
        with_score(candidate(&post(10, 1)), 1.0),
        with_score(candidate(&post(10, 2)), 4.0),
        with_score(candidate(&post(11, 3)), 1.0),
        with_score(candidate(&post(10, 4)), 2.0),
    ];
    let rescored = rescore(&query, HeuristicsConfig::default(), candidates).await;
    let scores: Vec<f64> = rescored.iter().map(|candidate| candidate.score).collect();
    for (got, expected) in scores.iter().zip([0.4375, 4.0, 0.4, 1.25]) {
        assert!((got - expected).abs() <= 1e-12, "{scores:?}");
    }
}

#[tokio::test]
async fn without_the_factors_the_models_score_stands() {
    let scorer = Heuristics { config: HeuristicsConfig::default() };
    let mut candidate = with_score(stranger(&post(20, 1)), 2.0);
    scorer.apply(&mut candidate, Err(&Failure::failed("heuristics", "in a mood")));
    assert_eq!((candidate.score, candidate.factors.len()), (2.0, 0));
}
