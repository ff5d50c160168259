//! A world in memory: rows go straight into the stores' base.

use std::collections::HashSet;

use super::rows::{Ad, PostRow, Topic, UserEmbeddingRow, WorldSink};
use super::{Generator, WorldConfig};
use crate::domain::stores::{List, Relation, TieStrength};
use crate::domain::{Engagement, Millis, TopicId, User, UserId, ViewerSettings};
use crate::stores::{Base, Flaw, RowProblem};

/// A world that was read or generated: what the stores open with, and what they do not keep themselves.
#[derive(Default)]
pub struct LoadedWorld {
    /// What the stores open with.
    pub base: Base,
    /// The world's present.
    pub now: Millis,
    /// Topics.
    pub topics: Vec<Topic>,
    /// Ads.
    pub ads: Vec<Ad>,
    topic_ids: HashSet<TopicId>,
    ad_ids: HashSet<u64>,
}

impl LoadedWorld {
    /// An empty world.
    pub fn new(now: Millis) -> Self {
        Self { base: Base::new(Some(now)), now, ..Self::default() }
    }

    /// Generates a world without files.
    ///
    /// # Errors
    /// Two rows contradict each other, which would be a fault of the generator.
    pub fn generate(config: WorldConfig) -> Result<Self, RowProblem> {
        let mut world = Self::new(config.now);
        Generator::new(config).write(&mut world)?;
        world.base.check_posts().map_err(|(_, problem)| problem)?;
        Relation::ALL.into_iter().try_for_each(|relation| world.base.check_relation(relation))?;
        Ok(world)
    }
}

impl WorldSink for LoadedWorld {
    type Error = RowProblem;

    fn user(&mut self, user: User, settings: ViewerSettings) -> Result<(), RowProblem> {
        self.base.add_user(user, settings)
    }

    fn relation(&mut self, relation: Relation, from: UserId, to: UserId) -> Result<(), RowProblem> {
        self.base.add_relation(relation, from, to)
    }

    fn embeddings(&mut self, row: UserEmbeddingRow) -> Result<(), RowProblem> {
        self.base.add_embeddings(row.user, row.dense, &row.communities)
    }

    fn list(&mut self, list: List) -> Result<(), RowProblem> {
        self.base.add_list(list)
    }

    fn topic(&mut self, topic: Topic) -> Result<(), RowProblem> {
        if !self.topic_ids.insert(topic.id) {
            return Err(RowProblem::duplicate("id", format!("topic {}", topic.id)));
        }
        self.topics.push(topic);
        Ok(())
    }

    fn post(&mut self, row: &PostRow) -> Result<(), RowProblem> {
        if let Some(topic) = row.post.topic.filter(|topic| !self.topic_ids.contains(topic)) {
            return Err(RowProblem::missing("topic", "topic", topic.0));
        }
        self.base.add_post(&row.post, row.counts, &row.communities)
    }

    fn engagement(&mut self, event: &Engagement) -> Result<(), RowProblem> {
        if event.at > self.now {
            return Err(RowProblem::invalid("at", "a moment before the world's present", event.at.0));
        }
        self.base.add_engagement(event.user, event.post, event.kind, event.at)
    }

    fn tie(&mut self, viewer: UserId, author: UserId, strength: &TieStrength) -> Result<(), RowProblem> {
        self.base.add_tie(viewer, author, *strength)
    }

    fn ad(&mut self, ad: Ad) -> Result<(), RowProblem> {
        for (field, user) in std::iter::once(("advertiser", ad.advertiser))
            .chain(ad.excluded_authors.iter().map(|&user| ("excluded_authors", user)))
        {
            if !self.base.has_user(user) {
                return Err(RowProblem::missing(field, "user", user.0));
            }
        }
        if !self.base.has_post(ad.post) {
            return Err(RowProblem::missing("post", "post", ad.post.0));
        }
        if !(ad.bid.is_finite() && ad.bid > 0.0) {
            return Err(RowProblem::new(
                "bid",
                Flaw::Invalid { expected: "a finite positive number", found: ad.bid.to_string() },
            ));
        }
        if !self.ad_ids.insert(ad.id) {
            return Err(RowProblem::duplicate("id", format!("ad {}", ad.id)));
        }
        self.ads.push(ad);
        Ok(())
    }
}
