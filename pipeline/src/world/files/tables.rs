//! The tables: which columns make up which row.

use super::columns::{Field, Kind, RowReader, RowWriter, Shape};
use crate::domain::stores::{List, Relation, TieStrength};
use crate::domain::{
    Engagement, EngagementKind, Language, Media, Millis, Post, PostCounts, PostId, PostRef, SafetyLabels,
    UserId,
};
use crate::stores::RowProblem;
use crate::world::rows::{Ad, BrandSafety, PostRow, Topic};

/// A required field.
pub(super) const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, kind, shape: Shape::Required, meaning }
}

/// A field that may be null.
pub(super) const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, kind, shape: Shape::Optional, meaning }
}

/// A field with any number of values.
pub(super) const fn list(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field { name, kind, shape: Shape::List, meaning }
}

/// A table: its columns, and how a row is read from and written to them. Both go through the columns in order.
pub(super) trait Table {
    /// A row.
    type Row;
    /// The columns.
    const FIELDS: &'static [Field];

    /// Reads a row.
    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem>;

    /// Writes a row.
    fn write(value: &Self::Row, row: &mut RowWriter<'_>);
}

/// The file of a relation.
pub(super) fn relation_file(relation: Relation) -> &'static str {
    match relation {
        Relation::Follow => "follows",
        Relation::Block => "blocks",
        Relation::Mute => "mutes",
        Relation::RepostsOff => "reposts_off",
        Relation::Subscribe => "subscriptions",
    }
}

/// One of several names.
pub(super) fn one_of<T: Copy>(
    row: &mut RowReader<'_>,
    choices: &[T],
    name: impl Fn(T) -> &'static str,
    expected: &'static str,
) -> Result<T, RowProblem> {
    let field = row.field();
    let found = row.text()?;
    let choice = choices.iter().copied().find(|&choice| name(choice) == found);
    choice.ok_or_else(|| RowProblem::invalid(field, expected, found))
}

/// Communities and strengths side by side.
pub(super) fn communities(row: &mut RowReader<'_>) -> Result<Vec<(u32, f32)>, RowProblem> {
    let field = row.field();
    let numbers = row.ints();
    let strengths = row.floats();
    if numbers.len() != strengths.len() {
        return Err(RowProblem::invalid(field, "as many numbers as \"strengths\"", numbers.len()));
    }
    let number = |&number: &i64| {
        u32::try_from(number)
            .map_err(|_| RowProblem::invalid(field, "a community's number from 0 to 2^32 - 1", number))
    };
    numbers.iter().zip(strengths).map(|(community, &strength)| Ok((number(community)?, strength))).collect()
}

/// The tables `follows`, `blocks`, `mutes`, `reposts_off` and `subscriptions`.
pub(super) struct Relations;

impl Table for Relations {
    type Row = (UserId, UserId);
    const FIELDS: &'static [Field] =
        &[required("from", Kind::Id, "who follows, blocks, mutes, …"), required("to", Kind::Id, "whom")];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        Ok((row.id()?, row.id()?))
    }

    fn write((from, to): &Self::Row, row: &mut RowWriter<'_>) {
        row.id(*from).id(*to);
    }
}

/// The table `posts`.
pub(super) struct Posts;

