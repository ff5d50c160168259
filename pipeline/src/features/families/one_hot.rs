//! Which of several known values something has, one flag each.

use crate::component;
use crate::domain::{Candidate, DeviceContext, Language, Platform, Query, TopicId, User, hour_and_weekday};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Languages that have a flag: those that most posts are written in.
const LANGUAGES: [&str; 24] = [
    "en", "ja", "es", "pt", "de", "fr", "ar", "ko", "tr", "id", "hi", "ru", "it", "nl", "pl", "th", "fa",
    "tl", "sv", "fi", "zh", "uk", "el", "ur",
];
/// Countries that have a flag: those that most accounts are from.
const COUNTRIES: [&str; 24] = [
    "us", "jp", "es", "br", "de", "fr", "gb", "in", "id", "tr", "kr", "mx", "ca", "it", "nl", "pl", "ru",
    "sa", "eg", "ph", "th", "au", "ar", "se",
];
/// Topics that have a flag: ids from 1.
const TOPICS: u64 = 32;
const AGE_HOURS: [f32; 8] = [0.25, 0.5, 1.0, 2.0, 6.0, 12.0, 24.0, f32::INFINITY];
const TEXT_CHARS: [usize; 8] = [0, 20, 40, 80, 120, 160, 240, usize::MAX];
const VIDEO_SECONDS: [u32; 6] = [6, 10, 30, 60, 140, u32::MAX];
const PHOTOS: [u8; 4] = [1, 2, 3, 4];
const CONTEXTS: [(DeviceContext, &str); 11] = [
    (DeviceContext::Auto, "auto"),
    (DeviceContext::Foreground, "foreground"),
    (DeviceContext::Gap, "gap"),
    (DeviceContext::Launch, "launch"),
    (DeviceContext::ManualRefresh, "manual_refresh"),
    (DeviceContext::Navigate, "navigate"),
    (DeviceContext::Polling, "polling"),
    (DeviceContext::PullToRefresh, "pull_to_refresh"),
    (DeviceContext::Signup, "signup"),
    (DeviceContext::SelfThread, "self_thread"),
    (DeviceContext::BackgroundFetch, "background_fetch"),
];
const PLATFORMS: [(Platform, &str); 4] = [
    (Platform::Web, "web"),
    (Platform::Android, "android"),
    (Platform::Ios, "ios"),
    (Platform::Other, "other"),
];
const ACCOUNT: [&str; 10] = [
    "blue_verified",
    "gold_verified",
    "gray_verified",
    "legacy_verified",
    "creator",
    "protected",
    "adult",
    "support",
    "new_account",
    "old_account",
];

fn specs(family: &str, names: impl IntoIterator<Item = String>) -> Vec<FeatureSpec> {
    names.into_iter().map(|name| FeatureSpec::new(format!("{family}.{name}"))).collect()
}

fn languages(language: Language) -> [bool; LANGUAGES.len()] {
    LANGUAGES.map(|known| language.as_str() == known)
}

fn countries(country: &str) -> [bool; COUNTRIES.len()] {
    COUNTRIES.map(|known| country == known)
}

fn place_names() -> impl Iterator<Item = String> {
    let languages = LANGUAGES.iter().map(|language| format!("language_{language}"));
    languages.chain(COUNTRIES.iter().map(|country| format!("country_{country}")))
}

/// The first bucket whose bound a value does not exceed.
fn bucket<T: PartialOrd, const N: usize>(bounds: &[T; N], value: &T) -> [bool; N] {
    let place = bounds.iter().position(|bound| value <= bound);
    std::array::from_fn(|index| place == Some(index))
}

/// Flags of the moment, the client and the viewer.
pub struct RequestIs;

component!(RequestIs, "request_is", "hour, weekday, client, and the viewer's language, country and marks");

impl FeatureFamily for RequestIs {
    fn level(&self) -> Level {
        Level::Request
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        let hours = (0..24).map(|hour| format!("hour_{hour}"));
        let weekdays = (0..7).map(|day| format!("weekday_{day}"));
        let clients = CONTEXTS.iter().flat_map(|(_, context)| {
            PLATFORMS.iter().map(move |(_, platform)| format!("{context}_on_{platform}"))
        });
        let account = ACCOUNT.iter().map(|name| format!("viewer_{name}"));
        let names = hours.chain(weekdays).chain(place_names()).chain(clients).chain(account);
        specs("request_is", names)
    }

