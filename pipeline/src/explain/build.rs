//! From what inspectors saw to an explanation.

use std::sync::Arc;

use super::{Answered, Explanation, FamilyFeatures, Fate, Scoring, SourceAnswer, StepSeen};
use crate::domain::{
    Candidate, Feature, Millis, Post, PostCounts, PostId, Query, SourceKind, SuggestKind, Task, UserId,
};
use crate::engine::{FailureKind, Inspector, RecommendationPipeline, Report, Sighting, StageKind, Status};
use crate::features::FeaturePlan;
use crate::mixing::Item;

/// What is asked about.
pub(crate) struct Asked<'a> {
    pub(crate) viewer: UserId,
    pub(crate) post: PostId,
    pub(crate) now: Millis,
    pub(crate) is_replay: bool,
    /// The post, when it is stored.
    pub(crate) stored: Option<(Arc<Post>, PostCounts)>,
    pub(crate) ranking: &'a RecommendationPipeline<Query, Candidate>,
    pub(crate) plan: &'a FeaturePlan,
}

/// The inspectors of a post: of the ranking's candidates, and of the mixer's items.
pub(crate) fn inspect(post: PostId) -> (Arc<Inspector<Candidate>>, Arc<Inspector<Item>>) {
    let is_it = move |candidate: &Candidate| candidate.post_id == post || candidate.original_id() == post;
    let ranking = Inspector::new(is_it, |candidate: &Candidate| candidate.score);
    let holds = move |item: &Item| item.all_posts().iter().any(|shown| is_it(&shown.candidate));
    (ranking, Inspector::new(holds, Item::score))
}