impl Table for Posts {
    type Row = PostRow;
    const FIELDS: &'static [Field] = &[
        required("id", Kind::Id, "snowflake id"),
        required("author", Kind::Id, "who posted it; for a repost, who reposted"),
        optional(
            "created_at",
            Kind::Int,
            "milliseconds since 1970, which must be the id's time; by default the id's time",
        ),
        optional("text", Kind::Text, "the text; none for a repost"),
        optional("language", Kind::Text, "BCP 47 tag"),
        optional("in_reply_to", Kind::Id, "the post it answers"),
        optional("in_reply_to_author", Kind::Id, "who wrote that"),
        optional("repost_of", Kind::Id, "the post it passes on"),
        optional("repost_of_author", Kind::Id, "who wrote that"),
        optional("quotes", Kind::Id, "the post it quotes"),
        optional("quotes_author", Kind::Id, "who wrote that"),
        optional("conversation", Kind::Id, "first post of its conversation; by default itself"),
        optional("directed_at", Kind::Id, "the user whose name the text starts with"),
        list("mentions", Kind::Id, "users named in the text"),
        list("hashtags", Kind::Text, "without the sign, lower case"),
        list("urls", Kind::Text, "links"),
        optional("photos", Kind::Int, "number of photos, 0 to 255"),
        optional("video_ms", Kind::Int, "length of the video, when there is one"),
        optional("topic", Kind::Id, "the topic it was filed under"),
        optional("list", Kind::Id, "the list it belongs to"),
        optional("exclusive_author", Kind::Id, "whose subscribers alone may see it"),
        optional("is_adult", Kind::Flag, "adult media"),
        optional("is_graphic", Kind::Flag, "gore or violence"),
        optional("is_spam", Kind::Flag, "spam"),
        optional("do_not_amplify", Kind::Flag, "not to be recommended"),
        optional("favorites", Kind::Int, "likes before the first row of engagements"),
        optional("replies", Kind::Int, "replies before it"),
        optional("reposts", Kind::Int, "reposts before it"),
        optional("quote_count", Kind::Int, "quotes before it"),
        list("communities", Kind::Int, "communities it appeals to, ascending"),
        list("strengths", Kind::Float, "how strongly, positive"),
    ];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        let reference = |row: &mut RowReader<'_>| -> Result<Option<PostRef>, RowProblem> {
            let id: Option<PostId> = row.maybe_id();
            let field = row.field();
            match (id, row.maybe_id()) {
                (Some(id), Some(author)) => Ok(Some(PostRef { id, author })),
                (None, None) => Ok(None),
                (Some(_), None) => {
                    Err(RowProblem::invalid(field, "the author of the post that is named", "none"))
                }
                (None, Some(author)) => {
                    Err(RowProblem::invalid(field, "none, as no post is named", author.0))
                }
            }
        };
        let id: PostId = row.id()?;
        let post = Post {
            id,
            author: row.id()?,
            created_at: row.maybe_int().map_or(id.made_at(), Millis),
            text: row.maybe_text().unwrap_or_default().to_owned(),
            language: row.maybe_text().map_or(Language::UNKNOWN, Language::new),
            in_reply_to: reference(row)?,
            repost_of: reference(row)?,
            quotes: reference(row)?,
            conversation: row.maybe_id().unwrap_or(id),
            directed_at: row.maybe_id(),
            mentions: row.ids(),
            hashtags: row.texts(),
            urls: row.texts(),
            media: Media { photos: row.small()?, video_ms: row.maybe_small()? },
            topic: row.maybe_id(),
            list: row.maybe_id(),
            exclusive_author: row.maybe_id(),
            labels: SafetyLabels {
                adult: row.flag(),
                graphic: row.flag(),
                spam: row.flag(),
                do_not_amplify: row.flag(),
            },
        };
        let counts = PostCounts {
            favorites: row.small()?,
            replies: row.small()?,
            reposts: row.small()?,
            quotes: row.small()?,
        };
        Ok(PostRow { post, counts, communities: communities(row)? })
    }

    fn write(value: &Self::Row, row: &mut RowWriter<'_>) {
        let PostRow { post, counts, communities } = value;
        row.id(post.id).id(post.author).int(post.created_at.0).text(&post.text).text(post.language.as_str());
        for reference in [post.in_reply_to, post.repost_of, post.quotes] {
            row.maybe_id(reference.map(|to| to.id)).maybe_id(reference.map(|to| to.author));
        }
        row.maybe_id((post.conversation != post.id).then_some(post.conversation))
            .maybe_id(post.directed_at)
            .ids(&post.mentions)
            .texts(&post.hashtags)
            .texts(&post.urls)
            .int(post.media.photos)
            .maybe_int(post.media.video_ms)
            .maybe_id(post.topic)
            .maybe_id(post.list)
            .maybe_id(post.exclusive_author)
            .flag(post.labels.adult)
            .flag(post.labels.graphic)
            .flag(post.labels.spam)
            .flag(post.labels.do_not_amplify)
            .int(counts.favorites)
            .int(counts.replies)
            .int(counts.reposts)
            .int(counts.quotes)
            .ints(communities.iter().map(|entry| i64::from(entry.0)))
            .floats(communities.iter().map(|entry| entry.1));
    }
}

/// The table `engagements`. The author is the post's.
pub(super) struct Engagements;

impl Table for Engagements {
    type Row = Engagement;
    const FIELDS: &'static [Field] = &[
        required("user", Kind::Id, "who engaged"),
        required("post", Kind::Id, "with which post"),
        required(
            "kind",
            Kind::Text,
            "favorite, repost, reply, quote, click, profile_click, link_open, photo_expand, video_half, share, bookmark, dwell, negative_feedback or report",
        ),
        required("at", Kind::Int, "milliseconds since 1970, not after the world's present"),
    ];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        Ok(Engagement {
            user: row.id()?,
            post: row.id()?,
            author: UserId::default(),
            kind: one_of(row, &EngagementKind::ALL, EngagementKind::name, "a kind of engagement")?,
            at: Millis(row.int()?),
        })
    }

    fn write(value: &Self::Row, row: &mut RowWriter<'_>) {
        row.id(value.user).id(value.post).text(value.kind.name()).int(value.at.0);
    }
}

