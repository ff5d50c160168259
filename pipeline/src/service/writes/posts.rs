//! New posts, and posts taken back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::super::app::App;
use super::super::asking::{Asker, Sent};
use super::super::problem::Problem;
use super::{Recorded, account, post_text, visible_post};
use crate::domain::stores::{StoreError, Stores};
use crate::domain::{
    Engagement, EngagementKind, Language, Media, Millis, Post, PostId, PostRef, TopicId, UserId,
};

/// Longest text, in characters.
const MAX_TEXT: usize = 4_000;
/// How often another id is tried when one is taken.
const ID_ATTEMPTS: usize = 8;

/// A post to be. It is written by whoever sends it, now.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct NewPost {
    #[serde(default)]
    text: String,
    in_reply_to: Option<PostId>,
    repost_of: Option<PostId>,
    quotes: Option<PostId>,
    #[serde(default)]
    language: Language,
    #[serde(default)]
    media: Media,
    topic: Option<TopicId>,
}

/// The id that a new post was given.
#[derive(Debug, Serialize)]
pub(in super::super) struct Added {
    id: PostId,
}

impl NewPost {
    fn check(&self) -> Result<(), Problem> {
        let others = [self.in_reply_to, self.repost_of, self.quotes].into_iter().flatten().count();
        if others > 1 {
            let message = "a post answers, passes on or quotes one other post, not several";
            return Err(Problem::invalid(message));
        }
        let letters = self.text.chars().count();
        if letters > MAX_TEXT {
            let message = format!("the text has {letters} characters, expected at most {MAX_TEXT}");
            return Err(Problem::invalid(message));
        }
        let is_odd = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
        if let Some(letter) = self.text.chars().find(|&letter| is_odd(letter)) {
            let letter = u32::from(letter);
            return Err(Problem::invalid(format!("the text has the control character U+{letter:04X}")));
        }
        let is_blank = self.text.trim().is_empty() && self.media == Media::default();
        match self.repost_of {
            None if is_blank => Err(Problem::invalid("a post needs text or media")),
            Some(_) if !is_blank => {
                Err(Problem::invalid("a repost has no text or media of its own; quote instead"))
            }
            _ => Ok(()),
        }
    }

    fn write(self, stores: &Stores, viewer: UserId, ids: &PostIds, now: Millis) -> Result<PostId, Problem> {
        account(stores, viewer)?;
        let other = self.in_reply_to.or(self.repost_of).or(self.quotes);
        let other = other.map(|id| visible_post(stores, viewer, id)).transpose()?;
        // A repost passes on what a reader saw, which is never a repost itself.
        let original = |post: &Post| PostRef { id: post.original_id(), author: post.original_author() };
        let reference = other.as_deref().map(original);
        let parent = match reference {
            Some(reference) => Some(visible_post(stores, viewer, reference.id)?),
            None => None,
        };
        let only = |asked: Option<PostId>| asked.and(reference);
        let (in_reply_to, repost_of, quotes) =
            (only(self.in_reply_to), only(self.repost_of), only(self.quotes));
        let (hashtags, urls) = (post_text::hashtags(&self.text), post_text::links(&self.text));
        let answered = parent.as_deref().filter(|_| in_reply_to.is_some());
        let kept_within = parent.as_deref().and_then(|parent| parent.exclusive_author);
        if kept_within.is_some() && in_reply_to.is_none() {
            return Err(Problem::forbidden("this post is for subscribers and cannot be passed on"));
        }
        let mut post = Post {
            author: viewer,
            created_at: now,
            language: self.language,
            in_reply_to,
            repost_of,
            quotes,
            directed_at: in_reply_to.map(|parent| parent.author),
            mentions: in_reply_to.map(|parent| parent.author).into_iter().collect(),
            hashtags,
            urls,
            media: self.media,
            topic: self.topic,
            exclusive_author: kept_within,
            text: self.text,
            ..Post::default()
        };
        let id = insert(stores, &mut post, answered.map(|parent| parent.conversation), ids)?;
        let kind = in_reply_to.map(|_| EngagementKind::Reply);
        let kind = kind.or(repost_of.map(|_| EngagementKind::Repost));
        let kind = kind.or(quotes.map(|_| EngagementKind::Quote));
        if let Some((kind, reference)) = kind.zip(reference) {
            let PostRef { id: post, author } = reference;
            stores.engagements.record(&[Engagement { user: viewer, post, author, kind, at: now }])?;
        }
        Ok(id)
    }
}

