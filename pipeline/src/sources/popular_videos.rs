//! Videos that many people watch and like.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::LightRanker;
use crate::component;
use crate::config::{LightRankerConfig, PopularVideosConfig};
use crate::domain::stores::{PostStore, RetrievalIndex};
use crate::domain::{Candidate, Language, Post, PostId, Query, SourceKind, SuggestKind};
use crate::engine::{Failure, Scope, Source, scaled_limit};

/// Finds the most popular videos in languages that the viewer reads.
pub struct PopularVideos {
    /// Videos by popularity.
    pub index: Arc<dyn RetrievalIndex>,
    /// Posts.
    pub posts: Arc<dyn PostStore>,
    /// Limits.
    pub config: PopularVideosConfig,
    /// The light ranker.
    pub light_ranker: LightRankerConfig,
}

component!(PopularVideos, "popular_videos", "the most popular videos in languages that the viewer reads");

#[async_trait]
impl Source<Query, Candidate> for PopularVideos {
    async fn fetch(&self, query: &Query, scope: Scope<'_, Candidate>) -> Result<Vec<Candidate>, Failure> {
        let limit = scaled_limit(self.config.max_results, scope.quality);
        let ranker = LightRanker::new(&self.light_ranker, query);
        let mut candidates = Vec::with_capacity(limit);
        for id in self.scanned() {
            if candidates.len() == limit {
                break;
            }
            let Some((post, counts)) = self.posts.get(id) else { continue };
            if self.refusal(query, &post).is_none() {
                let mut candidate =
                    Candidate::of(&post, counts, SourceKind::PopularVideo, SuggestKind::Media);
                candidate.light_score = ranker.score(&post, counts);
                candidates.push(candidate);
            }
        }
        Ok(candidates)
    }

    fn why_not(&self, query: &Query, wanted: &Candidate) -> Option<String> {
        let (post, _) = self.posts.get(wanted.post_id)?;
        if post.media.video_ms.is_none() {
            return Some("it has no video".to_owned());
        }
        if !self.scanned().contains(&post.id) {
            return Some(format!("it is not among the {} most popular videos", self.config.max_scanned));
        }
        let cut = || format!("{} more popular videos suit the viewer", self.config.max_results);
        Some(self.refusal(query, &post).map_or_else(cut, ToOwned::to_owned))
    }
}

impl PopularVideos {
    /// The most popular videos.
    fn scanned(&self) -> Vec<PostId> {
        let mut ids = Vec::new();
        self.index.visit_popular_videos(&mut |id, _| {
            ids.push(id);
            if ids.len() < self.config.max_scanned {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        ids.truncate(self.config.max_scanned);
        ids
    }

    fn refusal(&self, query: &Query, post: &Post) -> Option<&'static str> {
        let languages = query.facts.settings.get().map_or(&[][..], |settings| &settings.languages);
        let is_read = |language: Language| {
            language == Language::UNKNOWN || languages.is_empty() || languages.contains(&language)
        };
        let seen = query.facts.impressions.get().is_some_and(|seen| seen.contains(post.id));
        let horizon = query.now - Duration::from_millis(self.config.max_age_ms);
        [
            (post.author == query.viewer, "the viewer wrote it"),
            (query.avoids(post.author), "viewer and author avoid each other"),
            (seen, "the viewer has seen it"),
            (!is_read(post.language), "it is in a language that the viewer does not read"),
            (post.created_at < horizon, "it is older than the source's window"),
            (post.created_at > query.now, "it is dated after now"),
        ]
        .into_iter()
        .find_map(|(holds, why)| holds.then_some(why))
    }
}
