//! The accounts behind a candidate.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::stores::UserStore;
use crate::domain::{AuthorFacts, Candidate, Feature, Query};
use crate::engine::{Failure, Hydrator};

/// Reads the accounts of the poster, of the author of what is passed on, and of the author of what is quoted.
pub struct Authors {
    /// Accounts.
    pub users: Arc<dyn UserStore>,
}

component!(Authors, "authors", "accounts of the poster, the original author and the quoted author");

#[async_trait]
impl Hydrator<Query, Candidate> for Authors {
    type Output = AuthorFacts;

    async fn hydrate(
        &self,
        _: &Query,
        candidates: &[Candidate],
    ) -> Result<Vec<Result<AuthorFacts, Failure>>, Failure> {
        let facts = |candidate: &Candidate| {
            let original = candidate.post.get().and_then(|post| post.repost_of);
            let quoted = candidate.content().and_then(|content| content.quotes);
            Ok(AuthorFacts {
                author: self.users.get(candidate.author_id),
                original_author: original.and_then(|original| self.users.get(original.author)),
                quoted_author: quoted.and_then(|quoted| self.users.get(quoted.author)),
            })
        };
        Ok(candidates.iter().map(facts).collect())
    }

    fn apply(&self, candidate: &mut Candidate, found: Result<AuthorFacts, &Failure>) {
        candidate.authors = found.map_or(Feature::Failed(None), Feature::Value);
    }
}
