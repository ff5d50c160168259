//! Posts that another candidate's conversation shows already.

use std::collections::HashSet;

use crate::component;
use crate::domain::{Candidate, Query};
use crate::engine::{Filter, Verdict};

/// Removes every candidate that a reader would see, or whose reposted post they would see, above another candidate.
pub struct ConversationDuplicates;

component!(
    ConversationDuplicates,
    "conversation_duplicates",
    "removes posts that stand above another candidate in its conversation"
);

impl Filter<Query, Candidate> for ConversationDuplicates {
    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let conversations = candidates.iter().filter_map(|candidate| candidate.conversation.get());
        let above: HashSet<_> =
            conversations.flat_map(|found| found.ancestors.iter().map(|(id, _)| *id)).collect();
        let judge = |candidate: &Candidate| {
            Verdict::remove_if(above.contains(&candidate.original_id()), "shown_in_conversation")
        };
        candidates.iter().map(judge).collect()
    }
}