/// Inserts a post under the next id that is free: after a restart, or when the clock was set back, some are taken.
fn insert(
    stores: &Stores,
    post: &mut Post,
    conversation: Option<PostId>,
    ids: &PostIds,
) -> Result<PostId, Problem> {
    let mut attempts = 0;
    loop {
        post.id = ids.next(post.created_at);
        post.conversation = conversation.unwrap_or(post.id);
        match stores.posts.insert(post.clone()) {
            Ok(()) => return Ok(post.id),
            Err(StoreError::Refused { .. }) if attempts < ID_ATTEMPTS => attempts += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives ids that rise, also when the clock does not.
#[derive(Debug, Default)]
pub(in super::super) struct PostIds {
    last: std::sync::atomic::AtomicU64,
}

impl PostIds {
    fn next(&self, now: Millis) -> PostId {
        use std::sync::atomic::Ordering::Relaxed;
        let first = PostId::at(now).0;
        let after = |last: u64| first.max(last.saturating_add(1));
        let last = self.last.fetch_update(Relaxed, Relaxed, |last| Some(after(last)));
        PostId(last.map_or(first, after))
    }
}

/// `POST /v1/posts`.
pub(in super::super) async fn add_post(
    State(app): State<Arc<App>>,
    asker: Asker,
    Sent(new): Sent<NewPost>,
) -> Result<(StatusCode, Json<Added>), Problem> {
    new.check()?;
    let (viewer, now, ids) = (asker.viewer, app.clock.now(), Arc::clone(&app.post_ids));
    let id = app.store(move |stores| new.write(stores, viewer, &ids, now)).await?;
    Ok((StatusCode::CREATED, Json(Added { id })))
}

/// `DELETE /v1/posts/{id}`.
pub(in super::super) async fn delete_post(
    State(app): State<Arc<App>>,
    asker: Asker,
    Path(id): Path<String>,
) -> Result<Json<Recorded>, Problem> {
    let id: PostId = id.parse().map_err(|_| Problem::invalid("the path needs the id of a post"))?;
    let viewer = asker.viewer;
    let delete = move |stores: &Stores| {
        let post = visible_post(stores, viewer, id)?;
        if post.author != viewer {
            return Err(Problem::forbidden("only its author can take a post back"));
        }
        Ok(stores.posts.delete(id)?)
    };
    let deleted = app.store(delete).await?;
    Ok(Json(Recorded { recorded: usize::from(deleted) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_when_the_clock_stands_or_goes_back() {
        let ids = PostIds::default();
        let now = Millis(1_700_000_000_000);
        let given: Vec<_> =
            [now, now, Millis(now.0 - 60_000), Millis(now.0 + 1)].map(|at| ids.next(at)).into();
        assert_eq!(given[0], PostId::at(now));
        assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
        assert_eq!(given[3], PostId::at(Millis(now.0 + 1)), "back to the clock once it is ahead");
    }

    #[test]
    fn a_post_says_something_and_refers_to_one_post_at_most() {
        let check = |text: &str| {
            let post: NewPost = serde_json::from_str(text).expect("parses");
            post.check().is_ok()
        };
        assert!(check(r#"{"text": "hello"}"#));
        assert!(check(r#"{"media": {"photos": 1}}"#));
        assert!(check(r#"{"repost_of": "5"}"#));
        assert!(!check(r#"{"text": " \n"}"#));
        assert!(!check(r#"{"text": "x", "repost_of": "5"}"#));
        assert!(!check(r#"{"text": "x", "in_reply_to": "5", "quotes": "6"}"#));
        let long = format!(r#"{{"text": "{}"}}"#, "é".repeat(MAX_TEXT + 1));
        assert!(!check(&long));
        assert!(serde_json::from_str::<NewPost>(r#"{"text": "x", "author": "2"}"#).is_err());
    }
}
