//! What stands between the posts.

use std::time::Duration;

use super::{World, ids, plain, posts, shape, world, world_of};
use crate::config::PipelineConfig;
use crate::domain::stores::{PostStore, Relation};
use crate::domain::{Ad, BrandSafety, DeviceContext, Platform, PostId, TimelineKind, UserId};
use crate::mixing::{PromptForm, PromptText};
use crate::testing::{Answer, VIEWER, hours, post, query, users};
use crate::timeline::{
    Client, Content, CursorKind, Display, Instruction, ItemContent, Timeline, TimelineRequest,
};

/// Ads of strangers' newest posts, the highest bid first.
fn ads_of(authors: impl IntoIterator<Item = u64>) -> Vec<Ad> {
    let ad = |author: u64| Ad {
        id: author,
        advertiser: UserId(author),
        post: post(author, 1 + author % 10).id,
        bid: 100.0 - author as f32,
        ..Ad::default()
    };
    authors.into_iter().map(ad).collect()
}

fn with_ads() -> PipelineConfig {
    let mut config = plain();
    config.mixing.ads.interval_ms = 3_600_000;
    config
}

#[tokio::test]
async fn ads_stand_between_posts_of_for_you_and_following_and_come_again_only_later() {
    for kind in [TimelineKind::ForYou, TimelineKind::Following] {
        let world = world_of(with_ads(), 5, &ads_of(20..30), Answer::Rows);
        let plain = world_of(plain(), 5, &[], Answer::Rows);
        let page = world.first(kind).await;
        let shape = shape(&page);
        let places: Vec<usize> = (0..shape.len()).filter(|&place| shape[place] == "ad").collect();
        assert!(places.len() >= 5, "{kind}: {shape:?}");
        for &place in &places {
            assert_eq!((shape[place - 1], shape[place + 1]), ("post", "post"), "{kind}: never first or last");
        }
        if kind == TimelineKind::Following {
            assert_eq!(ids(&page), ids(&plain.first(kind).await), "posts keep their places");
            assert_eq!(places[..2], [4, 8], "three posts from one to the next");
        } else {
            assert_eq!(shape.len(), 35 + 2, "35 places for posts and ads");
        }
        let shown = |timeline: &Timeline| -> Vec<UserId> {
            let ads = timeline.entries().filter_map(|entry| match &entry.content {
                Content::Ad(ad) => Some(ad.advertiser.id),
                _ => None,
            });
            ads.collect()
        };
        let first = shown(&page);
        assert!(first.iter().all(|advertiser| !shown(&page)[..0].contains(advertiser)));
        let cursor = page.cursor(CursorKind::Bottom).expect("a cursor");
        let older = world.get(TimelineRequest::new(kind, VIEWER).at(cursor)).await;
        assert!(
            shown(&older).iter().all(|advertiser| !first.contains(advertiser)),
            "within the hour no ad again"
        );
        world.clock.advance(hours(2));
        assert_eq!(shown(&world.first(kind).await)[0], first[0]);
    }
}

#[tokio::test]
async fn ads_avoid_risky_posts_named_authors_and_words_and_blocked_advertisers() {
    let mut ads = ads_of(20..24);
    ads[0].excluded_authors = (10..20).map(UserId).collect();
    ads[1].excluded_keywords = vec!["post of".to_owned()];
    ads[2].brand_safety = BrandSafety::Low;
    let world = world_of(with_ads(), 0, &ads, Answer::Rows);
    world.stores.relate(Relation::Mute, VIEWER.0, 23);
    for author in 20..24 {
        world.stores.add(&post(author, 1 + author % 10), 0);
    }
    for place in 0..12 {
        let mut risky = post(10 + place % 10, 20 + place);
        // Low risk everywhere, and every other one adult.
        risky.labels.do_not_amplify = true;
        risky.labels.spam = place % 2 == 1;
        world.stores.add(&risky, 0);
    }
    let page = world.first(TimelineKind::Following).await;
    assert!(!shape(&page).contains(&"ad"), "none of the four suits: {:?}", shape(&page));
    for place in 0..8 {
        world.stores.add(&post(10 + place, 120 + place).with_text("something else"), 0);
    }
    let page = world.first(TimelineKind::Following).await;
    let shown: Vec<_> = page
        .entries()
        .filter_map(|entry| match &entry.content {
            Content::Ad(ad) => Some((ad.advertiser.id.0, ad.disclosure)),
            _ => None,
        })
        .collect();
    assert_eq!(
        shown,
        [(21, "Promoted"), (22, "Promoted")],
        "where posts are safe, those that no rule excludes"
    );
}

