//! The light ranker: `sigmoid(w · x)` over what a search index knows of a post.

use crate::config::LightRankerConfig;
use crate::domain::{Language, Millis, Post, PostCounts, Query, RealGraphScores, UserId};

/// Milliseconds of a day.
const DAY_MS: f32 = 86_400_000.0;

/// Scores posts for one viewer.
pub struct LightRanker<'a> {
    weights: &'a LightRankerConfig,
    now: Millis,
    ties: Option<&'a RealGraphScores>,
    languages: &'a [Language],
}

impl<'a> LightRanker<'a> {
    /// A ranker for the query's viewer.
    pub fn new(weights: &'a LightRankerConfig, query: &'a Query) -> Self {
        Self {
            weights,
            now: query.now,
            ties: query.facts.real_graph.get().map(|ties| &**ties),
            languages: query.facts.settings.get().map_or(&[], |settings| &settings.languages),
        }
    }

    /// The score, in 0..=1.
    pub fn score(&self, post: &Post, counts: PostCounts) -> f32 {
        let w = self.weights;
        let flag = |holds: bool, weight: f32| if holds { weight } else { 0.0 };
        let logarithm = |count: u32| (count as f32 + 1.0).log2();
        let z = w.bias
            + w.age_days * (self.now.since(post.created_at).as_millis() as f32 / DAY_MS)
            + w.favorites * logarithm(counts.favorites)
            + w.replies * logarithm(counts.replies)
            + w.reposts * logarithm(counts.reposts)
            + w.quotes * logarithm(counts.quotes)
            + w.author_tie * self.tie(post.author)
            + flag(post.media.photos > 0, w.has_photo)
            + flag(post.media.video_ms.is_some(), w.has_video)
            + flag(!post.urls.is_empty(), w.has_link)
            + flag(post.quotes.is_some(), w.has_quote)
            + flag(post.is_reply(), w.is_reply)
            + flag(post.is_repost(), w.is_repost)
            + flag(self.is_foreign(post.language), w.foreign_language)
            + flag(post.labels.is_sensitive(), w.is_sensitive)
            + w.many_hashtags * post.hashtags.len().saturating_sub(2) as f32;
        1.0 / (1.0 + (-z).exp())
    }

    /// The tie's score in 0..=1, rescaled to 1..=2.97; 0 without a tie.
    fn tie(&self, author: UserId) -> f32 {
        let score = self.ties.and_then(|ties| ties.by_user.get(&author));
        score.map_or(0.0, |score| score * 1.97 + 1.0)
    }

    fn is_foreign(&self, language: Language) -> bool {
        language != Language::UNKNOWN && !self.languages.is_empty() && !self.languages.contains(&language)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{RequestFacts, ViewerSettings};

    #[test]
    fn each_input_moves_the_score_the_way_its_weight_says() {
        let weights = LightRankerConfig::default();
        let mut query = Query::new(UserId(1), Millis(10 * 86_400_000), RequestFacts::default());
        let settings = ViewerSettings { languages: vec![Language::new("en")], ..ViewerSettings::default() };
        query.facts.settings = Arc::new(settings).into();
        let ties = RealGraphScores { by_user: [(UserId(7), 0.5)].into_iter().collect() };
        query.facts.real_graph = Arc::new(ties).into();
        let ranker = LightRanker::new(&weights, &query);
        let fresh = Post { created_at: query.now, language: Language::new("en"), ..Post::default() };
        let base = ranker.score(&fresh, PostCounts::default());
        assert!((base - 1.0 / (1.0 + 4.0_f32.exp())).abs() <= 1e-6, "{base}");

        let liked = PostCounts { favorites: 100, ..PostCounts::default() };
        let old = Post { created_at: Millis(0), ..fresh.clone() };
        let foreign = Post { language: Language::new("de"), ..fresh.clone() };
        let friend = Post { author: UserId(7), ..fresh.clone() };
        assert!(ranker.score(&fresh, liked) > base);
        assert!(ranker.score(&old, PostCounts::default()) < base);
        assert!(ranker.score(&foreign, PostCounts::default()) < base);
        assert!(ranker.score(&friend, PostCounts::default()) > base);
    }
}
