//! What viewers do: it is done as them, it is stored, and it shows.

use maskrank_pipeline::domain::stores::Relation;
use maskrank_pipeline::domain::{EngagementKind, Millis, PostId, UserId};
use serde_json::{Value, json};

use crate::harness::{Service, USERS, posts};

fn id(value: &Value) -> u64 {
    value.as_str().expect("ids are text").parse().expect("a number")
}

/// Somebody whom the viewer neither blocks nor follows, and who takes followers.
fn stranger(service: &Service, viewer: u64) -> u64 {
    let graph = &service.stores().graph;
    let fits = |other: &u64| {
        let (viewer, other) = (UserId(viewer), UserId(*other));
        let account = service.stores().users.get(other);
        other != viewer
            && account.is_some_and(|account| !account.is_withdrawn && !account.is_protected)
            && !graph.has(Relation::Follow, viewer, other)
            && !graph.has(Relation::Block, viewer, other)
            && !graph.has(Relation::Block, other, viewer)
    };
    (1..=u64::from(USERS)).find(fits).expect("a stranger")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_its_sender_s_and_reaches_followers() {
    let service = Service::start().await;
    let reader = service.reader(5);
    let author = stranger(&service, reader);
    service
        .post(
            reader,
            "/v1/relationships",
            json!({"relation": "follow", "target": author.to_string(), "holds": true}),
        )
        .await;
    let text = "Hello #Rust, see https://example.org/a.";
    let added = service.post(author, "/v1/posts", json!({"text": text, "language": "en-GB"})).await;
    let (post, _) = service.stores().posts.get(PostId(id(&added["id"]))).expect("stored");
    assert_eq!((post.author, post.text.as_str()), (UserId(author), text));
    assert_eq!(
        (post.hashtags.as_slice(), post.urls.as_slice()),
        (&["rust".to_owned()][..], &["https://example.org/a".to_owned()][..])
    );
    assert_eq!((post.conversation, post.language.as_str()), (post.id, "en"));
    for text in ["a\u{0}b", "\u{1b}[31m", "\u{85}"] {
        let refused = service.send(author, "/v1/posts", json!({"text": text})).await;
        assert_eq!(refused.code(), "invalid_request", "{text:?}: control characters are no text");
    }
    let following = service.timeline(reader, "following").await;
    assert!(
        posts(&following).iter().any(|shown| shown["id"] == added["id"]),
        "a follower sees it with the next request"
    );
    let reply = service.post(reader, "/v1/posts", json!({"text": "Yes", "in_reply_to": added["id"]})).await;
    let (reply, _) = service.stores().posts.get(PostId(id(&reply["id"]))).expect("stored");
    assert_eq!((reply.conversation, reply.directed_at), (post.id, Some(UserId(author))));
    let repost = service.post(reader, "/v1/posts", json!({"repost_of": added["id"]})).await;
    let again = service.post(author, "/v1/posts", json!({"repost_of": repost["id"]})).await;
    let (again, _) = service.stores().posts.get(PostId(id(&again["id"]))).expect("stored");
    assert_eq!(again.original_id(), post.id, "a repost of a repost passes on the original");
    let (_, counts) = service.stores().posts.get(post.id).expect("stored");
    assert_eq!((counts.replies, counts.reposts), (1, 2));
    let path = format!("/v1/posts/{}", post.id);
    let refused = service.ask("DELETE", &path, Some(reader), b"").await;
    assert_eq!(refused.code(), "forbidden", "only its author takes a post back");
    assert_eq!(service.ask("DELETE", &path, Some(author), b"").await.json(), json!({"recorded": 1}));
    assert_eq!(service.ask("DELETE", &path, Some(author), b"").await.status, 404);
    assert!(service.stores().posts.get(post.id).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn engagements_are_recorded_all_or_none_and_a_like_once() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    let shown = posts(&service.timeline(viewer, "following").await);
    let post = &shown[0]["post"]["id"];
    let like =
        json!({"engagements": [{"post": post, "kind": "favorite"}, {"post": post, "kind": "bookmark"}]});
    let before = service.stores().posts.get(PostId(id(post))).expect("stored").1.favorites;
    let known = |kind| {
        let of_viewer = service.stores().engagements.of_user(UserId(viewer), 1_000);
        of_viewer.iter().filter(|event| event.post == PostId(id(post)) && event.kind == kind).count()
    };
    let fresh = usize::from(known(EngagementKind::Favorite) == 0);
    assert_eq!(service.post(viewer, "/v1/engagements", like.clone()).await["recorded"], fresh + 1);
    assert_eq!(
        service.post(viewer, "/v1/engagements", like).await["recorded"],
        1,
        "the like is there already"
    );
    let after = service.stores().posts.get(PostId(id(post))).expect("stored").1.favorites;
    assert_eq!(after, before + u32::try_from(fresh).expect("small"));
    let bookmarks = known(EngagementKind::Bookmark);
    let half =
        json!({"engagements": [{"post": post, "kind": "bookmark"}, {"post": "1", "kind": "bookmark"}]});
    assert_eq!(service.send(viewer, "/v1/engagements", half).await.code(), "not_found");
    assert_eq!(known(EngagementKind::Bookmark), bookmarks, "none of it");
    let many = json!({"engagements": vec![json!({"post": post, "kind": "click"}); 101]});
    assert_eq!(service.send(viewer, "/v1/engagements", many).await.status, 400);
    assert_eq!(service.send(viewer, "/v1/engagements", json!({"engagements": []})).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_acts_with_the_next_request_and_hides_what_was_there() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    let author = |post: &Value| id(&post["post"]["author"]["id"]);
    let shown = posts(&service.timeline(viewer, "following").await);
    let blocked = author(&shown[0]);
    let theirs = shown[0]["post"]["id"].clone();
    service
        .post(
            viewer,
            "/v1/relationships",
            json!({"relation": "block", "target": blocked.to_string(), "holds": true}),
        )
        .await;
    for path in ["for_you", "following"] {
        let shown = posts(&service.timeline(viewer, path).await);
        assert!(shown.iter().all(|post| author(post) != blocked), "{path}");
        assert!(
            shown
                .iter()
                .all(|post| post["quoted"].is_null() || id(&post["quoted"]["author"]["id"]) != blocked)
        );
    }
    // Neither can act on what the other wrote, and neither learns that it is there.
    let like = json!({"engagements": [{"post": theirs, "kind": "favorite"}]});
    assert_eq!(service.send(viewer, "/v1/engagements", like).await.status, 404);
    let mine = service.post(viewer, "/v1/posts", json!({"text": "mine"})).await;
    let reply = json!({"text": "reply", "in_reply_to": mine["id"]});
    assert_eq!(service.send(blocked, "/v1/posts", reply).await.status, 404);
    let follow = json!({"relation": "follow", "target": viewer.to_string(), "holds": true});
    assert_eq!(service.send(blocked, "/v1/relationships", follow).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_came_with_a_timeline_acts_once_sent_back() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    let timeline = service.timeline(viewer, "for_you").await;
    let actions = timeline["feedback_actions"].as_object().expect("actions");
    let (_, fewer) =
        actions.iter().find(|(_, action)| action["kind"] == "see_fewer").expect("see fewer is offered");
    let token = fewer["token"].as_str().expect("a token");
    let before = service.stores().feedback.feedback(UserId(viewer), Millis(0)).len();
    let stranger = service.other(viewer);
    assert_eq!(
        service.send(stranger, "/v1/feedback", json!({"action": token})).await.status,
        400,
        "another's action"
    );
    assert_eq!(service.send(viewer, "/v1/feedback", json!({"action": &token[1..]})).await.status, 400);
    service.post(viewer, "/v1/feedback", json!({"action": token})).await;
    let feedback = service.stores().feedback.feedback(UserId(viewer), Millis(0));
    assert_eq!(feedback.len(), before + 1);
    let about = feedback.last().expect("just recorded").about;
    service.clock.advance(std::time::Duration::from_secs(60));
    let shown = posts(&service.timeline(viewer, "for_you").await);
    let author = |post: &Value| UserId(id(&post["post"]["author"]["id"]));
    assert!(shown.iter().all(|post| author(post) != about), "nothing of {about} with the next request");
    let undo = json!({"action": token, "undo": true});
    assert_eq!(service.send(stranger, "/v1/feedback", undo.clone()).await.status, 400, "another's action");
    assert_eq!(service.post(viewer, "/v1/feedback", undo.clone()).await["recorded"], 1);
    assert_eq!(service.post(viewer, "/v1/feedback", undo).await["recorded"], 0, "there is nothing left");
    assert_eq!(service.stores().feedback.feedback(UserId(viewer), Millis(0)).len(), before);
    for wrong in [
        json!({}),
        json!({"undo": true}),
        json!({"kind": "not_relevant", "about": stranger.to_string()}),
        json!({"kind": "post"}),
        json!({"action": token, "kind": "post", "about": "1"}),
        json!({"kind": "post", "about": viewer.to_string()}),
        json!({"kind": "hate", "about": "1"}),
    ] {
        assert_eq!(service.send(viewer, "/v1/feedback", wrong.clone()).await.status, 400, "{wrong}");
    }
    service.post(viewer, "/v1/feedback", json!({"kind": "favorite", "about": stranger.to_string()})).await;
    let undo = json!({"kind": "favorite", "about": stranger.to_string(), "undo": true});
    assert_eq!(service.post(viewer, "/v1/feedback", undo).await["recorded"], 1);
    assert_eq!(service.stores().feedback.feedback(UserId(viewer), Millis(0)).len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn impressions_and_dismissals_are_the_viewer_s_own() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    let other = service.other(viewer);
    let shown = posts(&service.timeline(viewer, "following").await);
    let seen: Vec<&Value> = shown.iter().take(3).map(|post| &post["post"]["id"]).collect();
    let mut with_unknown = seen.clone();
    let unknown = json!("1");
    with_unknown.push(&unknown);
    assert_eq!(service.post(viewer, "/v1/impressions", json!({"posts": with_unknown})).await["recorded"], 3);
    assert_eq!(service.stores().history.impressions(UserId(viewer), Millis(0), 10).len(), 3);
    assert!(service.stores().history.impressions(UserId(other), Millis(0), 10).is_empty());
    service.post(viewer, "/v1/dismissals", json!({"module": "who-to-follow"})).await;
    assert_eq!(service.stores().feedback.dismissals(UserId(viewer), Millis(0)).len(), 1);
    assert!(service.stores().feedback.dismissals(UserId(other), Millis(0)).is_empty());
    for module in ["", "Who To Follow", "x/y", "made-up", &"x".repeat(61)] {
        assert_eq!(
            service.send(viewer, "/v1/dismissals", json!({"module": module})).await.status,
            400,
            "{module}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_are_to_others_that_exist() {
    let service = Service::start().await;
    let viewer = service.reader(5);
    for (target, status) in [(viewer.to_string(), 400), ("999999999".to_owned(), 404), ("x".to_owned(), 400)]
    {
        let body = json!({"relation": "mute", "target": target, "holds": true});
        assert_eq!(service.send(viewer, "/v1/relationships", body).await.status, status, "{target}");
    }
    let other = stranger(&service, viewer);
    for holds in [true, true, false, false] {
        let body = json!({"relation": "mute", "target": other.to_string(), "holds": holds});
        service.post(viewer, "/v1/relationships", body).await;
        assert_eq!(service.stores().graph.has(Relation::Mute, UserId(viewer), UserId(other)), holds);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_takes_nothing_from_anybody() {
    let service = Service::start().await;
    let viewer = service.reader(20);
    let before = service.post(viewer, "/v1/posts", json!({"text": "before"})).await;
    let first = service.timeline(viewer, "for_you").await;
    let bottom = crate::harness::cursor(&first, "bottom").expect("a cursor");
    let now = maskrank_pipeline::domain::Clock::now(&*service.clock);
    service.clock.set(Millis(now.0 - 3_600_000));
    let after = service.post(viewer, "/v1/posts", json!({"text": "after"})).await;
    assert!(id(&after["id"]) > id(&before["id"]), "ids still rise");
    for path in ["for_you", "following", &format!("for_you?cursor={bottom}")] {
        service.timeline(viewer, path).await;
    }
    service.post(viewer, "/v1/impressions", json!({"posts": [after["id"]]})).await;
    assert!(service.is_well().await);
}