impl crate::domain::Post {
    fn with_text(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }
}

/// Followed accounts follow strangers; 20 to 25 are creators.
fn with_people(config: PipelineConfig) -> World {
    let world = world_of(config, 5, &[], Answer::Rows);
    for stranger in 20..28 {
        (10..=stranger - 10).for_each(|friend| world.stores.relate(Relation::Follow, friend, stranger));
    }
    (20..25).for_each(|creator| world.stores.change(creator, |user| user.is_creator = true));
    world
}

fn people(timeline: &Timeline, component: &str) -> Vec<u64> {
    let modules = timeline.entries().filter_map(|entry| match &entry.content {
        Content::Module(module) if module.client_event.component == component => Some(module),
        _ => None,
    });
    modules
        .flat_map(|module| &module.items)
        .filter_map(|item| match &item.content {
            ItemContent::User { user, .. } => Some(user.id.0),
            ItemContent::Post(_) => None,
        })
        .collect()
}

#[tokio::test]
async fn accounts_to_follow_come_at_their_place_once_an_interval_and_never_the_same() {
    let mut config = plain();
    config.mixing.people.follow = true;
    config.mixing.people.max_accounts = 3;
    for kind in [TimelineKind::ForYou, TimelineKind::Following] {
        let world = with_people(config.clone());
        world.stores.relate(Relation::Mute, VIEWER.0, 26);
        let mut query = query(&(10..20).collect::<Vec<_>>());
        query.facts.muting = crate::domain::Feature::Value(users(&[26]));
        let accounts = &config.fetch.recommended_authors.accounts;
        let known = crate::sources::recommend_accounts(&world.stores.stores(), accounts, &query, 100);
        let known: Vec<u64> = known.iter().map(|account| account.user.0).collect();
        assert!(known.len() >= 6 && !known.contains(&26), "{known:?}");
        let page = world.first(kind).await;
        assert_eq!(shape(&page)[1 + 5], "who_to_follow", "behind five posts");
        assert_eq!(people(&page, "who_to_follow"), known[..3], "the best first, nobody muted");
        assert_eq!(people(&world.first(kind).await, "who_to_follow"), [] as [u64; 0], "within the interval");
        let other = Client { platform: Platform::Ios, ..Client::default() };
        let elsewhere =
            world.get(TimelineRequest { client: other, ..TimelineRequest::new(kind, VIEWER) }).await;
        assert_eq!(people(&elsewhere, "who_to_follow"), known[..3], "another device has its own interval");
        world.clock.advance(hours(30) + Duration::from_millis(1));
        assert_eq!(people(&world.first(kind).await, "who_to_follow"), known[3..6], "others than before");
    }
}

#[tokio::test]
async fn a_dismissed_module_stays_away_for_a_week() {
    let mut config = plain();
    config.mixing.people.follow = true;
    config.mixing.people.max_accounts = 3;
    let world = with_people(config);
    let page = world.first(TimelineKind::Following).await;
    let key = page.entries().find_map(|entry| match &entry.content {
        Content::Module(module) if module.display == Display::Vertical => module.feedback.first(),
        _ => None,
    });
    let token = &page.feedback_actions[key.expect("a module that can be dismissed")].token;
    world.home.act(VIEWER, token).expect("stored");
    world.clock.advance(hours(7 * 24 - 1));
    assert!(people(&world.first(TimelineKind::Following).await, "who_to_follow").is_empty());
    world.clock.advance(hours(1));
    assert!(!people(&world.first(TimelineKind::Following).await, "who_to_follow").is_empty());
}

#[tokio::test]
async fn a_module_of_too_few_accounts_is_dropped() {
    let mut config = plain();
    config.mixing.people.follow = true;
    config.mixing.people.max_accounts = 2;
    let world = with_people(config);
    assert!(people(&world.first(TimelineKind::ForYou).await, "who_to_follow").is_empty());
}

