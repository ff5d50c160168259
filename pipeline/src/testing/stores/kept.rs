//! Lists, feedback, history and the cache over plain maps.

use std::sync::Arc;

use super::MemoryStores;
use crate::domain::stores::{FeedbackStore, HistoryStore, List, ListStore, ScoredPostsCache, StoreError};
use crate::domain::{
    CachedPost, Dismissal, Feedback, ListId, Millis, Platform, PostId, ServedResponse, UserId,
};

impl ListStore for MemoryStores {
    fn get(&self, id: ListId) -> Option<List> {
        self.data().lists.get(&id).cloned()
    }

    fn of_user(&self, user: UserId, limit: usize) -> Vec<ListId> {
        let data = self.data();
        data.lists.values().filter(|list| list.owner == user).take(limit).map(|list| list.id).collect()
    }

    fn put(&self, list: List) -> Result<(), StoreError> {
        self.data().lists.insert(list.id, list);
        Ok(())
    }
}

impl FeedbackStore for MemoryStores {
    fn feedback(&self, viewer: UserId, since: Millis) -> Vec<Feedback> {
        let data = self.data();
        data.feedback.iter().filter(|entry| entry.viewer == viewer && entry.at >= since).copied().collect()
    }

    fn dismissals(&self, viewer: UserId, since: Millis) -> Vec<Dismissal> {
        let data = self.data();
        data.dismissals.iter().filter(|entry| entry.viewer == viewer && entry.at >= since).cloned().collect()
    }

    fn record_feedback(&self, feedback: Feedback) -> Result<(), StoreError> {
        self.data().feedback.push(feedback);
        Ok(())
    }

    fn record_dismissal(&self, dismissal: Dismissal) -> Result<(), StoreError> {
        self.data().dismissals.push(dismissal);
        Ok(())
    }

    fn withdraw_feedback(&self, feedback: Feedback) -> Result<bool, StoreError> {
        let mut data = self.data();
        let before = data.feedback.len();
        data.feedback.retain(|said| !feedback.takes_back(said));
        Ok(data.feedback.len() < before)
    }

    fn withdraw_dismissal(&self, dismissal: Dismissal) -> Result<bool, StoreError> {
        let mut data = self.data();
        let is_same = |said: &Dismissal| (said.viewer, &said.module) == (dismissal.viewer, &dismissal.module);
        let newest = data.dismissals.iter().rposition(is_same);
        Ok(newest.map(|place| data.dismissals.remove(place)).is_some())
    }
}

impl HistoryStore for MemoryStores {
    fn served(&self, viewer: UserId, platform: Platform, since: Millis) -> Vec<ServedResponse> {
        let data = self.data();
        let wanted = data
            .served
            .iter()
            .rev()
            .filter(|(user, on, response)| *user == viewer && *on == platform && response.at >= since);
        wanted.map(|(.., response)| response.clone()).collect()
    }

    fn impressions(&self, viewer: UserId, since: Millis, limit: usize) -> Vec<PostId> {
        let data = self.data();
        let wanted = data.impressions.iter().rev().filter(|(user, _, at)| *user == viewer && *at >= since);
        wanted.take(limit).map(|(_, post, _)| *post).collect()
    }

    fn visits(&self, viewer: UserId) -> Vec<Millis> {
        let data = self.data();
        data.visits.iter().rev().filter(|(user, _)| *user == viewer).take(10).map(|(_, at)| *at).collect()
    }

    fn record_served(
        &self,
        viewer: UserId,
        platform: Platform,
        response: ServedResponse,
    ) -> Result<(), StoreError> {
        self.data().served.push((viewer, platform, response));
        Ok(())
    }

    fn record_impressions(&self, viewer: UserId, posts: &[PostId], at: Millis) -> Result<(), StoreError> {
        self.data().impressions.extend(posts.iter().map(|post| (viewer, *post, at)));
        Ok(())
    }

    fn record_visit(&self, viewer: UserId, at: Millis) -> Result<(), StoreError> {
        self.data().visits.push((viewer, at));
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl ScoredPostsCache for MemoryStores {
    fn get(&self, viewer: UserId, since: Millis) -> Arc<[CachedPost]> {
        let cached = self.data().cache.get(&viewer).cloned().unwrap_or_else(|| Arc::new([]));
        cached.iter().filter(|post| post.scored_at >= since).cloned().collect()
    }

    fn put(&self, viewer: UserId, posts: Vec<CachedPost>) {
        self.data().cache.insert(viewer, posts.into());
    }

    fn clear(&self, viewer: UserId) {
        self.data().cache.remove(&viewer);
    }
}
