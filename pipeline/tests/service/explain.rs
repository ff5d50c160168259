//! Explanations over HTTP: they agree with what was served, and refuse what is not asked properly.

use serde_json::{Value, json};

use crate::harness::{Service, post_ids};

async fn explain(service: &Service, viewer: u64, query: &str) -> Value {
    let answer = service.ask("GET", &format!("/v1/explain?{query}"), Some(viewer), b"").await;
    assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_post_is_explained_as_it_was_served() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    let timeline = service.timeline(viewer, "for_you").await;
    let request = timeline["request_id"].as_str().expect("an id");
    let shown = post_ids(&timeline);
    assert!(!shown.is_empty());
    let mut served = 0;
    for post in shown.iter().take(10) {
        let why = explain(&service, viewer, &format!("post={post}&request={request}")).await;
        assert_eq!((&why["viewer"], &why["post"]), (&json!(viewer.to_string()), &json!(post)));
        assert_eq!(why["is_replay"], true, "post {post}: the request is on record");
        // Posts of a conversation stand above the one that was ranked.
        if why["outcome"]["fate"] != "served" {
            continue;
        }
        served += 1;
        assert!(why["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{why}");
        let tasks = &why["scoring"]["probabilities"];
        assert!(
            tasks.as_array().map_or_else(|| tasks.as_object().map_or(0, |t| t.len()), Vec::len) == 10,
            "{why}"
        );
        assert!(why["features"].as_array().is_some_and(|families| families.len() > 5), "{why}");
    }
    assert!(served > 0, "of {shown:?} none was explained as served");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_what_is_not_asked_properly_is_refused() {
    let service = Service::start().await;
    let viewer = service.reader(5);
    for (query, status) in [
        ("post=1", 404),
        ("", 400),
        ("post=x", 400),
        ("post=-1", 400),
        ("post=1&post=2", 400),
        ("post=1&viewer=2", 400),
        ("post=1&request=y", 400),
    ] {
        let answer = service.ask("GET", &format!("/v1/explain?{query}"), Some(viewer), b"").await;
        assert_eq!(answer.status, status, "{query}: {}", String::from_utf8_lossy(&answer.body));
    }
    let answer = service.ask("GET", "/v1/explain?post=1", None, b"").await;
    assert_eq!(answer.status, 401);
}