#[tokio::test]
async fn fixed_positions_push_each_other_down_as_documented() {
    let mut config = plain();
    config.mixing.people.follow = true;
    config.mixing.people.subscribe = true;
    config.mixing.previews.enabled = true;
    config.mixing.ads.for_you = false;
    config.mixing.prompts.messages =
        vec![PromptText { id: "hello".to_owned(), title: "Hello".to_owned(), ..PromptText::default() }];
    let world = with_people(config);
    world.stores.change(17, |user| user.is_creator = true);
    let mut teaser = post(17, 40).with_text(&"long enough to make somebody curious ".repeat(5));
    teaser.exclusive_author = Some(UserId(17));
    world.stores.add(&teaser, 1);
    let page = world.first(TimelineKind::ForYou).await;
    let shape = shape(&page);
    // Preview at 3, accounts to follow at 5, to subscribe to at 7, then the prompt at 0 above them all.
    for (kind, place) in [("prompt", 0), ("preview", 4), ("who_to_follow", 6), ("who_to_subscribe", 8)] {
        assert_eq!(shape[1 + place], kind, "{shape:?}");
    }
    let preview = page.entries().find_map(|entry| match &entry.content {
        Content::Preview(post) => Some(post),
        _ => None,
    });
    let text = &preview.expect("a preview").post.text;
    assert_eq!(text.chars().count(), 81, "eighty characters and an ellipsis: {text}");
    assert!(posts(&page).iter().all(|post| post.id != teaser.id), "the post itself is for subscribers");
    let again = world.first(TimelineKind::ForYou).await;
    assert!(
        again.entries().all(|entry| !matches!(entry.content, Content::Preview(_))),
        "for two hours no other"
    );
    let prompt = page.entries().find_map(|entry| match &entry.content {
        Content::Prompt(prompt) => prompt.feedback.first(),
        _ => None,
    });
    world.home.act(VIEWER, &page.feedback_actions[prompt.expect("a prompt")].token).expect("stored");
    let dismissed = world.first(TimelineKind::ForYou).await;
    assert!(dismissed.entries().all(|entry| !matches!(entry.content, Content::Prompt(_))));
}

#[tokio::test]
async fn covers_and_pills_are_instructions_of_their_own() {
    let mut config = plain();
    config.mixing.prompts.messages = vec![PromptText {
        id: "new-here".to_owned(),
        form: PromptForm::HalfCover,
        timelines: vec!["following".to_owned()],
        ..PromptText::default()
    }];
    let world = world_of(config, 5, &[], Answer::Rows);
    let first = world.first(TimelineKind::Following).await;
    assert!(
        matches!(&first.instructions[..], [Instruction::AddEntries { .. }, Instruction::ShowCover { cover }] if !cover.is_full)
    );
    assert!(matches!(
        &world.first(TimelineKind::ForYou).await.instructions[..],
        [Instruction::AddEntries { .. }]
    ));
    let top = first.cursor(CursorKind::Top).expect("a cursor").to_owned();
    let newer = |context| TimelineRequest {
        context,
        ..TimelineRequest::new(TimelineKind::Following, VIEWER).at(top.clone())
    };
    world.clock.advance(hours(1));
    let alert = |timeline: Timeline| {
        timeline.instructions.into_iter().find_map(|instruction| match instruction {
            Instruction::ShowAlert { alert } => Some(alert),
            _ => None,
        })
    };
    assert_eq!(alert(world.get(newer(DeviceContext::Auto)).await), None, "no pill without a new post");
    for place in 0..4 {
        let mut new = post(10 + place.min(2), 0);
        new.id = PostId(PostId::at(crate::testing::NOW + hours(1)).0 - 50 + place);
        new.created_at = new.id.made_at();
        world.stores.add(&new, 0);
    }
    let pill = alert(world.get(newer(DeviceContext::Auto)).await).expect("a pill");
    assert_eq!((pill.trigger_delay_ms, pill.display_duration_ms, pill.text), (240_000, -1, "posted"));
    assert_eq!(pill.users.iter().map(|user| user.id.0).collect::<Vec<_>>(), [12, 11, 10]);
    assert_eq!(
        alert(world.get(newer(DeviceContext::ManualRefresh)).await).expect("a pill").trigger_delay_ms,
        0
    );
    assert_eq!(alert(world.get(newer(DeviceContext::PullToRefresh)).await), None);
    assert_eq!(alert(world.first(TimelineKind::Following).await), None, "not on a first page");
}

