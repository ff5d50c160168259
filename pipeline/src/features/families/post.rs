//! What is written and attached, and how often it was engaged with.

use crate::component;
use crate::domain::{Candidate, Language, Post, Query};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Features of the post that a reader sees.
pub struct PostFeatures;

component!(PostFeatures, "post", "text, media, language, age, counts and form of the post");

const CONTINUOUS: [&str; 23] = [
    "age_hours",
    "chars",
    "words",
    "lines",
    "upper_case_share",
    "digit_share",
    "question_marks",
    "exclamation_marks",
    "hashtags",
    "links",
    "mentions",
    "photos",
    "video_seconds",
    "favorites",
    "replies",
    "reposts",
    "quotes",
    "favorites_per_hour",
    "replies_per_hour",
    "reposts_per_hour",
    "quotes_per_hour",
    "repost_age_hours",
    "conversation_depth",
];
const BINARY: [&str; 14] = [
    "is_repost",
    "is_reply",
    "is_quote",
    "is_extended_reply",
    "is_in_network",
    "has_photo",
    "has_video",
    "has_link",
    "has_hashtag",
    "has_topic",
    "is_sensitive",
    "is_exclusive",
    "language_is_read",
    "language_is_the_devices",
];

impl FeatureFamily for PostFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("post", &CONTINUOUS)
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        super::named("post", &BINARY)
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let languages = query.facts.settings.get().map_or(&[][..], |settings| &settings.languages);
        for (index, candidate) in candidates.iter().enumerate() {
            // A candidate without a post keeps the defaults.
            let (Some(post), Some(content)) = (candidate.post.get(), candidate.content()) else { continue };
            let mut row = rows.row(index);
            row.put_from(0, continuous(query, candidate, post, content));
            row.flag_from(0, binary(query, candidate, content, languages));
        }
        Ok(())
    }
}

/// Values in the order of [`CONTINUOUS`].
fn continuous(query: &Query, candidate: &Candidate, post: &Post, content: &Post) -> [f32; CONTINUOUS.len()] {
    let text = TextStatistics::of(&content.text);
    let hours = query.now.since(content.created_at).as_secs_f32() / 3600.0;
    let counts = candidate.counts;
    // Within the first minutes a rate says little: it is taken over half an hour at least.
    let rate = |count: u32| count as f32 / hours.max(0.5);
    [
        hours,
        text.chars,
        text.words,
        text.lines,
        text.upper_case / text.chars.max(1.0),
        text.digits / text.chars.max(1.0),
        text.question_marks,
        text.exclamation_marks,
        content.hashtags.len() as f32,
        content.urls.len() as f32,
        content.mentions.len() as f32,
        f32::from(content.media.photos),
        content.media.video_ms.unwrap_or(0) as f32 / 1000.0,
        counts.favorites as f32,
        counts.replies as f32,
        counts.reposts as f32,
        counts.quotes as f32,
        rate(counts.favorites),
        rate(counts.replies),
        rate(counts.reposts),
        rate(counts.quotes),
        query.now.since(post.created_at).as_secs_f32() / 3600.0,
        candidate.conversation.get().map_or(0, |conversation| conversation.ancestors.len()) as f32,
    ]
}

/// Values in the order of [`BINARY`].
fn binary(
    query: &Query,
    candidate: &Candidate,
    content: &Post,
    languages: &[Language],
) -> [bool; BINARY.len()] {
    [
        candidate.is_repost(),
        candidate.is_reply(),
        content.quotes.is_some(),
        candidate.is_extended_reply,
        candidate.is_in_network(),
        content.media.photos > 0,
        content.media.video_ms.is_some(),
        !content.urls.is_empty(),
        !content.hashtags.is_empty(),
        content.topic.is_some(),
        content.labels.is_sensitive(),
        content.exclusive_author.is_some(),
        languages.contains(&content.language),
        content.language == query.request.language && content.language != Language::UNKNOWN,
    ]
}

/// Counts over a text's characters, in one pass.
#[derive(Default)]
struct TextStatistics {
    chars: f32,
    words: f32,
    lines: f32,
    upper_case: f32,
    digits: f32,
    question_marks: f32,
    exclamation_marks: f32,
}

impl TextStatistics {
    fn of(text: &str) -> Self {
        let mut counted = Self { lines: f32::from(u8::from(!text.is_empty())), ..Self::default() };
        let mut in_word = false;
        for character in text.chars() {
            counted.chars += 1.0;
            let is_word = !character.is_whitespace();
            counted.words += f32::from(u8::from(is_word && !in_word));
            in_word = is_word;
            match character {
                '\n' => counted.lines += 1.0,
                '?' => counted.question_marks += 1.0,
                '!' => counted.exclamation_marks += 1.0,
                '0'..='9' => counted.digits += 1.0,
                _ if character.is_uppercase() => counted.upper_case += 1.0,
                _ => {}
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_in_characters() {
        let counted = TextStatistics::of("\u{c4}pfel? Ja!\n12 3");
        let got = [counted.chars, counted.words, counted.lines, counted.upper_case, counted.digits];
        assert_eq!(got, [15.0, 4.0, 2.0, 2.0, 3.0]);
        assert_eq!([counted.question_marks, counted.exclamation_marks], [1.0, 1.0]);
        assert_eq!(TextStatistics::of("").lines, 0.0);
    }
}
