//! Filters by who stands behind a post, what it says and what it shows.

use super::*;

#[test]
fn avoided_accounts_go_as_posters_as_reposted_and_as_quoted_authors() {
    let bad = post(30, 60);
    let good = post(20, 60);
    let posts = [
        hydrated(&bad, None, None),
        hydrated(&repost(10, 5, &bad), Some(&bad), None),
        hydrated(&quote(10, 4, &bad), None, Some(&bad)),
        hydrated(&repost(11, 3, &quote(10, 4, &bad)), Some(&quote(10, 4, &bad)), Some(&bad)),
        hydrated(&repost(10, 2, &good), Some(&good), None),
        hydrated(&good, None, None),
    ];
    let plain = query(&[10, 11]);
    assert_eq!(kept(&AuthorVisibility, &plain, &posts), [0, 1, 2, 3, 4, 5]);
    type Set = fn(&mut Query) -> &mut Feature<crate::domain::IdSet<UserId>>;
    let sets: [Set; 3] = [|q| &mut q.facts.blocking, |q| &mut q.facts.blocked_by, |q| &mut q.facts.muting];
    for (number, set) in sets.into_iter().enumerate() {
        let mut query = plain.clone();
        *set(&mut query) = Feature::Value(users(&[30]));
        assert_eq!(kept(&AuthorVisibility, &query, &posts), [4, 5], "relation {number}");
        *set(&mut query) = Feature::Failed(None);
        assert!(kept(&AuthorVisibility, &query, &posts).is_empty(), "relation {number} not known");
    }
}

#[test]
fn withdrawn_and_protected_accounts_and_turned_off_reposts_go() {
    let original = post(20, 60);
    let mut posts = [
        hydrated(&post(10, 5), None, None),
        hydrated(&post(11, 5), None, None),
        hydrated(&post(21, 5), None, None),
        hydrated(&repost(12, 4, &original), Some(&original), None),
        hydrated(&post(12, 3), None, None),
        candidate(&post(22, 5)),
        candidate(&post(13, 5)),
    ];
    edit_author(&mut posts[0], |user| user.is_withdrawn = true);
    edit_author(&mut posts[1], |user| user.is_protected = true);
    edit_author(&mut posts[2], |user| user.is_protected = true);
    let mut query = query(&[10, 11, 12, 13]);
    query.facts.reposts_off = Feature::Value(users(&[12]));
    // 11 is protected but followed; 21 is not followed; 22 is a stranger of whom nothing is known.
    assert_eq!(kept(&AuthorVisibility, &query, &posts), [1, 4, 6]);
}

#[test]
fn muted_words_and_conversations_go_in_reposts_and_quotes_too() {
    let said = Post { text: "Spoilers for the Finale ahead".to_owned(), ..post(10, 60) };
    let tagged = Post { hashtags: vec!["finale".to_owned()], text: "look".to_owned(), ..post(13, 2) };
    let thread = post(14, 90);
    let posts = [
        hydrated(&said, None, None),
        hydrated(&repost(11, 5, &said), Some(&said), None),
        hydrated(&quote(12, 4, &said), None, Some(&said)),
        hydrated(&tagged, None, None),
        hydrated(&reply(15, 3, &thread), None, None),
        hydrated(&thread, None, None),
        hydrated(&post(16, 1), None, None),
    ];
    let mut query = query(&[]);
    for (keywords, conversations, expected) in [
        (&["the finale"][..], &[][..], &[3, 4, 5, 6][..]),
        (&["finale"], &[], &[4, 5, 6]),
        (&["final"], &[], &[0, 1, 2, 3, 4, 5, 6]),
        (&[], &[thread.id], &[0, 1, 2, 3, 6]),
        (&[], &[], &[0, 1, 2, 3, 4, 5, 6]),
    ] {
        let settings = ViewerSettings {
            muted_keywords: keywords.iter().map(|&keyword| keyword.to_owned()).collect(),
            muted_conversations: conversations.to_vec(),
            ..ViewerSettings::default()
        };
        query.facts.settings = Arc::new(settings).into();
        assert_eq!(kept(&MutedContent, &query, &posts), expected, "{keywords:?} {conversations:?}");
    }
}

#[test]
fn sensitive_media_goes_by_the_viewers_setting_and_out_of_network_always() {
    let labels = SafetyLabels { adult: true, ..SafetyLabels::default() };
    let adult = Post { labels, ..post(10, 60) };
    let spam = Post { labels: SafetyLabels { spam: true, ..SafetyLabels::default() }, ..post(16, 1) };
    let mut posts = [
        hydrated(&adult, None, None),
        hydrated(&repost(11, 5, &adult), Some(&adult), None),
        hydrated(&quote(12, 4, &adult), None, Some(&adult)),
        hydrated(&post(13, 3), None, None),
        hydrated(&post(14, 2), None, None),
        hydrated(&spam, None, None),
    ];
    edit_author(&mut posts[4], |user| user.is_adult = true);
    let mut query = query(&[]);
    assert_eq!(kept(&SensitiveMediaFilter, &query, &posts), [3, 4, 5], "not known is hidden");
    for (setting, expected) in
        [(SensitiveMedia::Hide, &[3, 4, 5][..]), (SensitiveMedia::Show, &[0, 1, 2, 3, 4, 5])]
    {
        let settings = ViewerSettings { sensitive_media: setting, ..ViewerSettings::default() };
        query.facts.settings = Arc::new(settings).into();
        assert_eq!(kept(&SensitiveMediaFilter, &query, &posts), expected, "{setting:?}");
    }
    assert_eq!(kept(&OutOfNetworkSafety, &query, &posts), [0, 1, 2, 3, 4, 5], "in network");
    posts.iter_mut().for_each(|post| post.in_network = Feature::Value(false));
    assert_eq!(kept(&OutOfNetworkSafety, &query, &posts), [3]);
}
