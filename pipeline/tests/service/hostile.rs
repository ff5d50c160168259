//! Who means no good: everything wrong gets a clear answer or a closed connection, and others notice nothing.

use std::time::Duration;

use maskrank_pipeline::domain::{Clock, SystemClock, UserId};
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::service::{ServiceConfig, Tokens, ViewerLimits};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Service, Settings};
use crate::http;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_that_holds_nothing_is_read_or_written() {
    let service = Service::start().await;
    let now = SystemClock::default().now();
    let own = Tokens::new(service.key.clone());
    let good = own.mint(UserId(1), now, HOUR);
    let bearer = |token: &str| format!("Bearer {token}");
    let wrong = [
        bearer(""),
        bearer("x"),
        bearer(&good[..good.len() - 1]),
        bearer(&format!("{good}A")),
        bearer(&Tokens::new(Key::new([8; 32])).mint(UserId(1), now, HOUR)),
        bearer(&own.mint(UserId(1), now - HOUR - HOUR, HOUR)),
        bearer(&service.key.seal("cursor", &[0; 16])),
        format!("Basic {good}"),
        good.clone(),
    ];
    let body = json!({"text": "hello"}).to_string();
    for (method, path, body) in [
        ("GET", "/v1/timelines/for_you", ""),
        ("GET", "/v1/timelines/following", ""),
        ("GET", "/v1/viewer", ""),
        ("POST", "/v1/posts", body.as_str()),
        ("DELETE", "/v1/posts/1", ""),
    ] {
        for field in &wrong {
            let fields = [("authorization", field.as_str()), ("content-type", "application/json")];
            let answer = service.ask_with(method, path, &fields, body.as_bytes()).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "unauthorized"),
                "{method} {path} {field}"
            );
            assert_eq!(answer.field("www-authenticate"), Some("Bearer"));
        }
        assert_eq!(service.ask(method, path, None, body.as_bytes()).await.status, 401, "{method} {path}");
        let nobody = service.ask(method, path, Some(u64::MAX), body.as_bytes()).await;
        assert_eq!(nobody.status, 403, "{method} {path}: a token of an account that does not exist");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_names_no_other_viewer() {
    let service = Service::start().await;
    for (path, body) in [
        ("/v1/posts", json!({"text": "x", "author": "2"})),
        ("/v1/engagements", json!({"engagements": [{"post": "1", "kind": "favorite", "user": "2"}]})),
        ("/v1/feedback", json!({"kind": "post", "about": "3", "viewer": "2"})),
        ("/v1/impressions", json!({"posts": ["1"], "viewer": "2"})),
        ("/v1/dismissals", json!({"module": "who-to-follow", "viewer": "2"})),
        ("/v1/relationships", json!({"relation": "block", "from": "2", "target": "3", "holds": true})),
    ] {
        let answer = service.send(1, path, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_deep_long_broken_or_of_another_kind_are_refused() {
    let service = Service::start().await;
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let deep_field = format!(r#"{{"posts": {}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    for body in [
        deep.as_bytes(),
        deep_field.as_bytes(),
        b"{",
        b"null",
        b"\0",
        b"\xFF\xFE",
        br#"{"posts": ["1"], "posts": ["2"]}"#,
        br#"{"posts": [1e300]}"#,
        br#"{"posts": [-1]}"#,
        br#"{"posts": ["99999999999999999999999"]}"#,
        br#"[["1"]]"#,
    ] {
        let answer = service.ask("POST", "/v1/impressions", Some(1), body).await;
        let start = String::from_utf8_lossy(&body[..body.len().min(40)]);
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{start}");
    }
    let long = vec![b' '; ServiceConfig::default().max_body_bytes + 1];
    let answer = service.ask("POST", "/v1/impressions", Some(1), &long).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let field = format!("Bearer {}", service.token(1));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let fields = [("authorization", field.as_str()), ("content-type", kind)];
        let answer = service.ask_with("POST", "/v1/impressions", &fields, br#"{"posts": ["1"]}"#).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "unsupported_media_type"), "{kind}");
    }
    for more in [("content-type", "application/json; charset=utf-16"), ("content-encoding", "gzip")] {
        let fields = [("authorization", field.as_str()), more, ("content-type", "application/json")];
        let answer = service.ask_with("POST", "/v1/impressions", &fields, br#"{"posts": ["1"]}"#).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "unsupported_media_type"), "{more:?}");
    }
    let fields = [("authorization", field.as_str()), ("content-type", "Application/JSON; charset=utf-8")];
    let answer = service.ask_with("POST", "/v1/impressions", &fields, br#"{"posts": ["1"]}"#).await;
    assert_eq!(answer.status, 200);
    assert!(service.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_answered_or_closed_and_nothing_more() {
    let service = Service::start().await;
    let many: String = (0..1_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let requests: [Vec<u8>; 8] = [
        b"\r\n\r\n\r\n".to_vec(),
        b"GARBAGE\r\n\r\n".to_vec(),
        vec![0xFF; 4096],
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000)).into_bytes(),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").into_bytes(),
        b"POST /v1/posts HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec(),
    ];
    for request in requests {
        // The other side may close while we still send.
        let answer = http::raw(service.address, &request).await.unwrap_or_default();
        let status = answer.starts_with(b"HTTP/1.").then(|| http::parse(&answer).status);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{status:?}");
    }
    assert!(service.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let config = ServiceConfig { body_timeout_ms: 100, ..ServiceConfig::default() };
    let service = Service::with(Settings { config, ..Settings::default() }).await;
    let request = format!(
        "POST /v1/impressions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{",
        service.token(1)
    );
    let answer = http::parse(&http::raw(service.address, request.as_bytes()).await.expect("an answer"));
    assert_eq!((answer.status, answer.code().as_str()), (408, "slow_body"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_says_that_it_is_too_long_is_not_asked_for() {
    // It would be waited for until the test's own patience ends.
    let config = ServiceConfig { body_timeout_ms: 600_000, ..ServiceConfig::default() };
    let service = Service::with(Settings { config, ..Settings::default() }).await;
    for expects in ["", "expect: 100-continue\r\n"] {
        let request = format!(
            "POST /v1/impressions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\n{expects}content-length: 99999999999\r\n\r\n",
            service.token(1)
        );
        let answer = http::parse(&http::raw(service.address, request.as_bytes()).await.expect("an answer"));
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"), "{expects}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_parameter_is_said_by_its_name() {
    let service = Service::start().await;
    let viewer = service.reader(5);
    let long = "9".repeat(3_000);
    for (path, parameter) in [
        ("timelines/following?count=", "count"),
        ("timelines/following?count=1e3", "count"),
        (&format!("timelines/following?count={long}"), "count"),
        ("timelines/for_you?push_to_home=-1", "push_to_home"),
        ("timelines/for_you?seen=1,x", "seen"),
        ("timelines/for_you?country=US", "country"),
        ("explain?post=x", "post"),
        ("explain?post=1&request=x", "request"),
    ] {
        let answer = service.ask("GET", &format!("/v1/{path}"), Some(viewer), b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{path}");
        let message = answer.json()["error"]["message"].as_str().expect("a sentence").to_owned();
        assert!(message.starts_with(&format!("{parameter}: expected ")), "{path}: {message}");
        assert!(message.len() <= 200, "what came is not given back whole: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_viewer_s_flood_is_that_viewer_s_own() {
    let viewer = ViewerLimits { concurrent: 2, rate: 1.0, burst: 5.0 };
    let config = ServiceConfig { viewer, ..ServiceConfig::default() };
    let service = Service::with(Settings { config, ..Settings::default() }).await;
    let (flooder, other) = (service.reader(5), service.other(service.reader(5)));
    let mut refused = 0;
    for _ in 0..20 {
        let answer = service.ask("GET", "/v1/viewer", Some(flooder), b"").await;
        match answer.status {
            200 => {}
            429 => refused += 1,
            status => panic!("{status}"),
        }
    }
    assert!(refused >= 10, "{refused} of 20 refused, with 5 at once and 1 a second");
    assert_eq!(service.ask("GET", "/v1/viewer", Some(other), b"").await.status, 200, "others go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_a_row_are_answered_in_order_each_as_who_it_says() {
    let service = Service::start().await;
    let (first, second) = (service.reader(5), service.other(service.reader(5)));
    let mut bytes = Vec::new();
    for round in 0..40 {
        let token = match round % 4 {
            0 => service.token(first),
            1 => service.token(second),
            2 => "forged".to_owned(),
            _ => Tokens::new(Key::new([8; 32])).mint(UserId(first), SystemClock::default().now(), HOUR),
        };
        let end = if round == 39 { "connection: close\r\n" } else { "" };
        let head =
            format!("GET /v1/viewer HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{end}\r\n");
        bytes.extend_from_slice(head.as_bytes());
    }
    let answers = http::parse_all(&http::raw(service.address, &bytes).await.expect("answers"));
    assert_eq!(answers.len(), 40);
    for (round, answer) in answers.iter().enumerate() {
        match round % 4 {
            0 => assert_eq!(answer.json()["id"], first.to_string(), "{round}"),
            1 => assert_eq!(answer.json()["id"], second.to_string(), "{round}"),
            _ => assert_eq!(answer.status, 401, "{round}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_fields_that_are_no_text_are_refused() {
    let service = Service::start().await;
    let token = service.token(service.reader(5));
    for (line, fields, expected) in [
        ("GET /v1/timelines/following?count=%FF", "", 400),
        ("GET /v1/timelines/following?cursor=%00%80", "", 400),
        ("GET /v1/timelines/following?count=1&count=2", "", 400),
        ("GET /v1/timelines/following?count=18446744073709551616", "", 400),
        ("GET /v1/timelines/following?count=-1", "", 400),
        ("GET /v1/timelines/lists/%2e%2e%2f%2e%2e", "", 400),
        ("GET /v1/timelines/lists/99999999999999999999999", "", 400),
        ("GET /v1/explain?post=%F0%28%8C%28", "", 400),
        ("GET /../../etc/passwd", "", 404),
        ("PATCH /v1/timelines/following", "", 405),
        ("BREW /v1/timelines/following", "", 405),
        ("GET /v1/viewer", "authorization: Bearer x\r\n", 401),
        ("GET /v1/viewer", "host: y\r\n", 400),
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}authorization: Bearer {token}\r\n\r\n"
        );
        let answer = http::parse(&http::raw(service.address, request.as_bytes()).await.expect("an answer"));
        assert_eq!(answer.status, expected, "{line}: {}", String::from_utf8_lossy(&answer.body));
        assert!(!answer.code().is_empty(), "{line}");
    }
    assert!(service.is_well().await);
}

/// Resident memory of this process, in MiB.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system says");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_slow_connections_keep_nobody_out() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const SLOW: usize = 10_000;
    // Both ends of every connection are in this process, but the service keeps no more than its limit.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .expect("within the limit");
    let handles = limit.maximum.unwrap_or(u64::MAX);
    assert!(handles >= 12_000, "the system allows {handles} open files, this test needs 12,000");
    let service = Service::start().await;
    let viewer = service.reader(5);
    let before = memory();
    let mut slow = Vec::with_capacity(SLOW);
    for number in 0..SLOW {
        let mut stream = TcpStream::connect(service.address).await.expect("a connection is taken");
        // Some say nothing, some begin a head, some promise a body.
        let words: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /v1/viewer HTTP/1.1\r\nhost: x\r\nx-slow: ",
            _ => b"POST /v1/posts HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n{",
        };
        // One that was closed meanwhile is what this is about.
        _ = stream.write_all(words).await;
        slow.push(stream);
        if number % 500 == 0 {
            service.timeline(viewer, "following").await;
            service.post(viewer, "/v1/dismissals", json!({"module": "who-to-follow"})).await;
        }
    }
    assert!(service.is_well().await);
    service.timeline(viewer, "for_you").await;
    let grown = memory() - before;
    assert!(grown <= 300.0, "{grown:.0} MiB more with {SLOW} connections");
    // The oldest had to give way, and heard nothing.
    let mut byte = [0];
    let ended = tokio::time::timeout(HOUR, slow[0].read(&mut byte)).await.expect("an end");
    assert!(matches!(ended, Ok(0) | Err(_)), "closed without a word");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_handed_out_to_the_local_page_only_and_only_when_asked_for() {
    let quiet = Service::start().await;
    let page = [("x-maskrank-page", "1")];
    assert_eq!(quiet.ask_with("GET", "/demo/viewers", &page, b"").await.status, 404);
    assert_eq!(quiet.ask_with("POST", "/demo/tokens/1", &page, b"").await.status, 404);
    let demo = Service::with(Settings { demo: true, ..Settings::default() }).await;
    let offers = demo.ask_with("GET", "/demo/viewers", &page, b"").await;
    let viewer = offers.json()["viewers"][0]["id"].as_str().expect("an offer").to_owned();
    let path = format!("/demo/tokens/{viewer}");
    let granted = demo.ask_with("POST", &path, &page, b"").await.json();
    let field = format!("Bearer {}", granted["token"].as_str().expect("a token"));
    let me = demo.ask_with("GET", "/v1/viewer", &[("authorization", &field)], b"").await;
    assert_eq!(me.json()["id"], granted["viewer"]);
    assert_eq!(
        demo.ask_with("POST", &path, &[], b"").await.status,
        403,
        "another site's page cannot add the field"
    );
    let rebound = "POST /demo/tokens/1 HTTP/1.1\r\nhost: evil.example\r\nx-maskrank-page: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let answer = http::parse(&http::raw(demo.address, rebound.as_bytes()).await.expect("an answer"));
    assert_eq!(answer.status, 403, "a foreign name that leads here");
    assert_eq!(demo.ask_with("POST", "/demo/tokens/999999", &page, b"").await.status, 404);
}
