//! Timelines over HTTP: parameters, cursors, and that everybody sees their own.

use std::collections::HashSet;

use crate::harness::{Service, cursor, entries, post_ids};

#[tokio::test(flavor = "multi_thread")]
async fn every_timeline_is_as_the_document_says_and_pages_go_on() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    for path in ["for_you", "following", "subscribed"] {
        let first = service.timeline(viewer, path).await;
        assert_eq!(first["viewer"], viewer.to_string(), "{path}");
        let indexes: Vec<i64> = entries(&first)
            .iter()
            .map(|entry| entry["sort_index"].as_str().expect("text").parse().expect("a number"))
            .collect();
        assert!(indexes.windows(2).all(|pair| pair[0] > pair[1]), "{path}: {indexes:?}");
        if path == "subscribed" {
            continue;
        }
        assert!(!post_ids(&first).is_empty(), "{path} shows something to a viewer who follows many");
        let bottom = cursor(&first, "bottom").expect("a bottom cursor");
        let second = service.timeline(viewer, &format!("{path}?cursor={bottom}")).await;
        let known: HashSet<_> = post_ids(&first).into_iter().collect();
        let again: Vec<_> = post_ids(&second).into_iter().filter(|id| known.contains(id)).collect();
        assert!(again.is_empty(), "{path}: {again:?} come again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_id_is_the_timeline_s() {
    let service = Service::start().await;
    let viewer = service.reader(5);
    let answer = service.ask("GET", "/v1/timelines/for_you", Some(viewer), b"").await;
    assert_eq!(answer.field("x-request-id"), answer.json()["request_id"].as_str());
    assert_eq!(answer.field("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_out_of_their_range_are_refused() {
    let service = Service::start().await;
    let viewer = service.reader(5);
    let seen = vec!["1"; 501].join(",");
    let seen = format!("seen={seen}");
    for (query, code) in [
        ("count=0", "invalid_request"),
        ("count=201", "invalid_request"),
        ("count=18446744073709551616", "invalid_request"),
        ("count=-1", "invalid_request"),
        ("count=many", "invalid_request"),
        ("count=1&count=2", "invalid_request"),
        ("context=sleeping", "invalid_request"),
        ("client=toaster", "invalid_request"),
        ("country=Germany", "invalid_request"),
        ("viewer=2", "invalid_request"),
        ("seen=1,two", "invalid_request"),
        (seen.as_str(), "invalid_request"),
        ("push_to_home=x", "invalid_request"),
        ("cursor=x", "invalid_cursor"),
        ("cursor=", "invalid_cursor"),
    ] {
        for timeline in ["for_you", "following"] {
            let path = format!("/v1/timelines/{timeline}?{query}");
            let answer = service.ask("GET", &path, Some(viewer), b"").await;
            let found = (answer.status, answer.code());
            assert_eq!(found, (400, code.to_owned()), "{}", &path[..path.len().min(80)]);
        }
    }
    for (path, status) in [("lists/x", 400), ("lists/18446744073709551615", 404), ("lists/-1", 400)] {
        let answer = service.ask("GET", &format!("/v1/timelines/{path}"), Some(viewer), b"").await;
        assert_eq!(answer.status, status, "{path}");
    }
    let count =
        service.timeline(viewer, "for_you?count=3&context=launch&client=ios&language=en-GB&country=gb").await;
    assert!((1..=3).contains(&post_ids(&count).len()), "{}", post_ids(&count).len());
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_cut_and_foreign_cursors_are_refused_and_disturb_nobody() {
    let service = Service::start().await;
    let (viewer, other) = (service.reader(20), service.other(service.reader(20)));
    let first = service.timeline(viewer, "for_you").await;
    let bottom = cursor(&first, "bottom").expect("a cursor");
    let refused = async |viewer: u64, timeline: &str, cursor: &str| {
        let path = format!("/v1/timelines/{timeline}?cursor={cursor}");
        let answer = service.ask("GET", &path, Some(viewer), b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_cursor"), "{timeline} {cursor}");
    };
    refused(other, "for_you", &bottom).await;
    refused(viewer, "following", &bottom).await;
    for end in [0, 1, bottom.len() / 2, bottom.len() - 1] {
        refused(viewer, "for_you", &bottom[..end]).await;
    }
    for place in (0..bottom.len()).step_by(7) {
        let mut forged = bottom.clone().into_bytes();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        refused(viewer, "for_you", &String::from_utf8(forged).expect("ASCII")).await;
    }
    refused(viewer, "for_you", &"A".repeat(2_049)).await;
    refused(viewer, "for_you", &service.token(viewer)).await;
    service.timeline(viewer, &format!("for_you?cursor={bottom}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_one_is_and_what_there_is_to_read() {
    let service = Service::start().await;
    let viewer = service.reader(5);
    let me = service.ask("GET", "/v1/viewer", Some(viewer), b"").await;
    assert_eq!((me.status, me.json()["id"].as_str()), (200, Some(viewer.to_string().as_str())));
    for list in me.json()["lists"].as_array().expect("lists") {
        let id = list["id"].as_str().expect("an id");
        service.timeline(viewer, &format!("lists/{id}")).await;
    }
}
