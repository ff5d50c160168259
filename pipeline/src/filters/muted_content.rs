//! Words and conversations that the viewer has muted.

use std::collections::HashMap;

use crate::component;
use crate::domain::{Candidate, Post, PostId, Query, ViewerSettings};
use crate::engine::{Filter, Verdict};

/// Removes posts whose text, or the text they quote, holds a muted word or phrase, and posts of muted conversations.
///
/// Text and keywords are cut into lower-case tokens; a keyword matches where its tokens follow each other. A word also
/// matches the hashtag of the same name, a keyword with a hash or an at sign only the hashtag or the name.
pub struct MutedContent;

component!(
    MutedContent,
    "muted_content",
    "removes posts with muted words, as token sequences, and of muted conversations"
);

impl Filter<Query, Candidate> for MutedContent {
    fn enabled(&self, query: &Query, _candidates: &[Candidate]) -> bool {
        let has_muted = |settings: &ViewerSettings| {
            !settings.muted_keywords.is_empty() || !settings.muted_conversations.is_empty()
        };
        query.facts.settings.get().is_some_and(|settings| has_muted(settings))
    }

    fn judge(&self, query: &Query, candidates: &[Candidate]) -> Vec<Verdict> {
        let Some(settings) = query.facts.settings.get() else {
            return vec![Verdict::Keep; candidates.len()];
        };
        let keywords = Keywords::new(&settings.muted_keywords);
        let mut conversations = settings.muted_conversations.clone();
        conversations.sort_unstable();
        candidates.iter().map(|candidate| verdict(&keywords, &conversations, candidate)).collect()
    }
}

fn verdict(keywords: &Keywords, conversations: &[PostId], candidate: &Candidate) -> Verdict {
    let quoted = candidate.quoted.get().and_then(Option::as_ref);
    let own = [candidate.post.get(), candidate.content()].into_iter().flatten();
    let muted = |post: &Post| {
        conversations.binary_search(&post.conversation).is_ok()
            || conversations.binary_search(&post.id).is_ok()
    };
    if own.clone().any(|post| muted(post)) {
        return Verdict::Remove("muted_conversation");
    }
    let has_keyword = !keywords.is_empty() && own.chain(quoted).any(|post| keywords.match_post(post));
    Verdict::remove_if(has_keyword, "muted_keyword")
}

/// Keywords as token sequences, by their first token.
pub(crate) struct Keywords {
    by_first: HashMap<String, Vec<Vec<String>>>,
}

impl Keywords {
    pub(crate) fn new(keywords: &[String]) -> Self {
        let mut by_first: HashMap<String, Vec<Vec<String>>> = HashMap::new();
        for keyword in keywords {
            let mut tokens = tokens(keyword).into_iter();
            if let Some(first) = tokens.next() {
                by_first.entry(first).or_default().push(tokens.collect());
            }
        }
        Self { by_first }
    }

    fn is_empty(&self) -> bool {
        self.by_first.is_empty()
    }

    /// Whether a text has one of them.
    pub(crate) fn match_text(&self, text: &str) -> bool {
        self.match_tokens(&tokens(text))
    }

    fn match_post(&self, post: &Post) -> bool {
        let in_hashtag = post.hashtags.iter().any(|tag| {
            let tag = tag.to_lowercase();
            self.match_tokens(&[format!("#{tag}")])
        });
        in_hashtag || self.match_tokens(&tokens(&post.text))
    }

    fn match_tokens(&self, text: &[String]) -> bool {
        (0..text.len()).any(|start| {
            let (first, after) = (&text[start], &text[start + 1..]);
            // A muted word also mutes the hashtag of that name.
            let names = [Some(first.as_str()), first.strip_prefix('#')];
            names.into_iter().flatten().filter_map(|name| self.by_first.get(name)).flatten().any(|rest| {
                rest.len() <= after.len()
                    && rest.iter().zip(after).all(|(keyword, token)| same(keyword, token))
            })
        })
    }
}

/// Whether a keyword's token matches a text's token: the same, or the hashtag of the same name.
fn same(keyword: &str, token: &str) -> bool {
    keyword == token || token.strip_prefix('#').is_some_and(|name| name == keyword)
}

/// Lower-case words, each with the hash or at sign before it. In scripts that put no spaces between words every
/// character is a token, so that a keyword matches inside of longer text.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        let is_mark = matches!(character, '#' | '@') && word.is_empty();
        if is_mark || ((character.is_alphanumeric() || character == '_') && !is_unspaced(character)) {
            word.push(character);
            continue;
        }
        // An apostrophe within a word belongs to it, a typographic one as a plain one.
        if matches!(character, '\'' | '\u{2019}') && !word.is_empty() {
            word.push('\'');
            continue;
        }
        push_word(&mut tokens, &mut word);
        if is_unspaced(character) {
            tokens.push(character.to_string());
        } else if matches!(character, '#' | '@') {
            word.push(character);
        }
    }
    push_word(&mut tokens, &mut word);
    tokens
}

fn push_word(tokens: &mut Vec<String>, word: &mut String) {
    let token = word.trim_end_matches('\'');
    if !token.trim_start_matches(['#', '@']).is_empty() {
        tokens.push(token.to_owned());
    }
    word.clear();
}

/// Scripts that put no spaces between words: Thai to Myanmar, Khmer, kana, Han.
fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x0E00..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x2FA1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_match_as_token_sequences() {
        for (keyword, text, expected) in [
            ("cat", "The Cat sat", true),
            ("cat", "concatenate", false),
            ("cat", "#Cat pictures", true),
            ("#cat", "the cat", false),
            ("#cat", "look: #CAT!", true),
            ("hello world", "Hello, world!", true),
            ("hello world", "hello big world", false),
            ("world hello", "hello world", false),
            ("@ann", "thanks @Ann", true),
            ("@ann", "ann", false),
            ("don't", "I don\u{2019}t know", true),
            ("C++", "c", true),
            ("\u{6771}\u{4eac}", "\u{4eca}\u{65e5}\u{306e}\u{6771}\u{4eac}\u{99c5}", true),
            ("\u{4eac}\u{6771}", "\u{4eca}\u{65e5}\u{306e}\u{6771}\u{4eac}\u{99c5}", false),
            ("\u{dc}ber", "u\u{308}ber \u{fc}ber", true),
            ("", "anything", false),
            ("!!!", "anything !!!", false),
            ("end", "the end", true),
        ] {
            let keywords = Keywords::new(&[keyword.to_owned()]);
            let post = Post { text: text.to_owned(), ..Post::default() };
            assert_eq!(keywords.match_post(&post), expected, "{keyword:?} in {text:?}");
        }
    }
}
