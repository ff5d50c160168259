//! The configuration is replaced while the service runs: whole or not at all.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use maskrank_pipeline::config::PipelineConfig;
use maskrank_pipeline::service::{Build, Reloader, Watched};
use maskrank_pipeline::timeline::Home;
use serde_json::json;

use crate::harness::{Service, entries};

fn reloader(service: &Service, folder: &Path) -> Reloader {
    let watched = Watched {
        pipeline: Some(folder.join("pipeline.yaml")),
        weights: Some(folder.join("weights.yaml")),
        service: Some(folder.join("service.yaml")),
        otherwise: PipelineConfig::default(),
    };
    let parts = service.parts.clone();
    let build: Build = Box::new(move |config| Ok(Arc::new(Home::new(config.clone(), parts.clone())?)));
    Reloader::new(watched, build)
}

fn write(folder: &Path, pipeline: &str, weights: &str, service: &str) {
    for (name, text) in [("pipeline.yaml", pipeline), ("weights.yaml", weights), ("service.yaml", service)] {
        std::fs::write(folder.join(name), text).expect("written");
    }
}

/// Entries of a page that are neither ads nor cursors.
async fn length(service: &Service, viewer: u64) -> usize {
    let page = service.timeline(viewer, "for_you").await;
    entries(&page)
        .iter()
        .filter(|entry| !matches!(entry["content"]["type"].as_str(), Some("ad" | "cursor")))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn good_files_are_taken_and_bad_ones_change_nothing() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let reloader = reloader(&service, folder.path());
    let viewer = service.reader(20);
    assert!(length(&service, viewer).await > 10);
    write(folder.path(), "selection: {page: 3}", "reply: 20.0", "viewer: {burst: 50}");
    assert_eq!(reloader.reload(&service.app).expect("taken"), 2);
    assert!(length(&service, viewer).await <= 3);
    let good = ("selection: {page: 3}", "reply: 20.0", "viewer: {burst: 50}");
    for (pipeline, weights, limits) in [
        ("selection: {page: many}", good.1, good.2),
        ("selektion: {page: 30}", good.1, good.2),
        ("heuristics: {reply_factor: -1}", good.1, good.2),
        ("selection: {page: 30}", "reply: .inf", good.2),
        ("selection: {page: 30}", "answer: 3", good.2),
        ("selection: {page: 30}", good.1, "connections: 0"),
        ("selection: {page: 30}", good.1, "connections: ["),
        ("\u{0}", good.1, good.2),
    ] {
        write(folder.path(), pipeline, weights, limits);
        assert!(reloader.reload(&service.app).is_err(), "{pipeline} {weights} {limits}");
        assert_eq!(service.app.generation_number(), 2);
        assert!(length(&service, viewer).await <= 3, "the one in use stays, all of it");
    }
    std::fs::remove_file(folder.path().join("weights.yaml")).expect("removed");
    assert!(reloader.reload(&service.app).is_err(), "a file that is gone is no reason for defaults");
    write(folder.path(), "selection: {page: 30}", good.1, good.2);
    assert_eq!(reloader.reload(&service.app).expect("taken"), 3);
    assert!(length(&service, viewer).await > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_see_one_configuration_or_the_other() {
    let service = Arc::new(Service::start().await);
    let folder = tempfile::tempdir().expect("a folder");
    let reloader = reloader(&service, folder.path());
    let viewer = service.reader(20);
    let is_over = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let asking = tokio::spawn({
        let (service, is_over) = (Arc::clone(&service), Arc::clone(&is_over));
        let answered = Arc::clone(&answered);
        async move {
            let mut lengths = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                lengths.push(length(&service, viewer).await);
                answered.fetch_add(1, Ordering::Relaxed);
            }
            lengths
        }
    });
    for round in 0..10 {
        let page = if round % 2 == 0 { 2 } else { 4 };
        write(
            folder.path(),
            &format!("selection: {{page: {page}}}"),
            "reply: 1.0",
            "viewer: {rate: 1000, burst: 1000}",
        );
        let before = answered.load(Ordering::Relaxed);
        reloader.reload(&service.app).expect("taken");
        // At least one request ends under each, however busy the machine is.
        while answered.load(Ordering::Relaxed) == before && !asking.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let lengths = asking.await.expect("no request failed");
    assert!(lengths.len() > 1, "{lengths:?}");
    assert_eq!(service.app.generation_number(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_noticed() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "selection: {page: 3}", "reply: 1.0", "viewer: {burst: 50}");
    let watching = reloader(&service, folder.path()).watch(Arc::clone(&service.app), std::future::pending);
    let watching = tokio::spawn(watching);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(service.app.generation_number(), 1, "what was there at the start is in use already");
    write(folder.path(), "selection: {page: 14}", "reply: 2.25", "viewer: {burst: 51}");
    while service.app.generation_number() == 1 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(service.app.generation_number(), 2);
    let ready = service.ask("GET", "/readyz", None, b"").await;
    assert_eq!(ready.json(), json!({"status": "ready", "generation": 2}));
    watching.abort();
}
