//! Posts that are not to be recommended.

use super::sensitive_media::posts;
use crate::component;
use crate::domain::{Candidate, Query, User};
use crate::engine::{Filter, Verdict};

/// Removes from outside of the viewer's network what a follower may see but nobody is to be recommended: adult and
/// graphic media and adult accounts whatever the settings, spam, and posts that are not to be amplified.
pub struct OutOfNetworkSafety;

component!(
    OutOfNetworkSafety,
    "out_of_network_safety",
    "removes adult, graphic, spam and not-to-be-amplified posts from outside of the network"
);

impl Filter<Query, Candidate> for OutOfNetworkSafety {
    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        candidates.iter().map(verdict).collect()
    }
}

fn verdict(candidate: &Candidate) -> Verdict {
    if candidate.is_in_network() {
        return Verdict::Keep;
    }
    let accounts = candidate.authors.get();
    let people = accounts.map(|facts| [&facts.author, &facts.original_author, &facts.quoted_author]);
    let is_adult = |user: &User| user.is_adult;
    let by_adult_account =
        people.is_some_and(|people| people.into_iter().flatten().any(|user| is_adult(user)));
    if by_adult_account || posts(candidate).any(|post| post.labels.is_sensitive()) {
        return Verdict::Remove("sensitive_out_of_network");
    }
    let is_unwanted = posts(candidate).any(|post| post.labels.spam || post.labels.do_not_amplify);
    Verdict::remove_if(is_unwanted, "not_to_be_amplified")
}
