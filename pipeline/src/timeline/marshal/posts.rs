//! Posts and accounts as a reader sees them.

use crate::domain::{Candidate, Post, PostCounts, Query, User, UserId};
use crate::mixing::{Reason, Shown};
use crate::timeline::post::{PostItem, PostView, Reference};
use crate::timeline::social_context::{ContextKind, Icon, Person, SocialContext};

use super::{Page, traits};

/// An account as a reader sees it.
pub(super) fn person_of(query: &Query, user: &User) -> Person {
    Person {
        id: user.id,
        screen_name: user.screen_name.clone(),
        name: user.name.clone(),
        is_verified: user.verification.any(),
        is_protected: user.is_protected,
        is_followed: query.follows(user.id),
    }
}

/// Leaves so much of a post as somebody sees who does not subscribe: the first `chars` characters, no media.
pub(super) fn cut_to_preview(view: &mut PostView, chars: usize) {
    if let Some((end, _)) = view.text.char_indices().nth(chars) {
        view.text.truncate(end);
        view.text.push('…');
    }
    view.urls.clear();
    view.is_for_subscribers = true;
}

impl Page<'_> {
    /// The account with an id; one that is gone has no names.
    pub(super) fn person(&self, id: UserId) -> Person {
        match self.marshaller.users.get(id) {
            Some(user) => person_of(self.query, &user),
            None => Person { id, ..Person::default() },
        }
    }

    fn author(&self, id: UserId, known: Option<&User>) -> Person {
        known.filter(|user| user.id == id).map_or_else(|| self.person(id), |user| person_of(self.query, user))
    }

    /// A post with what stands around it.
    pub(super) fn post(&mut self, shown: &Shown, position: usize) -> PostItem {
        let candidate = &shown.candidate;
        let accounts = candidate.authors.get();
        let poster = accounts.and_then(|facts| facts.author.as_deref());
        let original = accounts.and_then(|facts| facts.original_author.as_deref());
        let quoted_author = accounts.and_then(|facts| facts.quoted_author.as_deref());
        let writer = if candidate.is_repost() { original } else { poster };
        let post = match candidate.content() {
            Some(content) => self.view(content, candidate.counts, writer),
            // Filters let no such post through; a source of somebody's own may.
            None => self.view(&unknown(candidate), candidate.counts, writer),
        };
        let quoted = candidate.quoted.get().and_then(Option::as_ref);
        let quoted = quoted.map(|quoted| self.view(quoted, candidate.quoted_counts, quoted_author));
        let reposted_by = candidate.is_repost().then(|| self.author(candidate.author_id, poster));
        let social_context = shown.reason.as_ref().map(|reason| self.social_context(reason, candidate));
        let users = &self.marshaller.users;
        let name = |id: UserId| users.get(id).map_or_else(|| id.to_string(), |user| user.screen_name.clone());
        let feedback = self.actions.of_post(shown, name);
        let client_event = traits::client_event(self.query, shown, position, self.size);
        PostItem { id: candidate.post_id, post, quoted, reposted_by, social_context, feedback, client_event }
    }

    fn view(&self, post: &Post, counts: PostCounts, author: Option<&User>) -> PostView {
        PostView {
            id: post.id,
            author: self.author(post.author, author),
            created_at_ms: post.created_at.0,
            text: post.text.clone(),
            language: post.language.as_str().to_owned(),
            in_reply_to: post.in_reply_to.map(|to| Reference { id: to.id, author_id: to.author }),
            conversation_id: post.conversation,
            mentions: post.mentions.clone(),
            hashtags: post.hashtags.clone(),
            urls: post.urls.clone(),
            media: post.media,
            counts,
            topic: post.topic,
            list: post.list,
            is_sensitive: post.labels.is_sensitive(),
            is_for_subscribers: post.exclusive_author.is_some(),
        }
    }

    /// Accounts of the viewer's network that follow an account.
    pub(super) fn followed_by(&self, via: &[UserId]) -> Option<SocialContext> {
        let reason = Reason::of_people(ContextKind::FollowedBy, via)?;
        let people: Vec<Person> = reason.named.iter().map(|&user| self.person(user)).collect();
        Some(SocialContext {
            kind: reason.kind,
            icon: Icon::Follow,
            text: sentence("Followed by", &people, reason.others),
            users: people,
            others: reason.others,
        })
    }

    fn social_context(&self, reason: &Reason, candidate: &Candidate) -> SocialContext {
        let users: Vec<Person> = reason.named.iter().map(|&user| self.person(user)).collect();
        let first = || users.first().map(handle).unwrap_or_default();
        let (icon, text) = match reason.kind {
            ContextKind::LikedBy => (Icon::Like, sentence("Liked by", &users, reason.others)),
            ContextKind::FollowedBy => (Icon::Follow, sentence("Followed by", &users, reason.others)),
            ContextKind::Topic => {
                let tag = candidate.content().and_then(|content| content.hashtags.first());
                (Icon::Topic, tag.map_or_else(|| "A topic you follow".to_owned(), |tag| format!("#{tag}")))
            }
            ContextKind::PopularVideo => (Icon::Sparkle, "Popular video".to_owned()),
            ContextKind::List => (Icon::List, "From one of your lists".to_owned()),
            ContextKind::PopularNearby => (Icon::Location, "Popular in your area".to_owned()),
            ContextKind::ExtendedReply => (Icon::Conversation, format!("{} replied", first())),
            ContextKind::ReceivedReply => (Icon::Conversation, format!("{} received a reply", first())),
            ContextKind::Notification => (Icon::Bell, "From your notifications".to_owned()),
        };
        SocialContext { kind: reason.kind, icon, text, users, others: reason.others }
    }
}

fn handle(person: &Person) -> String {
    if person.name.is_empty() { format!("@{}", person.screen_name) } else { person.name.clone() }
}

/// "Liked by A", "Liked by A and B", "Liked by A and 3 others".
fn sentence(verb: &str, people: &[Person], others: usize) -> String {
    match (people, others) {
        ([], _) => verb.to_owned(),
        ([one], 0) => format!("{verb} {}", handle(one)),
        ([one, two], 0) => format!("{verb} {} and {}", handle(one), handle(two)),
        ([one, rest @ ..], others) => {
            format!("{verb} {} and {} others", handle(one), others + rest.len())
        }
    }
}

/// What is known of a post that was not read.
fn unknown(candidate: &Candidate) -> Post {
    let id = candidate.original_id();
    Post {
        id,
        author: candidate.original_author_id(),
        created_at: id.made_at(),
        conversation: id,
        ..Post::default()
    }
}
