//! Tables with one mistake each, and what must be said of it.

use super::{NOW, id};

/// (table, its text instead of the good one, what the message must say)
pub(super) fn bad_tables() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let (first, second) = (id(1), id(2));
    let reply = |to: u64, author: u64| {
        format!(
            "\n{{\"id\":\"{second}\",\"author\":\"2\",\"in_reply_to\":\"{to}\",\"in_reply_to_author\":\"{author}\"}}\n{{\"id\":\"{first}\",\"author\":\"1\"}}\n"
        )
    };
    let engagement = |user: u64, post: u64, kind: &str, at: i64| {
        format!("{{\"user\":\"{user}\",\"post\":\"{post}\",\"kind\":\"{kind}\",\"at\":{at}}}\n")
    };
    vec![
        (
            "posts",
            format!(
                "{{\"id\":\"{first}\",\"author\":\"1\",\"in_reply_to\":\"{first}\",\"in_reply_to_author\":\"1\"}}\n"
            ),
            vec!["row 1", "\"in_reply_to\"", "an older post"],
        ),
        (
            // Two that answer each other.
            "posts",
            format!(
                "{{\"id\":\"{second}\",\"author\":\"2\",\"in_reply_to\":\"{first}\",\"in_reply_to_author\":\"1\"}}\n\
                 {{\"id\":\"{first}\",\"author\":\"1\",\"in_reply_to\":\"{second}\",\"in_reply_to_author\":\"2\"}}\n"
            ),
            vec!["row 2", "\"in_reply_to\"", "an older post"],
        ),
        (
            "users",
            "{\"id\":\"1\"}\n".into(),
            vec!["users.jsonl row 1", "\"screen_name\"", "expected a text, found none"],
        ),
        (
            "users",
            "{\"id\":\"-1\",\"screen_name\":\"x\"}".into(),
            vec!["row 1", "\"id\"", "expected an id, found \"-1\""],
        ),
        (
            "users",
            "{\"id\":18446744073709551615,\"screen_name\":\"x\"}".into(),
            vec!["row 1", "\"id\"", "an id"],
        ),
        (
            "users",
            "{\"id\":\"1\",\"screen_name\":7}".into(),
            vec!["row 1", "\"screen_name\"", "expected a text, found 7"],
        ),
        (
            "users",
            "{\"id\":\"1\",\"screen_name\":\"a\",\"followers\":-3}".into(),
            vec!["row 1", "\"followers\"", "-3"],
        ),
        (
            "users",
            "{\"id\":\"1\",\"screen_name\":\"a\",\"sensitive_media\":\"maybe\"}".into(),
            vec!["row 1", "\"sensitive_media\"", "hide or show", "maybe"],
        ),
        (
            "users",
            "{\"id\":\"1\",\"screen_name\":\"a\",\"languages\":\"en\"}".into(),
            vec!["row 1", "\"languages\"", "expected a list"],
        ),
        (
            "users",
            "{\"id\":\"1\",\"screen_name\":\"a\",\"screename\":\"b\"}".into(),
            vec!["users.jsonl", "\"screename\"", "row 1", "no such column"],
        ),
        (
            "users",
            "{\"id\":\"1\",\"screen_name\":\"a\"}\n\n{\"id\":\"1\",\"screen_name\":\"b\"}".into(),
            vec!["row 3", "\"id\"", "user 1 is there already"],
        ),
        ("users", "{\"id\":\"1\",".into(), vec!["users.jsonl row 1", "no JSON object"]),
        ("users", "[1]".into(), vec!["row 1", "no JSON object"]),
        (
            "follows",
            "{\"from\":\"1\",\"to\":\"99\"}".into(),
            vec!["follows.jsonl row 1", "\"to\"", "there is no user 99"],
        ),
        ("follows", "{\"from\":\"1\",\"to\":\"1\"}".into(), vec!["row 1", "\"to\"", "another user"]),
        (
            "follows",
            "{\"from\":\"1\",\"to\":\"2\"}\n{\"from\":\"1\",\"to\":\"2\"}".into(),
            vec!["follows.jsonl", "\"to\"", "users 1 and 2 is there already"],
        ),
        (
            "embeddings",
            "{\"user\":\"1\",\"follow\":[1,2]}\n{\"user\":\"2\",\"follow\":[1]}".into(),
            vec!["row 2", "\"follow\"", "1 numbers"],
        ),
        (
            "embeddings",
            "{\"user\":\"1\",\"communities\":[1,2],\"strengths\":[1]}".into(),
            vec!["row 1", "\"communities\""],
        ),
        (
            "embeddings",
            "{\"user\":\"1\",\"communities\":[2,1],\"strengths\":[1,1]}".into(),
            vec!["row 1", "ascending"],
        ),
        (
            "embeddings",
            "{\"user\":\"1\",\"communities\":[2],\"strengths\":[0]}".into(),
            vec!["row 1", "\"strengths\"", "positive"],
        ),
        (
            "embeddings",
            "{\"user\":\"1\",\"follow\":[1]}\n{\"user\":\"1\",\"follow\":[1]}".into(),
            vec!["row 2", "\"user\"", "already"],
        ),
        (
            "lists",
            "{\"id\":\"7\",\"owner\":\"1\",\"members\":[\"2\",\"9\"]}".into(),
            vec!["lists.jsonl row 1", "\"members\"", "no user 9"],
        ),
        (
            "lists",
            "{\"id\":\"7\",\"owner\":\"1\"}\n{\"id\":\"7\",\"owner\":\"2\"}".into(),
            vec!["row 2", "list 7 is there already"],
        ),
        (
            "topics",
            "{\"id\":\"4\",\"name\":\"a\"}\n{\"id\":\"4\",\"name\":\"b\"}".into(),
            vec!["row 2", "topic 4 is there already"],
        ),
        ("posts", reply(12_345, 1), vec!["posts.jsonl row 2", "\"in_reply_to\"", "there is no post 12345"]),
        ("posts", reply(first, 2), vec!["row 2", "\"in_reply_to\"", "the author of the post that is named"]),
        (
            "posts",
            format!("{{\"id\":\"{first}\",\"author\":\"3\"}}"),
            vec!["row 1", "\"author\"", "no user 3"],
        ),
        (
            "posts",
            format!("{{\"id\":\"{first}\",\"author\":\"1\",\"topic\":\"5\"}}"),
            vec!["row 1", "\"topic\"", "no topic 5"],
        ),
        (
            "posts",
            format!("{{\"id\":\"{first}\",\"author\":\"1\",\"list\":\"5\"}}"),
            vec!["row 1", "\"list\"", "no list 5"],
        ),
        (
            "posts",
            format!("{{\"id\":\"{first}\",\"author\":\"1\",\"created_at\":5}}"),
            vec!["row 1", "\"created_at\"", "the time in \"id\""],
        ),
        (
            "posts",
            format!("{{\"id\":\"{first}\",\"author\":\"1\",\"photos\":256}}"),
            vec!["row 1", "\"photos\"", "256"],
        ),
        (
            "posts",
            format!("{{\"id\":\"{first}\",\"author\":\"1\",\"quotes\":\"5\"}}"),
            vec!["row 1", "\"quotes_author\""],
        ),
        (
            "posts",
            format!("{{\"id\":\"{first}\",\"author\":\"1\"}}\n{{\"id\":\"{first}\",\"author\":\"2\"}}"),
            vec!["row 2", "\"id\"", "is there already"],
        ),
        (
            "engagements",
            engagement(1, 5, "favorite", NOW.0),
            vec!["engagements.jsonl row 1", "\"post\"", "no post 5"],
        ),
        ("engagements", engagement(8, first, "favorite", NOW.0), vec!["row 1", "\"user\"", "no user 8"]),
        ("engagements", engagement(1, first, "love", NOW.0), vec!["row 1", "\"kind\"", "love"]),
        (
            "engagements",
            engagement(1, first, "click", NOW.0 + 1),
            vec!["row 1", "\"at\"", "before the world's present"],
        ),
        (
            "ties",
            "{\"viewer\":\"1\",\"author\":\"2\",\"score\":1.5}".into(),
            vec!["ties.jsonl row 1", "\"score\"", "1.5"],
        ),
        (
            "ties",
            "{\"viewer\":\"1\",\"author\":\"2\",\"score\":1,\"clicks\":-1}".into(),
            vec!["row 1", "\"clicks\"", "-1"],
        ),
        (
            "ads",
            format!(
                "{{\"id\":\"1\",\"advertiser\":\"9\",\"post\":\"{first}\",\"bid\":1,\"brand_safety\":\"low\"}}"
            ),
            vec!["ads.jsonl row 1", "\"advertiser\"", "no user 9"],
        ),
        (
            "ads",
            format!(
                "{{\"id\":\"1\",\"advertiser\":\"1\",\"post\":\"{first}\",\"bid\":0,\"brand_safety\":\"low\"}}"
            ),
            vec!["row 1", "\"bid\"", "positive"],
        ),
    ]
}
