//! Parts that fail, hang or talk rubbish: the timeline comes all the same where it can, and says what is missing.

use std::sync::{Arc, Condvar, Mutex};

use maskrank_pipeline::domain::stores::{FeedbackStore, HistoryStore, StoreError, Stores};
use maskrank_pipeline::domain::{Dismissal, Feedback, Millis, Platform, PostId, ServedResponse, UserId};
use maskrank_pipeline::service::{LaneConfig, ServiceConfig};
use serde_json::{Value, json};

use crate::harness::{Service, Settings, post_ids};
use crate::model::Mood;

/// Asks until For You comes without a mark: the machine may be busy with other tests.
async fn until_whole(service: &Service, viewer: u64, mark: &str) {
    for _ in 0..50 {
        if service.timeline(viewer, "for_you").await[mark].is_null() {
            return;
        }
    }
    panic!("For You is still marked: {mark}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_leaves_the_newest_posts_and_says_so() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    for mood in [Mood::Fails, Mood::Hangs, Mood::Panics, Mood::WrongRows] {
        service.model.set(mood);
        let answer = service.ask("GET", "/v1/timelines/for_you", Some(viewer), b"").await;
        assert_eq!(answer.status, 200, "{mood:?}: {}", String::from_utf8_lossy(&answer.body));
        let timeline = answer.json();
        let marked = timeline["is_fallback"] == true && !timeline["missing"].is_null();
        assert!(marked, "{mood:?}: {:?} {:?}", timeline["is_fallback"], timeline["missing"]);
        assert!(!post_ids(&timeline).is_empty(), "{mood:?}");
        // Neither chronological timelines nor writes need the model.
        assert!(service.timeline(viewer, "following").await["missing"].is_null(), "{mood:?}");
        service.post(viewer, "/v1/dismissals", json!({"module": "who-to-follow"})).await;
    }
    service.model.set(Mood::Answers);
    // Another viewer: this one was served all there is by now.
    let other = service.other(viewer);
    until_whole(&service, other, "is_fallback").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_talks_rubbish_harms_nobody() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    service.model.set(Mood::Rubbish);
    let timeline = service.timeline(viewer, "for_you").await;
    for id in post_ids(&timeline) {
        let id: u64 = id.parse().expect("a number");
        assert!(service.stores().posts.get(PostId(id)).is_some(), "{id}");
    }
    service.model.set(Mood::Answers);
    assert!(!post_ids(&service.timeline(service.other(viewer), "for_you").await).is_empty());
}

/// How a store behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conduct {
    Works,
    Fails,
    Hangs,
    /// Answers about other viewers, from the future, without end.
    Rubbish,
}

/// Feedback and history of the embedded stores, with a conduct in front.
struct Faulty {
    stores: Stores,
    conduct: Mutex<Conduct>,
    changed: Condvar,
}

impl Faulty {
    fn set(&self, conduct: Conduct) {
        *self.conduct.lock().expect("sound") = conduct;
        self.changed.notify_all();
    }

    /// Waits while the store hangs.
    fn conduct(&self) -> Conduct {
        let conduct = self.conduct.lock().expect("sound");
        *self.changed.wait_while(conduct, |conduct| *conduct == Conduct::Hangs).expect("sound")
    }

    fn write<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.conduct() == Conduct::Fails {
            let problem = "the disk is full".to_owned();
            return Err(StoreError::Failed { store: "faulty", operation: "write", problem });
        }
        write()
    }
}

impl FeedbackStore for Faulty {
    fn feedback(&self, viewer: UserId, since: Millis) -> Vec<Feedback> {
        match self.conduct() {
            Conduct::Rubbish => {
                let kind = maskrank_pipeline::domain::FeedbackKind::Repost;
                let about = |id| Feedback {
                    viewer: UserId(0),
                    kind,
                    about: UserId(id),
                    post: None,
                    at: Millis(i64::MAX),
                };
                (0..10_000).map(about).collect()
            }
            Conduct::Fails => panic!("the store cannot read"),
            _ => self.stores.feedback.feedback(viewer, since),
        }
    }

    fn dismissals(&self, viewer: UserId, since: Millis) -> Vec<Dismissal> {
        self.stores.feedback.dismissals(viewer, since)
    }

    fn record_feedback(&self, feedback: Feedback) -> Result<(), StoreError> {
        self.write(|| self.stores.feedback.record_feedback(feedback))
    }

    fn withdraw_feedback(&self, feedback: Feedback) -> Result<bool, StoreError> {
        self.write(|| self.stores.feedback.withdraw_feedback(feedback))
    }

    fn withdraw_dismissal(&self, dismissal: Dismissal) -> Result<bool, StoreError> {
        self.write(|| self.stores.feedback.withdraw_dismissal(dismissal))
    }

    fn record_dismissal(&self, dismissal: Dismissal) -> Result<(), StoreError> {
        self.write(|| self.stores.feedback.record_dismissal(dismissal))
    }
}

