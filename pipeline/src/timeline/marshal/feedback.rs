//! The actions that entries name.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::stores::Relation;
use crate::domain::{FeedbackKind, PostId, Query, UserId};
use crate::mixing::{Offer, Shown};
use crate::sealed::Key;
use crate::timeline::social_context::Icon;
use crate::timeline::{ActionKind, Deed, FeedbackAction};

/// For how long feedback about a post is remembered, as clients are told.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// The actions of one response, each once.
pub(super) struct Actions<'a> {
    key: &'a Key,
    query: &'a Query,
    by_key: BTreeMap<String, FeedbackAction>,
}

impl<'a> Actions<'a> {
    pub(super) fn new(key: &'a Key, query: &'a Query) -> Self {
        Self { key, query, by_key: BTreeMap::new() }
    }

    pub(super) fn finish(self) -> BTreeMap<String, FeedbackAction> {
        self.by_key
    }

    fn add(
        &mut self,
        key: String,
        (kind, icon): (ActionKind, Icon),
        (prompt, confirmation): (String, String),
        deed: &Deed,
        children: Vec<String>,
    ) -> String {
        let token = || deed.seal(self.key, self.query.viewer);
        let remembered = matches!(deed, Deed::Feedback { .. }).then_some(REMEMBERED.as_millis() as u64);
        self.by_key.entry(key.clone()).or_insert_with(|| FeedbackAction {
            kind,
            prompt,
            confirmation,
            icon,
            token: token(),
            remembered_for_ms: remembered,
            children,
        });
        key
    }

    /// Closing a module or prompt.
    pub(super) fn dismiss(&mut self, module: &str) -> String {
        let words = ("See less often".to_owned(), "Thanks. You will see this less often.".to_owned());
        let deed = Deed::Dismiss { module: module.to_owned() };
        self.add(format!("dismiss-{module}"), (ActionKind::Dismiss, Icon::Frown), words, &deed, Vec::new())
    }

    /// What is offered about a post: the keys that the entry names.
    pub(super) fn of_post(&mut self, shown: &Shown, name: impl Fn(UserId) -> String) -> Vec<String> {
        let post = shown.candidate.original_id();
        let (tops, children): (Vec<_>, Vec<_>) =
            shown.offers.iter().partition(|offer| offer.kind == ActionKind::DontLike);
        let children: Vec<String> =
            children.into_iter().map(|offer| self.child(offer, post, &name(offer.about))).collect();
        let top = |offer: &&Offer| {
            let words = (
                "Not interested in this post".to_owned(),
                "Thanks. You will not see this post again.".to_owned(),
            );
            let deed =
                Deed::Feedback { kind: FeedbackKind::NotRelevant, about: offer.about, post: Some(post) };
            (words, deed)
        };
        let tops: Vec<_> = tops.iter().map(top).collect();
        tops.into_iter()
            .map(|(words, deed)| {
                let what = (ActionKind::DontLike, Icon::Frown);
                self.add(format!("dont-like-{post}"), what, words, &deed, children.clone())
            })
            .collect()
    }

    fn child(&mut self, offer: &Offer, post: PostId, name: &str) -> String {
        let about = offer.about;
        let relation = |relation, holds| Deed::Relation { relation, to: about, holds };
        let (key, icon, prompt, confirmation, deed) = match offer.kind {
            ActionKind::SeeFewer => {
                let (way, prompt) = match offer.through {
                    FeedbackKind::Repost => ("repost", format!("Show fewer reposts of @{name}")),
                    _ => ("post", format!("Show fewer posts of @{name}")),
                };
                let deed = Deed::Feedback { kind: offer.through, about, post: Some(post) };
                let confirmation = format!("Thanks. You will see less of @{name}.");
                (format!("see-fewer-{way}-{about}-{post}"), Icon::Frown, prompt, confirmation, deed)
            }
            ActionKind::Unfollow => (
                format!("unfollow-{about}"),
                Icon::Unfollow,
                format!("Unfollow @{name}"),
                format!("You do not follow @{name} any more."),
                relation(Relation::Follow, false),
            ),
            ActionKind::Mute => (
                format!("mute-{about}"),
                Icon::Mute,
                format!("Mute @{name}"),
                format!("You have muted @{name}."),
                relation(Relation::Mute, true),
            ),
            ActionKind::Block => (
                format!("block-{about}"),
                Icon::Block,
                format!("Block @{name}"),
                format!("You have blocked @{name}."),
                relation(Relation::Block, true),
            ),
            ActionKind::NotRelevant | ActionKind::DontLike | ActionKind::Dismiss => (
                format!("not-relevant-{post}"),
                Icon::Frown,
                "This post is not relevant".to_owned(),
                "Thanks. You will not see this post again.".to_owned(),
                Deed::Feedback { kind: FeedbackKind::NotRelevant, about, post: Some(post) },
            ),
        };
        self.add(key, (offer.kind, icon), (prompt, confirmation), &deed, Vec::new())
    }
}