impl Asked<'_> {
    /// Tells what became of the post. `shown` are the posts of the timeline, in order, each with what it passes on;
    /// `query` is the ranking's, when it ran.
    pub(crate) fn explain(
        &self,
        seen: &[Sighting<Candidate>],
        mixed: &[Sighting<Item>],
        report: &Report,
        query: Option<&Query>,
        shown: Result<&[(PostId, PostId)], String>,
    ) -> Explanation {
        let of_post = |item: &Item| {
            item.all_posts().iter().find(|s| self.is_it(&s.candidate)).map(|s| s.candidate.clone())
        };
        let mut steps: Vec<StepSeen> =
            seen.iter().map(|sighting| step(sighting, &sighting.candidate)).collect();
        for sighting in mixed {
            steps.extend(of_post(&sighting.candidate).map(|candidate| step(sighting, &candidate)));
        }
        let from_mixer = mixed.iter().rev().find_map(|sighting| of_post(&sighting.candidate));
        let last = seen.iter().rev().map(|sighting| sighting.candidate.clone());
        // The ranking's last look has the whole of the scores; a copy that was dropped as a duplicate has not.
        let best = last.clone().find(|candidate| candidate.model_score.get().is_some());
        let candidate = best.or_else(|| last.clone().next()).or(from_mixer);
        let features = match (query, &candidate) {
            (Some(query), Some(candidate)) => self.features(query, candidate),
            _ => Vec::new(),
        };
        Explanation {
            viewer: self.viewer,
            post: self.post,
            author: self.stored.as_ref().map(|(post, _)| post.author),
            now: self.now,
            is_replay: self.is_replay,
            outcome: self.fate(&steps, shown),
            sources: self.sources(seen, report, query),
            scoring: candidate.map(|candidate| scoring(&candidate)),
            steps,
            features,
        }
    }

    fn is_it(&self, candidate: &Candidate) -> bool {
        candidate.post_id == self.post || candidate.original_id() == self.post
    }

    fn fate(&self, steps: &[StepSeen], shown: Result<&[(PostId, PostId)], String>) -> Fate {
        let shown = match shown {
            Ok(shown) => shown,
            Err(why) => return Fate::NoTimeline { why },
        };
        let found = shown.iter().position(|(id, original)| *id == self.post || *original == self.post);
        if let Some(position) = found {
            return Fate::Served { position, shown_as: shown[position].0 };
        }
        // Of several copies the one that went farthest tells the reason; the post itself before its reposts.
        let removals = || steps.iter().filter(|step| step.removed_by.is_some()).rev();
        let own = removals().find(|step| step.candidate == self.post).or_else(|| removals().next());
        match own {
            Some(StepSeen { pipeline, stage, component, removed_by: Some(rule), .. }) => {
                Fate::Removed { pipeline, stage: *stage, component, rule }
            }
            _ if self.stored.is_none() => Fate::Unknown,
            _ => Fate::NotFound,
        }
    }

    fn sources(
        &self,
        seen: &[Sighting<Candidate>],
        report: &Report,
        query: Option<&Query>,
    ) -> Vec<SourceAnswer> {
        let pipelines = self.ranking.candidate_pipelines.iter().chain(&self.ranking.dependent_pipelines);
        pipelines
            .map(|pipeline| {
                let name = pipeline.name;
                let found = seen.iter().find(|s| s.pipeline == name && s.stage == StageKind::Source);
                let closed = report.of(name, StageKind::Gate).find(|row| is_closed(row.status));
                let failed =
                    report.of(name, StageKind::Source).any(|row| matches!(row.status, Status::Failed(_)));
                let answer = match (found, closed) {
                    (Some(found), _) => Answered::Found {
                        place: found.place,
                        of: found.of,
                        light_score: found.candidate.light_score,
                    },
                    (None, Some(gate)) => Answered::NotAsked { gate: gate.component },
                    (None, None) if failed => Answered::Failed,
                    (None, None) => {
                        let wanted = self.wanted();
                        let why = match (query, wanted) {
                            (None, _) => Some("there was no ranking".to_owned()),
                            (_, None) => Some("there is no such post".to_owned()),
                            (Some(query), Some(wanted)) => pipeline.source.why_not(query, &wanted),
                        };
                        Answered::PassedOver {
                            why: why.unwrap_or_else(|| "it is not among what it gives".to_owned()),
                        }
                    }
                };
                SourceAnswer { pipeline: name, source: pipeline.source.name(), answer }
            })
            .collect()
    }

    /// The post as a source would hand it out.
    fn wanted(&self) -> Option<Candidate> {
        let (post, counts) = self.stored.as_ref()?;
        Some(Candidate::of(post, *counts, SourceKind::default(), SuggestKind::default()))
    }

    fn features(&self, query: &Query, candidate: &Candidate) -> Vec<FamilyFeatures> {
        let families = self.plan.values(query, candidate).into_iter();
        families
            .map(|family| FamilyFeatures {
                family: family.family,
                about: family.about,
                values: family.values,
            })
            .collect()
    }
}

fn is_closed(status: Status) -> bool {
    status == Status::Failed(FailureKind::ClosedGate)
}

fn step<C>(sighting: &Sighting<C>, candidate: &Candidate) -> StepSeen {
    StepSeen {
        pipeline: sighting.pipeline,
        stage: sighting.stage,
        component: sighting.component,
        candidate: candidate.post_id,
        place: sighting.place,
        of: sighting.of,
        rank: sighting.rank,
        score: candidate.score,
        removed_by: sighting.removed,
    }
}

fn scoring(candidate: &Candidate) -> Scoring {
    let probabilities = match &candidate.probabilities {
        Feature::Value(values) => Task::ALL.iter().map(|task| (task.name(), values[task.index()])).collect(),
        _ => Default::default(),
    };
    Scoring {
        source: candidate.first_source(),
        suggest: candidate.suggest,
        light_score: candidate.light_score,
        probabilities,
        model_score: candidate.model_score.get().copied(),
        factors: candidate.factors.clone(),
        score: candidate.score,
        scored_at: candidate.scored_at,
    }
}
