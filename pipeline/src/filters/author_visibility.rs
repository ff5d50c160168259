//! Accounts that the viewer must not or does not want to meet.

use crate::component;
use crate::domain::{Candidate, Query, User, UserId};
use crate::engine::{Filter, Verdict};

/// Removes a candidate when one of its accounts, the poster, the author of what is passed on or the author of what is
/// quoted, blocks the viewer, is blocked or muted by the viewer, is withdrawn, or is protected and not followed; and a
/// repost whose poster's reposts the viewer has turned off.
///
/// Checking the poster alone lets blocked and muted accounts come back through reposts and quotes. Where the viewer's
/// relations are not known, nothing passes: better an empty timeline than one with the wrong people.
pub struct AuthorVisibility;

component!(
    AuthorVisibility,
    "author_visibility",
    "removes posts by, reposts of and quotes of blocked, blocking, muted, protected or withdrawn accounts"
);

impl Filter<Query, Candidate> for AuthorVisibility {
    fn judge(&self, query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let facts = &query.facts;
        let known = [&facts.following, &facts.blocking, &facts.blocked_by, &facts.muting];
        if known.into_iter().any(|set| set.get().is_none()) {
            return vec![Verdict::Remove("relations_unknown"); candidates.len()];
        }
        candidates.iter().map(|candidate| verdict(query, candidate)).collect()
    }
}

fn verdict(query: &Query, candidate: &Candidate) -> Verdict {
    let reposts_off = query.facts.reposts_off.get();
    if candidate.is_repost() && reposts_off.is_some_and(|off| off.contains(candidate.author_id)) {
        return Verdict::Remove("reposts_off");
    }
    let accounts = candidate.authors.get();
    let quoted = candidate.content().and_then(|content| content.quotes);
    let people: [(Option<UserId>, Option<&User>); 3] = [
        (Some(candidate.author_id), accounts.and_then(|facts| facts.author.as_deref())),
        (
            candidate.is_repost().then(|| candidate.original_author_id()),
            accounts.and_then(|facts| facts.original_author.as_deref()),
        ),
        (quoted.map(|quoted| quoted.author), accounts.and_then(|facts| facts.quoted_author.as_deref())),
    ];
    for (id, account) in people {
        if let Some(rule) = id.and_then(|id| broken_rule(query, id, account)) {
            return Verdict::Remove(rule);
        }
    }
    Verdict::Keep
}

fn broken_rule(query: &Query, id: UserId, account: Option<&User>) -> Option<&'static str> {
    let facts = &query.facts;
    let within = |set: &crate::domain::Feature<crate::domain::IdSet<UserId>>| {
        set.get().is_some_and(|users| users.contains(id))
    };
    let is_near = id == query.viewer || within(&facts.following);
    if within(&facts.blocking) {
        return Some("viewer_blocks");
    }
    if within(&facts.blocked_by) {
        return Some("blocks_viewer");
    }
    if within(&facts.muting) {
        return Some("viewer_mutes");
    }
    match account {
        // Whether it is protected is not known: only those who follow it may see it in any case.
        None if !is_near => Some("account_unknown"),
        Some(user) if user.is_withdrawn => Some("account_withdrawn"),
        Some(user) if user.is_protected && !is_near => Some("account_protected"),
        _ => None,
    }
}