impl HistoryStore for Faulty {
    fn served(&self, viewer: UserId, platform: Platform, since: Millis) -> Vec<ServedResponse> {
        self.stores.history.served(viewer, platform, since)
    }

    fn impressions(&self, viewer: UserId, since: Millis, limit: usize) -> Vec<PostId> {
        self.stores.history.impressions(viewer, since, limit)
    }

    fn visits(&self, viewer: UserId) -> Vec<Millis> {
        self.stores.history.visits(viewer)
    }

    fn record_served(
        &self,
        viewer: UserId,
        platform: Platform,
        response: ServedResponse,
    ) -> Result<(), StoreError> {
        self.write(|| self.stores.history.record_served(viewer, platform, response))
    }

    fn record_impressions(&self, viewer: UserId, posts: &[PostId], at: Millis) -> Result<(), StoreError> {
        self.write(|| self.stores.history.record_impressions(viewer, posts, at))
    }

    fn record_visit(&self, viewer: UserId, at: Millis) -> Result<(), StoreError> {
        self.write(|| self.stores.history.record_visit(viewer, at))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.write(|| self.stores.history.flush())
    }
}

async fn over_faulty_stores(config: ServiceConfig) -> (Service, Arc<Faulty>) {
    let place = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&place);
    let stores = Box::new(move |stores: Stores| {
        let conduct = Mutex::new(Conduct::Works);
        let faulty = Arc::new(Faulty { stores: stores.clone(), conduct, changed: Condvar::new() });
        *kept.lock().expect("sound") = Some(Arc::clone(&faulty));
        Stores { feedback: faulty.clone(), history: faulty, ..stores }
    });
    let service = Service::with(Settings { config, stores: Some(stores), ..Settings::default() }).await;
    let faulty = place.lock().expect("sound").take().expect("the stores were changed");
    (service, faulty)
}

fn see_fewer() -> Value {
    json!({"kind": "post", "about": "2"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_fails_its_own_writes_only() {
    let (service, faulty) =
        over_faulty_stores(ServiceConfig { deadline_ms: 30_000, ..ServiceConfig::default() }).await;
    let viewer = service.reader(20);
    faulty.set(Conduct::Fails);
    let refused = service.send(viewer, "/v1/feedback", see_fewer()).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "storage_failed"));
    let seen = json!({"posts": [post_ids(&service.timeline(viewer, "following").await)[0]]});
    assert_eq!(service.send(viewer, "/v1/impressions", seen).await.code(), "storage_failed");
    let timeline = service.timeline(viewer, "for_you").await;
    assert!(!post_ids(&timeline).is_empty(), "timelines come without what was lost");
    assert!(!timeline["missing"].is_null(), "and say so");
    service.post(viewer, "/v1/posts", json!({"text": "this goes to another store"})).await;
    faulty.set(Conduct::Works);
    service.post(viewer, "/v1/feedback", see_fewer()).await;
    until_whole(&service, service.other(viewer), "missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_talks_rubbish_is_not_believed_blindly() {
    let (service, faulty) =
        over_faulty_stores(ServiceConfig { deadline_ms: 30_000, ..ServiceConfig::default() }).await;
    let viewer = service.reader(20);
    faulty.set(Conduct::Rubbish);
    service.timeline(viewer, "for_you").await;
    assert!(!post_ids(&service.timeline(viewer, "following").await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_holds_neither_the_others_nor_more_threads_than_its_lane() {
    let writes =
        LaneConfig { concurrent: 2, waiting: 1, max_wait_ms: 50, answer_within_ms: None, rush: None };
    let config = ServiceConfig { writes, deadline_ms: 400, ..ServiceConfig::default() };
    let (service, faulty) = over_faulty_stores(config).await;
    let viewer = service.reader(20);
    faulty.set(Conduct::Hangs);
    for number in 0..6 {
        let answer = service.send(viewer, "/v1/feedback", see_fewer()).await;
        let expected = if number < 2 { (504, "deadline_exceeded") } else { (503, "overloaded") };
        assert_eq!((answer.status, answer.code().as_str()), expected, "write {number}");
    }
    for _ in 0..6 {
        // What needs the store that hangs is late or comes without it; the probes and what is cheap always answer.
        let answer = service.ask("GET", "/v1/timelines/for_you", Some(viewer), b"").await;
        assert!(matches!(answer.status, 200 | 503 | 504), "{}", answer.status);
        assert!(service.is_well().await);
        assert_eq!(service.ask("GET", "/v1/viewer", Some(viewer), b"").await.status, 200);
    }
    faulty.set(Conduct::Works);
    // The writes that hung come to their end, and free their places.
    while service.send(viewer, "/v1/feedback", see_fewer()).await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    while service.ask("GET", "/v1/timelines/for_you", Some(viewer), b"").await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    service.timeline(viewer, "following").await;
}
