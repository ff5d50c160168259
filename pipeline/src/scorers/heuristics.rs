//! The factors that a model's score is multiplied with.

use std::sync::Arc;

use async_trait::async_trait;

use super::{FeedbackFading, diversity_factors};
use crate::component;
use crate::config::HeuristicsConfig;
use crate::domain::{Candidate, Factor, Query};
use crate::engine::{Failure, Hydrator, Scorer};

/// Multiplies the model's score with all factors at once; places among an author's posts go by the model's scores.
/// Candidates out of the cache are multiplied like any other.
pub struct Heuristics {
    /// The factors.
    pub config: HeuristicsConfig,
}

component!(
    Heuristics,
    "heuristics",
    "multiplies the model's score by network, reply, verification, creator, diversity and feedback factors"
);

/// A candidate's final score and how it came about.
pub struct Rescored {
    score: f64,
    factors: Vec<Factor>,
}

impl Scorer<Query, Candidate> for Heuristics {}

#[async_trait]
impl Hydrator<Query, Candidate> for Heuristics {
    type Output = Rescored;

    async fn hydrate(
        &self,
        query: &Query,
        candidates: &[Candidate],
    ) -> Result<Vec<Result<Rescored, Failure>>, Failure> {
        let history = query.facts.feedback.get().map_or(&[][..], |history| history);
        let fading = FeedbackFading::new(&self.config.feedback, history, query.now);
        let scores: Vec<_> = candidates.iter().map(|c| (c.author_id, c.model_score.get_or(0.0))).collect();
        let remembered = query.facts.served_authors.get_or(Arc::default());
        let diversity = diversity_factors(&self.config.diversity, &scores, &remembered);
        let rescore = |(candidate, place_factor): (&Candidate, f64)| {
            let factors = self.factors(candidate, place_factor, &fading);
            let score =
                factors.iter().fold(candidate.model_score.get_or(0.0), |score, factor| score * factor.value);
            Ok(Rescored { score, factors })
        };
        Ok(candidates.iter().zip(diversity).map(rescore).collect())
    }

    fn apply(&self, candidate: &mut Candidate, scored: Result<Rescored, &Failure>) {
        // Without the factors the model's own score is the best there is.
        let plain = |_| Rescored { score: candidate.model_score.get_or(0.0), factors: Vec::new() };
        let rescored = scored.unwrap_or_else(plain);
        candidate.score = rescored.score;
        candidate.factors = rescored.factors;
    }
}

impl Heuristics {
    /// The factors that are not 1.
    fn factors(&self, candidate: &Candidate, place_factor: f64, fading: &FeedbackFading) -> Vec<Factor> {
        let config = &self.config;
        let in_network = candidate.is_in_network();
        let author = candidate.authors.get().and_then(|facts| facts.author.as_ref());
        let is_original = !candidate.is_repost() && !candidate.is_reply();
        let by_network = |inside: f64, outside: f64| if in_network { inside } else { outside };
        let when = |holds: bool, value: f64| if holds { value } else { 1.0 };
        let is_verified = is_original && author.is_some_and(|author| author.verification.blue);
        let is_creator = is_original && author.is_some_and(|author| author.is_creator);
        let verified = by_network(config.verified.in_network, config.verified.out_of_network);
        let creator = by_network(config.creator.in_network, config.creator.out_of_network);
        [
            ("out_of_network", when(!in_network, config.out_of_network_factor)),
            ("reply", when(candidate.is_reply(), config.reply_factor)),
            ("verified", when(is_verified, verified)),
            ("creator", when(is_creator, creator)),
            ("author_diversity", place_factor),
            ("feedback", fading.factor(candidate)),
        ]
        .into_iter()
        .filter(|(_, value)| *value != 1.0)
        .map(|(name, value)| Factor { name, value })
        .collect()
    }
}
