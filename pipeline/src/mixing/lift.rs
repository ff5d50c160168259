//! Components over posts, put to work over items.

use std::sync::Arc;

use async_trait::async_trait;

use super::Item;
use crate::domain::{Candidate, Query};
use crate::engine::{Component, Failure, Filter, Hydrator, Verdict};

/// A filter over posts that removes an item when it would remove one of its posts.
///
/// A conversation of root, parent and reply without one of them is no conversation that may be shown: without the reply
/// it has no point, without root or parent the rest does not follow from each other. So an item goes as a whole.
pub struct EachPost<T: ?Sized>(pub Arc<T>);

/// Wraps a filter over posts.
pub fn each_post(filter: impl Filter<Query, Candidate>) -> Arc<EachPost<dyn Filter<Query, Candidate>>> {
    Arc::new(EachPost(Arc::new(filter)))
}

/// A filter over posts that does not look into conversations.
pub struct SinglePosts(pub EachPost<dyn Filter<Query, Candidate>>);

/// Wraps a filter over posts that does not look into conversations.
pub fn single_posts(filter: impl Filter<Query, Candidate>) -> Arc<SinglePosts> {
    Arc::new(SinglePosts(EachPost(Arc::new(filter))))
}

impl Component for SinglePosts {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn about(&self) -> &'static str {
        self.0.about()
    }
}

impl Filter<Query, Item> for SinglePosts {
    fn judge(&self, query: &Query, items: &[Item]) -> Vec<Verdict> {
        let verdicts = self.0.judge(query, items);
        let spare = |(item, verdict): (&Item, Verdict)| match item {
            Item::Conversation(_) => Verdict::Keep,
            _ => verdict,
        };
        items.iter().zip(verdicts).map(spare).collect()
    }
}

/// Wraps a hydrator of posts.
pub fn of_posts<H: Hydrator<Query, Candidate>>(hydrator: H) -> Arc<EachPost<H>> {
    Arc::new(EachPost(Arc::new(hydrator)))
}

impl<T: Component + ?Sized> Component for EachPost<T> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn about(&self) -> &'static str {
        self.0.about()
    }
}

/// All posts of all items, one after the other.
fn flat(items: &[Item]) -> Vec<Candidate> {
    items.iter().flat_map(Item::all_posts).map(|shown| shown.candidate.clone()).collect()
}

impl Filter<Query, Item> for EachPost<dyn Filter<Query, Candidate>> {
    fn judge(&self, query: &Query, items: &[Item]) -> Vec<Verdict> {
        let posts = flat(items);
        if posts.is_empty() || !self.0.enabled(query, &posts) {
            return vec![Verdict::Keep; items.len()];
        }
        let verdicts = self.0.judge(query, &posts);
        if verdicts.len() != posts.len() {
            // As many verdicts as items would hide it from the engine.
            return Vec::new();
        }
        let mut verdicts = verdicts.into_iter();
        let mut of_item = |item: &Item| {
            let of_posts: Vec<Verdict> = verdicts.by_ref().take(item.all_posts().len()).collect();
            of_posts.into_iter().find(|verdict| *verdict != Verdict::Keep).unwrap_or(Verdict::Keep)
        };
        items.iter().map(&mut of_item).collect()
    }
}

#[async_trait]
impl<H: Hydrator<Query, Candidate>> Hydrator<Query, Item> for EachPost<H> {
    type Output = Vec<Result<H::Output, Failure>>;

    async fn hydrate(
        &self,
        query: &Query,
        items: &[Item],
    ) -> Result<Vec<Result<Self::Output, Failure>>, Failure> {
        let posts = flat(items);
        if posts.is_empty() || !self.0.enabled(query, &posts) {
            return Ok(items.iter().map(|_| Ok(Vec::new())).collect());
        }
        let found = self.0.hydrate(query, &posts).await?;
        if found.len() != posts.len() {
            let problem = format!("answered {} rows for {} posts", found.len(), posts.len());
            return Err(Failure::misconfigured(self.0.name(), problem));
        }
        let mut found = found.into_iter();
        Ok(items.iter().map(|item| Ok(found.by_ref().take(item.all_posts().len()).collect())).collect())
    }

    fn apply(&self, item: &mut Item, found: Result<Self::Output, &Failure>) {
        match found {
            Ok(answers) => {
                for (shown, answer) in item.all_posts_mut().iter_mut().zip(answers) {
                    match answer {
                        Ok(value) => self.0.apply(&mut shown.candidate, Ok(value)),
                        Err(failure) => self.0.apply(&mut shown.candidate, Err(&failure)),
                    }
                }
            }
            Err(failure) => {
                item.all_posts_mut()
                    .iter_mut()
                    .for_each(|shown| self.0.apply(&mut shown.candidate, Err(failure)));
            }
        }
    }
}
