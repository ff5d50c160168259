//! Media that the viewer does not want to see.

use super::each;
use crate::component;
use crate::domain::{Candidate, Post, Query, SensitiveMedia};
use crate::engine::{Filter, Verdict};

/// Removes posts that hold, pass on or quote adult or graphic media, unless the viewer's settings say to show them.
/// Settings that are not known say to hide.
pub struct SensitiveMediaFilter;

component!(
    SensitiveMediaFilter,
    "sensitive_media",
    "removes adult and graphic media unless the viewer's settings show them"
);

impl Filter<Query, Candidate> for SensitiveMediaFilter {
    fn enabled(&self, query: &Query, _candidates: &[Candidate]) -> bool {
        let wish =
            query.facts.settings.get().map_or(SensitiveMedia::Hide, |settings| settings.sensitive_media);
        wish == SensitiveMedia::Hide
    }

    fn judge(&self, _query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        each(candidates, "sensitive_media", |candidate| {
            posts(candidate).any(|post| post.labels.is_sensitive())
        })
    }
}

/// The posts whose media a reader would see.
pub(super) fn posts(candidate: &Candidate) -> impl Iterator<Item = &Post> {
    let quoted = candidate.quoted.get().and_then(Option::as_ref);
    [candidate.post.get(), candidate.content(), quoted].into_iter().flatten().map(|post| &**post)
}
