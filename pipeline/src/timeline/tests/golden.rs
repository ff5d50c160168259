//! The JSON of every timeline of the small world, word for word. `UPDATE_GENERATED=1` writes the files anew.

use std::path::PathBuf;

use super::{ALL, world_of};
use crate::config::PipelineConfig;
use crate::domain::stores::Relation;
use crate::domain::{Ad, UserId};
use crate::mixing::PromptText;
use crate::testing::{Answer, VIEWER, post, quote, reply, repost};
use crate::timeline::TimelineRequest;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/timeline/tests/golden").join(format!("{name}.json"))
}

#[tokio::test]
async fn every_timeline_is_written_as_before() {
    let mut config = PipelineConfig::default();
    config.mixing.prompts.messages =
        vec![PromptText { id: "hello".to_owned(), title: "Hello".to_owned(), ..PromptText::default() }];
    let ad = Ad { id: 5, advertiser: UserId(21), post: post(21, 2).id, bid: 1.0, ..Ad::default() };
    let world = world_of(config, 2, &[ad], Answer::Same);
    (20..25).for_each(|stranger| world.stores.relate(Relation::Follow, 10 + stranger % 2, stranger));
    world.stores.change(10, |user| user.verification.blue = true);
    let all = world.stores.all_posts();
    let of = |author: u64| all.iter().find(|post| post.author == UserId(author)).expect("a post");
    for post in [reply(12, 0, of(13)), repost(14, 0, of(20)), quote(15, 0, of(22)), reply(18, 0, of(19))] {
        world.stores.add(&post, 3);
    }
    for kind in ALL {
        let request = TimelineRequest {
            request_id: 4_611_686_018_427_387_904,
            count: Some(12),
            ..TimelineRequest::new(kind, VIEWER)
        };
        let timeline = world.get(request).await;
        let mut json = serde_json::to_string_pretty(&timeline).expect("plain data");
        json.push('\n');
        let file = file(kind.name());
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            std::fs::write(&file, &json).expect("the file can be written");
        }
        let written = std::fs::read_to_string(&file).expect("the file is there");
        assert!(written == json, "{} differs: UPDATE_GENERATED=1 writes it anew", file.display());
        let numbers = json.lines().filter(|line| line.contains("_id\": ") || line.contains("\"id\": "));
        numbers.for_each(|line| {
            assert!(line.contains('"') && !line.trim_end_matches(',').ends_with(char::is_numeric), "{line}")
        });
    }
}