/// The table `ties`.
pub(super) struct Ties;

impl Table for Ties {
    type Row = (UserId, UserId, TieStrength);
    const FIELDS: &'static [Field] = &[
        required("viewer", Kind::Id, "whose tie"),
        required("author", Kind::Id, "to whom"),
        required("score", Kind::Float, "predicted strength, 0 to 1"),
        optional("favorites", Kind::Float, "likes given"),
        optional("replies", Kind::Float, "replies given"),
        optional("reposts", Kind::Float, "reposts and quotes given"),
        optional("mentions", Kind::Float, "mentions"),
        optional("clicks", Kind::Float, "posts opened"),
        optional("profile_visits", Kind::Float, "profile visits"),
        optional("active_days", Kind::Float, "days with any interaction"),
        optional("days_since_last", Kind::Float, "days since the last one"),
    ];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        let (viewer, author, score) = (row.id()?, row.id()?, row.float()?);
        let mut count = || row.maybe_float().unwrap_or_default();
        let strength = TieStrength {
            score,
            favorites: count(),
            replies: count(),
            reposts: count(),
            mentions: count(),
            clicks: count(),
            profile_visits: count(),
            active_days: count(),
            days_since_last: count(),
        };
        Ok((viewer, author, strength))
    }

    fn write((viewer, author, tie): &Self::Row, row: &mut RowWriter<'_>) {
        row.id(*viewer)
            .id(*author)
            .float(tie.score)
            .float(tie.favorites)
            .float(tie.replies)
            .float(tie.reposts);
        row.float(tie.mentions).float(tie.clicks).float(tie.profile_visits).float(tie.active_days);
        row.float(tie.days_since_last);
    }
}

/// The table `lists`.
pub(super) struct Lists;

impl Table for Lists {
    type Row = List;
    const FIELDS: &'static [Field] = &[
        required("id", Kind::Id, "snowflake id"),
        required("owner", Kind::Id, "who keeps it"),
        optional("name", Kind::Text, "its name"),
        list("members", Kind::Id, "whose posts it shows"),
        list("subscribers", Kind::Id, "who reads it"),
    ];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        Ok(List {
            id: row.id()?,
            owner: row.id()?,
            name: row.maybe_text().unwrap_or_default().to_owned(),
            members: row.ids(),
            subscribers: row.ids(),
        })
    }

    fn write(value: &Self::Row, row: &mut RowWriter<'_>) {
        row.id(value.id).id(value.owner).text(&value.name).ids(&value.members).ids(&value.subscribers);
    }
}

/// The table `topics`.
pub(super) struct Topics;

impl Table for Topics {
    type Row = Topic;
    const FIELDS: &'static [Field] =
        &[required("id", Kind::Id, "its id"), required("name", Kind::Text, "its name")];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        Ok(Topic { id: row.id()?, name: row.text()?.to_owned() })
    }

    fn write(value: &Self::Row, row: &mut RowWriter<'_>) {
        row.id(value.id).text(&value.name);
    }
}

/// The table `ads`.
pub(super) struct Ads;

impl Table for Ads {
    type Row = Ad;
    const FIELDS: &'static [Field] = &[
        required("id", Kind::Id, "its id"),
        required("advertiser", Kind::Id, "the user who pays"),
        required("post", Kind::Id, "the post that is shown"),
        required("bid", Kind::Float, "what an impression is worth; positive"),
        required("brand_safety", Kind::Text, "high, standard or low: next to which posts it may stand"),
        list("excluded_authors", Kind::Id, "next to whose posts it must not stand"),
        list("excluded_keywords", Kind::Text, "words next to which it must not stand"),
    ];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        Ok(Ad {
            id: row.id()?,
            advertiser: row.id()?,
            post: row.id()?,
            bid: row.float()?,
            brand_safety: one_of(row, &BrandSafety::ALL, BrandSafety::name, "high, standard or low")?,
            excluded_authors: row.ids(),
            excluded_keywords: row.texts(),
        })
    }

    fn write(value: &Self::Row, row: &mut RowWriter<'_>) {
        row.id(value.id).id(value.advertiser).id(value.post).float(value.bid).text(value.brand_safety.name());
        row.ids(&value.excluded_authors).texts(&value.excluded_keywords);
    }
}
