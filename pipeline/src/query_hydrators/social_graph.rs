//! Whom the viewer follows, blocks, mutes and pays, and who blocks the viewer.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::{Relation, SocialGraph};
use crate::domain::{Feature, IdSet, Query, UserId};
use crate::engine::{Failure, QueryHydrator};

/// Reads the viewer's relations.
pub struct Relations {
    /// The social graph.
    pub graph: Arc<dyn SocialGraph>,
}

component!(
    Relations,
    "relations",
    "whom the viewer follows, blocks, mutes and pays, and who blocks the viewer"
);

#[async_trait]
impl QueryHydrator<Query> for Relations {
    /// Following, blocking, blocked by, muting, reposts off, subscriptions.
    type Output = [IdSet<UserId>; 6];

    fn enabled(&self, query: &Query) -> bool {
        query.facts.following.value().is_none()
    }

    async fn hydrate(&self, query: &Query) -> Result<Self::Output, Failure> {
        let to = |relation| self.graph.targets(relation, query.viewer);
        Ok([
            to(Relation::Follow),
            to(Relation::Block),
            self.graph.sources(Relation::Block, query.viewer),
            to(Relation::Mute),
            to(Relation::RepostsOff),
            to(Relation::Subscribe),
        ])
    }

    fn apply(&self, query: &mut Query, found: Result<Self::Output, &Failure>) {
        let facts = &mut query.facts;
        let fields = [
            &mut facts.following,
            &mut facts.blocking,
            &mut facts.blocked_by,
            &mut facts.muting,
            &mut facts.reposts_off,
            &mut facts.subscriptions,
        ];
        match found {
            Ok(sets) => fields.into_iter().zip(sets).for_each(|(field, set)| *field = Feature::Value(set)),
            Err(_) => fields.into_iter().for_each(|field| *field = Feature::Failed(None)),
        }
    }
}