    fn fill(&self, query: &Query, _candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let (hour, weekday) = hour_and_weekday(query.now);
        let nobody = User::default();
        let user = query.facts.user.get().map_or(&nobody, |user| user);
        let request = &query.request;
        let days = query.now.since(user.created_at).as_secs_f32() / 86_400.0;
        let mut row = rows.row(0);
        row.flag_from(0, std::array::from_fn::<bool, 24, _>(|known| known == usize::from(hour)));
        row.flag_from(24, std::array::from_fn::<bool, 7, _>(|known| known == usize::from(weekday)));
        row.flag_from(31, languages(user.language));
        row.flag_from(31 + LANGUAGES.len(), countries(&user.country));
        let clients = 31 + LANGUAGES.len() + COUNTRIES.len();
        for (place, (context, _)) in CONTEXTS.iter().enumerate() {
            let of_context = *context == request.context;
            let flags = PLATFORMS.map(|(platform, _)| of_context && platform == request.platform);
            row.flag_from(clients + place * PLATFORMS.len(), flags);
        }
        let marks = user.verification;
        row.flag_from(
            clients + CONTEXTS.len() * PLATFORMS.len(),
            [
                marks.blue,
                marks.gold,
                marks.gray,
                marks.legacy,
                user.is_creator,
                user.is_protected,
                user.is_adult,
                user.is_support,
                days < 90.0,
                days > 1_800.0,
            ],
        );
        Ok(())
    }
}

/// Flags of the author.
pub struct AuthorIs;

component!(AuthorIs, "author_is", "the author's language and country");

impl FeatureFamily for AuthorIs {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        specs("author_is", place_names())
    }

    fn fill(&self, _query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        for (index, candidate) in candidates.iter().enumerate() {
            let facts = candidate.authors.get();
            let author = facts.and_then(|facts| facts.original_author.as_ref().or(facts.author.as_ref()));
            let Some(author) = author else { continue };
            let mut row = rows.row(index);
            row.flag_from(0, languages(author.language));
            row.flag_from(LANGUAGES.len(), countries(&author.country));
        }
        Ok(())
    }
}

/// Flags of the post.
pub struct PostIs;

component!(PostIs, "post_is", "the post's language, topic, age, length and media, in buckets");

impl FeatureFamily for PostIs {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        let known = std::iter::once("language_known".to_owned());
        let languages = LANGUAGES.iter().map(|language| format!("language_{language}"));
        let topics = (1..=TOPICS).map(|topic| format!("topic_{topic}"));
        let bucket = |what: &'static str, count: usize| (0..count).map(move |n| format!("{what}_bucket_{n}"));
        let names = known
            .chain(languages)
            .chain(topics)
            .chain(bucket("age", AGE_HOURS.len()))
            .chain(bucket("length", TEXT_CHARS.len()))
            .chain(bucket("video", VIDEO_SECONDS.len()))
            .chain(bucket("photos", PHOTOS.len()));
        specs("post_is", names)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        for (index, candidate) in candidates.iter().enumerate() {
            let Some(content) = candidate.content() else { continue };
            let mut row = rows.row(index);
            row.flag_from(0, [content.language != Language::UNKNOWN]);
            row.flag_from(1, languages(content.language));
            let mut first = 1 + LANGUAGES.len();
            let topic = |known: usize| content.topic == Some(TopicId(known as u64 + 1));
            row.flag_from(first, std::array::from_fn::<bool, { TOPICS as usize }, _>(topic));
            first += TOPICS as usize;
            let hours = query.now.since(content.created_at).as_secs_f32() / 3600.0;
            row.flag_from(first, bucket(&AGE_HOURS, &hours));
            first += AGE_HOURS.len();
            row.flag_from(first, bucket(&TEXT_CHARS, &content.text.chars().count()));
            first += TEXT_CHARS.len();
            if let Some(video) = content.media.video_ms {
                row.flag_from(first, bucket(&VIDEO_SECONDS, &(video / 1000)));
            }
            first += VIDEO_SECONDS.len();
            row.flag_from(first, PHOTOS.map(|photos| content.media.photos == photos));
        }
        Ok(())
    }
}
