//! The search over followed accounts' posts.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::config::InNetworkConfig;
use crate::domain::stores::PostStore;
use crate::domain::{CandidateKind, IdSet, Post, PostCounts, PostId, Query, UserId, ViewerState, best_first};

/// A post that the search found.
pub(super) struct Hit {
    pub(super) post: Arc<Post>,
    pub(super) counts: PostCounts,
    pub(super) is_extended_reply: bool,
}

/// Posts of followed accounts within the viewer's window, newest first.
pub(super) fn search(posts: &dyn PostStore, config: &InNetworkConfig, query: &Query) -> Vec<Hit> {
    let since = query.now - window(config, query);
    let excluded = excluded(config, query);
    let mut hits = Vec::new();
    for author in authors(config, query) {
        let mut scanned = 0;
        posts.visit_by_author(author, &mut |post, counts| {
            scanned += 1;
            if post.created_at < since || scanned > config.scan_per_author {
                return ControlFlow::Break(());
            }
            // What is dated after "now" is no post of this moment.
            let is_eligible = post.created_at <= query.now && !excluded.contains(post.id);
            let kind = kind(query, post).filter(|kind| is_eligible && config.kinds.contains(kind));
            hits.extend(kind.map(|kind| {
                let is_extended_reply = kind == CandidateKind::ExtendedReply;
                Hit { post: Arc::clone(post), counts, is_extended_reply }
            }));
            ControlFlow::Continue(())
        });
    }
    hits.sort_by_key(|hit| std::cmp::Reverse(hit.post.id));
    limit_runs(&mut hits, config.max_consecutive_per_author);
    hits
}

/// How far back the search goes for this viewer.
fn window(config: &InNetworkConfig, query: &Query) -> Duration {
    let state = query.facts.settings.get().map_or(ViewerState::Unknown, |settings| settings.state);
    let is_long = config.long_window_states.contains(&state);
    Duration::from_millis(if is_long { config.long_window_ms } else { config.window_ms })
}

/// The followed accounts to search: strongest ties first, the others in order of their ids.
fn authors(config: &InNetworkConfig, query: &Query) -> Vec<UserId> {
    let mut authors = query.facts.following.get_or(IdSet::default()).as_slice().to_vec();
    if authors.len() > config.max_authors {
        let ties = query.facts.real_graph.get();
        let tie = |author: &UserId| ties.and_then(|ties| ties.by_user.get(author).copied()).unwrap_or(0.0);
        authors.sort_by(|a, b| best_first(tie(a).into(), tie(b).into()));
        authors.truncate(config.max_authors);
    }
    authors
}

/// The ids that the search leaves out: the newest of what the viewer has seen.
fn excluded(config: &InNetworkConfig, query: &Query) -> IdSet<PostId> {
    let seen = query.facts.impressions.get_or(IdSet::default());
    seen.as_slice().iter().rev().take(config.max_excluded).copied().collect()
}

/// Why the search leaves a post out, other than for want of room.
pub(super) fn refusal(config: &InNetworkConfig, query: &Query, post: &Post) -> Option<&'static str> {
    let is_followed = query.follows(post.author);
    let is_searched = authors(config, query).contains(&post.author);
    let is_taken = kind(query, post).is_some_and(|kind| config.kinds.contains(&kind));
    [
        (!is_followed, "the viewer does not follow its author"),
        (!is_searched, "the tie to its author is too weak to be searched"),
        (post.created_at < query.now - window(config, query), "it is older than the viewer's window"),
        (post.created_at > query.now, "it is dated after now"),
        (excluded(config, query).contains(post.id), "the viewer has seen it"),
        (!is_taken, "posts of its kind are not taken"),
    ]
    .into_iter()
    .find_map(|(holds, why)| holds.then_some(why))
}

/// The post's kind for this viewer; none when the search never gives such a post.
fn kind(query: &Query, post: &Post) -> Option<CandidateKind> {
    let is_near = |user: UserId| user == query.viewer || user == post.author || query.follows(user);
    if post.is_repost() {
        let off = query.facts.reposts_off.get().is_some_and(|off| off.contains(post.author));
        return (!off).then_some(CandidateKind::Repost);
    }
    if let Some(parent) = post.in_reply_to {
        return Some(if is_near(parent.author) {
            CandidateKind::Reply
        } else {
            CandidateKind::ExtendedReply
        });
    }
    // Addressed to somebody whom the viewer does not follow: not for everybody's eyes.
    let addressed_elsewhere = post.directed_at.is_some_and(|user| !is_near(user));
    (!addressed_elsewhere).then_some(CandidateKind::Original)
}

/// Keeps at most `longest` posts in a row of one author.
fn limit_runs(hits: &mut Vec<Hit>, longest: usize) {
    let mut run: Option<(UserId, usize)> = None;
    hits.retain(|hit| {
        let length = match run {
            Some((author, length)) if author == hit.post.author => length + 1,
            _ => 1,
        };
        run = Some((hit.post.author, length));
        length <= longest
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Millis, RequestFacts};

    fn hits(authors: &[u64]) -> Vec<Hit> {
        let hit = |&author: &u64| Hit {
            post: Arc::new(Post { author: UserId(author), ..Post::default() }),
            counts: PostCounts::default(),
            is_extended_reply: false,
        };
        authors.iter().map(hit).collect()
    }

    #[test]
    fn an_author_gets_only_so_many_places_in_a_row() {
        for (before, after) in [
            (&[1, 1, 1, 1, 2, 1, 1, 1][..], &[1, 1, 2, 1, 1][..]),
            (&[], &[]),
            (&[1, 2, 1, 2], &[1, 2, 1, 2]),
        ] {
            let mut found = hits(before);
            limit_runs(&mut found, 2);
            let left: Vec<u64> = found.iter().map(|hit| hit.post.author.0).collect();
            assert_eq!(left, after, "{before:?}");
        }
    }

    #[test]
    fn the_window_is_longer_for_viewers_who_are_seldom_there() {
        let config = InNetworkConfig::default();
        let mut query = Query::new(UserId(1), Millis(0), RequestFacts::default());
        assert_eq!(window(&config, &query), Duration::from_secs(24 * 3600), "nothing known");
        for (state, hours) in [
            (ViewerState::New, 48),
            (ViewerState::MediumTweeter, 48),
            (ViewerState::HeavyTweeter, 24),
            (ViewerState::Unknown, 24),
        ] {
            let settings = crate::domain::ViewerSettings { state, ..Default::default() };
            query.facts.settings = Arc::new(settings).into();
            assert_eq!(window(&config, &query), Duration::from_secs(hours * 3600), "{state:?}");
        }
    }
}