#[tokio::test]
async fn a_notifications_post_stands_first_and_once() {
    let world = world();
    let all = world.first(TimelineKind::ForYou).await;
    let wanted = ids(&all)[9];
    let stranger =
        world.stores.all_posts().into_iter().rfind(|post| post.author == UserId(20)).expect("a post").id;
    for id in [wanted, stranger] {
        let request =
            TimelineRequest { push_to_home: Some(id), ..TimelineRequest::new(TimelineKind::ForYou, VIEWER) };
        let page = world.get(request).await;
        assert_eq!(ids(&page).iter().filter(|&&shown| shown == id).count(), 1);
        assert_eq!(ids(&page)[0], id);
        let reason = posts(&page)[0].social_context.as_ref().map(|context| context.kind);
        assert_eq!(reason, Some(crate::timeline::ContextKind::Notification));
    }
    world.stores.relate(Relation::Block, 20, VIEWER.0);
    let request = TimelineRequest {
        push_to_home: Some(stranger),
        ..TimelineRequest::new(TimelineKind::ForYou, VIEWER)
    };
    assert!(!ids(&world.get(request).await).contains(&stranger), "not even by a notification");
}

#[tokio::test]
async fn an_edited_post_replaces_the_version_that_the_client_has_once() {
    for kind in [TimelineKind::ForYou, TimelineKind::Following] {
        let world = world();
        let first = world.first(kind).await;
        let old = ids(&first)[2];
        let (was, _) = PostStore::get(&*world.stores, old).expect("there");
        let newest = crate::domain::Post { id: PostId(old.0 + 1), ..(*was).clone() }.with_text("mended");
        world.stores.edit(old, newest.clone()).expect("kept");
        let cursor = first.cursor(CursorKind::Bottom).expect("a cursor");
        let request = || TimelineRequest { count: Some(5), ..TimelineRequest::new(kind, VIEWER).at(cursor) };
        let next = world.get(request()).await;
        let Instruction::ReplaceEntry { entry_id_to_replace, entry } = &next.instructions[0] else {
            panic!("{kind}: the replacement comes first: {:?}", next.instructions)
        };
        assert_eq!(*entry_id_to_replace, format!("post-{old}"));
        let Content::Post(post) = &entry.content else { panic!("a post") };
        assert_eq!((post.id, post.post.text.as_str()), (newest.id, "mended"));
        let last = world.get(request()).await;
        assert!(
            !last.instructions.iter().any(|i| matches!(i, Instruction::ReplaceEntry { .. })),
            "said once"
        );
    }
}

#[tokio::test]
async fn without_ranked_posts_for_you_falls_back_to_the_newest_and_says_so() {
    let mut config = plain();
    config.fetch.in_network.max_authors = 0;
    let world = world_of(config, 5, &[], Answer::Rows);
    let request = || TimelineRequest { count: Some(8), ..TimelineRequest::new(TimelineKind::ForYou, VIEWER) };
    let page = world.get(request()).await;
    assert!(page.is_fallback);
    let following = world
        .get(TimelineRequest { count: Some(8), ..TimelineRequest::new(TimelineKind::Following, VIEWER) })
        .await;
    assert_eq!(ids(&page), ids(&following));
    assert!(!world_of(plain(), 5, &[], Answer::Rows).get(request()).await.is_fallback);
    let failing = world_of(plain(), 5, &[], Answer::Fails).home.timeline(request()).await.expect("survives");
    assert!(failing.is_fallback && failing.missing == ["model"], "{:?}", failing.missing);
    assert_eq!(ids(&failing).len(), 8);
}

#[tokio::test]
async fn a_fresh_start_clears_and_navigates_where_configured() {
    let mut config = plain();
    config.mixing.client.clear_cache_contexts = vec![DeviceContext::PullToRefresh];
    config.mixing.client.navigation = true;
    let world = world_of(config, 5, &[], Answer::Rows);
    let of = async |context, kind| {
        let request = TimelineRequest { context, ..TimelineRequest::new(kind, VIEWER) };
        world.get(request).await.instructions
    };
    let pulled = of(DeviceContext::PullToRefresh, TimelineKind::ForYou).await;
    assert!(matches!(&pulled[..], [Instruction::ClearCache { .. }, Instruction::AddEntries { .. }]));
    let launched = of(DeviceContext::Launch, TimelineKind::ForYou).await;
    assert!(matches!(
        &launched[..],
        [Instruction::Navigation { start_at_top: true }, Instruction::AddEntries { .. }]
    ));
    let following = of(DeviceContext::PullToRefresh, TimelineKind::Following).await;
    assert!(matches!(&following[..], [Instruction::AddEntries { .. }]));
}
