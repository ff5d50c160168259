//! Whether a candidate is of the viewer's network.

use async_trait::async_trait;

use crate::component;
use crate::domain::{Candidate, Feature, Query};
use crate::engine::{Failure, Hydrator};

/// A candidate is in network when its poster, the reposter for a repost, is the viewer or followed by them.
pub struct InNetworkFlag;

component!(InNetworkFlag, "in_network_flag", "whether the poster is the viewer or followed by them");

#[async_trait]
impl Hydrator<Query, Candidate> for InNetworkFlag {
    type Output = bool;

    async fn hydrate(
        &self,
        query: &Query,
        candidates: &[Candidate],
    ) -> Result<Vec<Result<bool, Failure>>, Failure> {
        let following = query
            .facts
            .following
            .value()
            .ok_or_else(|| Failure::failed("in_network_flag", "whom the viewer follows is not known"))?;
        let is_near = |candidate: &Candidate| {
            Ok(candidate.author_id == query.viewer || following.contains(candidate.author_id))
        };
        Ok(candidates.iter().map(is_near).collect())
    }

    fn apply(&self, candidate: &mut Candidate, found: Result<bool, &Failure>) {
        candidate.in_network = found.map_or(Feature::Failed(None), Feature::Value);
    }
}
