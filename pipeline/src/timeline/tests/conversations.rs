//! Replies under what they answer.

use super::{ids, plain, posts, shape, world_of};
use crate::domain::TimelineKind;
use crate::testing::{Answer, VIEWER, post, reply};
use crate::timeline::{Content, TimelineRequest};

#[tokio::test]
async fn a_reply_stands_under_its_root_and_parent_and_later_replies_stand_alone() {
    for kind in [TimelineKind::Following, TimelineKind::ForYou] {
        let world = world_of(plain(), 0, &[], Answer::Rows);
        let root = post(10, 90);
        let middle = reply(11, 80, &root);
        let parent = reply(12, 70, &middle);
        let focal = reply(13, 60, &parent);
        let other = reply(14, 75, &root);
        [&root, &middle, &parent, &focal, &other].into_iter().for_each(|post| world.stores.add(post, 5));
        let page = world.get(TimelineRequest { count: Some(50), ..TimelineRequest::new(kind, VIEWER) }).await;
        let module = page.entries().find_map(|entry| match &entry.content {
            Content::Module(module) => Some((entry, module)),
            _ => None,
        });
        let (entry, module) = module.expect("a conversation");
        assert_eq!(entry.entry_id, format!("home-conversation-{}", root.id));
        let metadata = module.conversation.as_ref().expect("metadata");
        assert!(metadata.enable_deduplication && metadata.all_post_ids.is_sorted());
        let mut all = ids(&page);
        let shown = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), shown, "{kind}: no post twice");
        if kind == TimelineKind::Following {
            let items: Vec<_> = module.items.iter().map(|item| item.entry_id.clone()).collect();
            let id = |post: &crate::domain::Post| format!("home-conversation-{}-post-{}", root.id, post.id);
            assert_eq!(items, [id(&root), id(&parent), id(&focal)], "root, parent, reply");
            assert_eq!(metadata.all_post_ids, [root.id, middle.id, parent.id, focal.id]);
            assert_eq!(shape(&page), ["cursor", "conversation", "post", "post", "cursor"]);
            assert_eq!(ids(&page)[3..], [other.id, middle.id], "what the module does not show");
        }
    }
}

#[tokio::test]
async fn a_conversation_with_somebody_muted_above_is_not_shown() {
    use crate::domain::stores::Relation;
    let world = world_of(plain(), 0, &[], Answer::Rows);
    let root = post(10, 90);
    let answer = reply(11, 60, &root);
    [&root, &answer].into_iter().for_each(|post| world.stores.add(post, 5));
    assert_eq!(ids(&world.first(TimelineKind::Following).await), [root.id, answer.id]);
    world.stores.relate(Relation::Mute, VIEWER.0, 10);
    assert!(posts(&world.first(TimelineKind::Following).await).is_empty());
}
