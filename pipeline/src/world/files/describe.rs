//! The tables as documentation.

use std::fmt::Write as _;

use super::columns::Shape;
use super::tables::{Ads, Engagements, Lists, Posts, Relations, Table, Ties, Topics};
use super::tables_users::{Embeddings, Users};

/// The tables as Markdown, for the documentation.
pub fn describe() -> String {
    let tables = [
        ("users", "one row for each account; the only file that must be there", Users::FIELDS),
        ("follows, blocks, mutes, reposts_off, subscriptions", "one row for each pair", Relations::FIELDS),
        ("embeddings", "at most one row for each user", Embeddings::FIELDS),
        ("lists", "one row for each list", Lists::FIELDS),
        ("topics", "one row for each topic", Topics::FIELDS),
        ("posts", "one row for each post, in any order", Posts::FIELDS),
        ("engagements", "one row for each engagement, fastest in order of time", Engagements::FIELDS),
        ("ties", "at most one row for each viewer and author", Ties::FIELDS),
        ("ads", "one row for each ad", Ads::FIELDS),
    ];
    let mut out = String::new();
    for (name, rows, fields) in tables {
        // Writing to a string does not fail.
        _ = writeln!(out, "### {name}\n\n{rows}\n\n| column | value | meaning |\n|---|---|---|");
        for field in fields {
            let value = match field.shape {
                Shape::Required => field.kind.name().to_owned(),
                Shape::Optional => format!("{}, or none", field.kind.name()),
                Shape::List => format!("list, each {}", field.kind.name()),
            };
            _ = writeln!(out, "| `{}` | {value} | {} |", field.name, field.meaning);
        }
        out.push('\n');
    }
    out
}
