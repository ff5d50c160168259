//! The tables of users and their embeddings.

use super::columns::{Field, Kind, RowReader, RowWriter};
use super::tables::{Table, communities, list, one_of, optional, required};
use crate::domain::{
    Language, Millis, SensitiveMedia, User, UserId, Verification, ViewerSettings, ViewerState,
};
use crate::stores::RowProblem;
use crate::world::rows::UserEmbeddingRow;

/// The table `users`: accounts with their settings.
pub(super) struct Users;

/// All states with their names in files.
const STATES: [(ViewerState, &str); 9] = [
    (ViewerState::NearZero, "near_zero"),
    (ViewerState::New, "new"),
    (ViewerState::VeryLight, "very_light"),
    (ViewerState::Light, "light"),
    (ViewerState::MediumNonTweeter, "medium_non_tweeter"),
    (ViewerState::MediumTweeter, "medium_tweeter"),
    (ViewerState::HeavyNonTweeter, "heavy_non_tweeter"),
    (ViewerState::HeavyTweeter, "heavy_tweeter"),
    (ViewerState::Unknown, "unknown"),
];

fn sensitive_name(choice: SensitiveMedia) -> &'static str {
    match choice {
        SensitiveMedia::Hide => "hide",
        SensitiveMedia::Show => "show",
    }
}

impl Table for Users {
    type Row = (User, ViewerSettings);
    const FIELDS: &'static [Field] = &[
        required("id", Kind::Id, "snowflake id"),
        required("screen_name", Kind::Text, "unique name, without the sign"),
        optional("name", Kind::Text, "the name it shows"),
        optional("created_at", Kind::Int, "milliseconds since 1970; by default the id's time"),
        optional("followers", Kind::Int, "how many accounts follow it"),
        optional("following", Kind::Int, "how many accounts it follows"),
        optional("posts", Kind::Int, "how many posts it has written"),
        optional("reputation", Kind::Float, "standing in the follow graph, 0 to 100"),
        optional("language", Kind::Text, "BCP 47 tag"),
        optional("country", Kind::Text, "ISO 3166 code, lower case"),
        optional("is_verified_blue", Kind::Flag, "pays for a check mark"),
        optional("is_verified_gold", Kind::Flag, "a business"),
        optional("is_verified_gray", Kind::Flag, "a government"),
        optional("is_verified_legacy", Kind::Flag, "was verified under the old rules"),
        optional("is_creator", Kind::Flag, "in the creators' programme"),
        optional("is_protected", Kind::Flag, "only approved followers see its posts"),
        optional("is_adult", Kind::Flag, "mostly posts adult media"),
        optional("is_withdrawn", Kind::Flag, "suspended or closed"),
        optional("is_support", Kind::Flag, "answers customers automatically"),
        optional("sensitive_media", Kind::Text, "hide (default) or show"),
        list("muted_keywords", Kind::Text, "words and phrases it does not want to see"),
        list("muted_conversations", Kind::Id, "conversations it has left; they need not be stored any more"),
        list("languages", Kind::Text, "BCP 47 tags of the languages it reads"),
        optional(
            "state",
            Kind::Text,
            "near_zero, new, very_light, light, medium_non_tweeter, medium_tweeter, heavy_non_tweeter, heavy_tweeter or unknown (default)",
        ),
    ];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        let id: UserId = row.id()?;
        let user = User {
            id,
            screen_name: row.text()?.to_owned(),
            name: row.maybe_text().unwrap_or_default().to_owned(),
            created_at: row.maybe_int().map_or(id.made_at(), Millis),
            followers: row.small()?,
            following: row.small()?,
            posts: row.small()?,
            reputation: row.maybe_float().unwrap_or_default(),
            language: row.maybe_text().map_or(Language::UNKNOWN, Language::new),
            country: row.maybe_text().unwrap_or_default().to_owned(),
            verification: Verification {
                blue: row.flag(),
                gold: row.flag(),
                gray: row.flag(),
                legacy: row.flag(),
            },
            is_creator: row.flag(),
            is_protected: row.flag(),
            is_adult: row.flag(),
            is_withdrawn: row.flag(),
            is_support: row.flag(),
        };
        let choices = [SensitiveMedia::Hide, SensitiveMedia::Show];
        let settings = ViewerSettings {
            sensitive_media: one_of_or(row, &choices, sensitive_name, "hide or show")?,
            muted_keywords: row.texts(),
            muted_conversations: row.ids(),
            languages: row.texts().iter().map(|tag| Language::new(tag)).collect(),
            state: one_of_or(row, &STATES.map(|entry| entry.0), state_name, "a viewer state")?,
        };
        Ok((user, settings))
    }

    fn write((user, settings): &Self::Row, row: &mut RowWriter<'_>) {
        row.id(user.id).text(&user.screen_name).text(&user.name).int(user.created_at.0);
        row.int(user.followers).int(user.following).int(user.posts).float(user.reputation);
        row.text(user.language.as_str()).text(&user.country);
        let marks = user.verification;
        row.flag(marks.blue).flag(marks.gold).flag(marks.gray).flag(marks.legacy);
        row.flag(user.is_creator).flag(user.is_protected).flag(user.is_adult);
        row.flag(user.is_withdrawn).flag(user.is_support);
        let languages: Vec<&str> = settings.languages.iter().map(Language::as_str).collect();
        row.text(sensitive_name(settings.sensitive_media))
            .texts(&settings.muted_keywords)
            .ids(&settings.muted_conversations)
            .texts(&languages)
            .text(state_name(settings.state));
    }
}

fn state_name(state: ViewerState) -> &'static str {
    STATES.iter().find(|entry| entry.0 == state).map_or("unknown", |entry| entry.1)
}

/// One of several names; none is the default.
fn one_of_or<T: Copy + Default>(
    row: &mut RowReader<'_>,
    choices: &[T],
    name: impl Fn(T) -> &'static str,
    expected: &'static str,
) -> Result<T, RowProblem> {
    if row.peek_is_none() {
        _ = row.maybe_text();
        return Ok(T::default());
    }
    one_of(row, choices, name, expected)
}

/// The table `embeddings`.
pub(super) struct Embeddings;

impl Table for Embeddings {
    type Row = UserEmbeddingRow;
    const FIELDS: &'static [Field] = &[
        required("user", Kind::Id, "whose"),
        list("follow", Kind::Float, "whom they follow; none or as many numbers as everywhere"),
        list("engagement", Kind::Float, "what they engage with; the same"),
        list("author", Kind::Float, "by whom they are followed; the same"),
        list("communities", Kind::Int, "communities they belong to, ascending"),
        list("strengths", Kind::Float, "how strongly, positive"),
    ];

    fn read(row: &mut RowReader<'_>) -> Result<Self::Row, RowProblem> {
        Ok(UserEmbeddingRow {
            user: row.id()?,
            dense: [row.floats().to_vec(), row.floats().to_vec(), row.floats().to_vec()],
            communities: communities(row)?,
        })
    }

    fn write(value: &Self::Row, row: &mut RowWriter<'_>) {
        row.id(value.user);
        for dense in &value.dense {
            row.floats(dense.iter().copied());
        }
        row.ints(value.communities.iter().map(|entry| i64::from(entry.0)))
            .floats(value.communities.iter().map(|entry| entry.1));
    }
}
