//! More than can be done: what is accepted is done, the rest hears so at once, and afterwards all is as before.

use std::sync::Arc;
use std::time::Duration;

use maskrank_pipeline::service::{LaneConfig, ServiceConfig};
use serde_json::json;

use crate::harness::{Service, Settings};
use crate::model::Mood;

fn narrow() -> ServiceConfig {
    let ranked =
        LaneConfig { concurrent: 1, waiting: 2, max_wait_ms: 60_000, answer_within_ms: None, rush: None };
    // What waits must not be late because the machine is busy with other tests.
    ServiceConfig { ranked, deadline_ms: 60_000, ..ServiceConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_shed_and_others_are_served_meanwhile() {
    let service = Arc::new(Service::with(Settings { config: narrow(), ..Settings::default() }).await);
    let viewer = service.reader(5);
    service.model.set(Mood::AnswersAfter(300));
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let service = Arc::clone(&service);
            tokio::spawn(async move { service.ask("GET", "/v1/timelines/for_you", Some(viewer), b"").await })
        })
        .collect();
    let mut meanwhile = 0;
    while !asking.iter().all(tokio::task::JoinHandle::is_finished) {
        // Another viewer, and another lane: not concerned.
        service.timeline(service.other(viewer), "following").await;
        service.post(service.other(viewer), "/v1/dismissals", json!({"module": "who-to-follow"})).await;
        meanwhile += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(meanwhile > 0);
    let mut served = 0;
    for answer in asking {
        let answer = answer.await.expect("no panic");
        match (answer.status, answer.status == 503 && answer.code() == "overloaded") {
            (200, _) => served += 1,
            (503, true) => {}
            other => panic!("{other:?}"),
        }
    }
    // One is worked on and two wait; more only when one was done before another asked.
    assert!((1..8).contains(&served), "{served} of 8 served");
    service.model.set(Mood::Answers);
    service.timeline(viewer, "for_you").await;
    let metrics = service.ask("GET", "/metrics", None, b"").await;
    let text = String::from_utf8(metrics.body).expect("text");
    let shed = text.lines().find_map(|line| line.strip_prefix("service_shed_total{lane=\"ranked\"} "));
    assert_eq!(shed.and_then(|count| count.parse().ok()), Some(8 - served), "{text}");
    assert!(text.contains("pipeline_runs_total"), "the pipelines' counters are there as well");
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_answers_what_is_under_way_and_takes_nothing_new() {
    let mut service = Service::start().await;
    let (viewer, address) = (service.reader(5), service.address);
    service.model.set(Mood::AnswersAfter(400));
    let field = format!("Bearer {}", service.token(viewer));
    let under_way = tokio::spawn(async move {
        let fields = [("authorization", field.as_str())];
        crate::http::exchange(address, "GET", "/v1/timelines/for_you", &fields, b"").await
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let drained = service.stop().await;
    assert!(drained.answered && drained.stored, "{drained:?}");
    let answer = under_way.await.expect("no panic").expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(crate::http::exchange(address, "GET", "/healthz", &[], b"").await.is_err(), "nobody is there");
    let served = service.stores().history.served(
        maskrank_pipeline::domain::UserId(viewer),
        maskrank_pipeline::domain::Platform::Web,
        maskrank_pipeline::domain::Millis(0),
    );
    assert!(!served.is_empty(), "its side effects are done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_given_up() {
    let config = ServiceConfig { deadline_ms: 200, ..ServiceConfig::default() };
    let service = Service::with(Settings { config, ..Settings::default() }).await;
    let viewer = service.reader(5);
    service.model.set(Mood::Hangs);
    let answer = service.ask("GET", "/v1/timelines/for_you", Some(viewer), b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "deadline_exceeded"));
    service.model.set(Mood::Answers);
    assert!(service.is_well().await);
}
