//! How a text is written.

use crate::component;
use crate::domain::{Candidate, Post, Query};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Features of the text that a reader sees, beyond its length.
pub struct TextFeatures;

component!(TextFeatures, "text", "words, sentences, punctuation and signs of the post's text");

const CONTINUOUS: [&str; 22] = [
    "chars_per_word",
    "longest_word",
    "distinct_word_share",
    "upper_case_words",
    "emoji",
    "numbers",
    "ellipses",
    "commas",
    "quotation_marks",
    "colons",
    "parentheses",
    "repeated_punctuation",
    "sentences",
    "words_per_sentence",
    "hashtag_chars",
    "link_share",
    "mention_share",
    "hashtag_share",
    "punctuation_share",
    "non_ascii_share",
    "blank_share",
    "longest_repeat",
];

impl FeatureFamily for TextFeatures {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        super::named("text", &CONTINUOUS)
    }

    fn fill(&self, _query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        for (index, candidate) in candidates.iter().enumerate() {
            if let Some(content) = candidate.content() {
                rows.row(index).put_from(0, values(content));
            }
        }
        Ok(())
    }
}

/// What one pass over the characters counts.
#[derive(Default)]
struct Signs {
    chars: f32,
    emoji: f32,
    ellipses: f32,
    commas: f32,
    quotation_marks: f32,
    colons: f32,
    parentheses: f32,
    repeated_punctuation: f32,
    sentences: f32,
    punctuation: f32,
    non_ascii: f32,
    blanks: f32,
    longest_repeat: f32,
}

impl Signs {
    fn of(text: &str) -> Self {
        let mut signs = Self::default();
        let (mut last, mut run) = (None, 0.0_f32);
        for sign in text.chars() {
            run = if last == Some(sign) { run + 1.0 } else { 1.0 };
            signs.longest_repeat = signs.longest_repeat.max(run);
            signs.chars += 1.0;
            let ends = |sign: char| matches!(sign, '.' | '!' | '?' | '\u{3002}');
            if ends(sign) && !last.is_some_and(ends) {
                signs.sentences += 1.0;
            }
            let is_punctuation = sign.is_ascii_punctuation();
            if is_punctuation && last == Some(sign) {
                signs.repeated_punctuation += 1.0;
            }
            signs.punctuation += f32::from(u8::from(is_punctuation));
            signs.non_ascii += f32::from(u8::from(!sign.is_ascii()));
            signs.blanks += f32::from(u8::from(sign.is_whitespace()));
            match sign {
                '\u{2026}' => signs.ellipses += 1.0,
                ',' => signs.commas += 1.0,
                '"' | '\u{201c}' | '\u{201d}' => signs.quotation_marks += 1.0,
                ':' => signs.colons += 1.0,
                '(' | ')' => signs.parentheses += 1.0,
                '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}' => signs.emoji += 1.0,
                _ => {}
            }
            last = Some(sign);
        }
        signs
    }
}

/// What the words are like.
#[derive(Default)]
struct Words {
    count: usize,
    letters: usize,
    longest: usize,
    upper_case: usize,
    numbers: usize,
    /// Hashes, for how many are distinct.
    hashes: Vec<u32>,
}

impl Words {
    fn of(text: &str) -> Self {
        let mut words = Self::default();
        for word in text.split_whitespace() {
            let (mut length, mut hash, mut is_upper, mut is_number) = (0, 0x811c_9dc5_u32, true, true);
            for sign in word.chars() {
                length += 1;
                hash = (hash ^ sign as u32).wrapping_mul(0x0100_0193);
                is_upper &= sign.is_uppercase();
                is_number &= sign.is_ascii_digit();
            }
            words.count += 1;
            words.letters += length;
            words.longest = words.longest.max(length);
            words.upper_case += usize::from(is_upper && length > 1);
            words.numbers += usize::from(is_number);
            words.hashes.push(hash);
        }
        words
    }

    /// How many different words there are; two whose hashes meet count as one.
    fn distinct(mut self) -> usize {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.len()
    }
}

/// Values in the order of [`CONTINUOUS`].
fn values(post: &Post) -> [f32; CONTINUOUS.len()] {
    let signs = Signs::of(&post.text);
    let words = Words::of(&post.text);
    let (all, count) = (words.count as f32, (words.count as f32).max(1.0));
    let (letters, longest) = (words.letters as f32, words.longest as f32);
    let (upper_case, numbers) = (words.upper_case as f32, words.numbers as f32);
    let sentences = signs.sentences.max(1.0);
    let chars = signs.chars.max(1.0);
    [
        letters / count,
        longest,
        words.distinct() as f32 / count,
        upper_case,
        signs.emoji,
        numbers,
        signs.ellipses,
        signs.commas,
        signs.quotation_marks,
        signs.colons,
        signs.parentheses,
        signs.repeated_punctuation,
        sentences,
        all / sentences,
        post.hashtags.iter().map(|tag| tag.chars().count()).sum::<usize>() as f32,
        post.urls.len() as f32 / count,
        post.mentions.len() as f32 / count,
        post.hashtags.len() as f32 / count,
        signs.punctuation / chars,
        signs.non_ascii / chars,
        signs.blanks / chars,
        signs.longest_repeat,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart() {
        let text = "Oh, WOW!! Did (you) see 3 cats: a a a? \u{1f600}\u{2026}".to_owned();
        let got = values(&Post { text, hashtags: vec!["cats".to_owned()], ..Post::default() });
        let of = |name: &str| got[CONTINUOUS.iter().position(|other| *other == name).expect(name)];
        for (name, expected) in [
            ("upper_case_words", 0.0),
            ("numbers", 1.0),
            ("emoji", 1.0),
            ("ellipses", 1.0),
            ("commas", 1.0),
            ("parentheses", 2.0),
            ("repeated_punctuation", 1.0),
            ("sentences", 2.0),
            ("hashtag_chars", 4.0),
            ("longest_repeat", 2.0),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
        assert!(values(&Post::default()).iter().all(|value| value.is_finite()));
    }
}
