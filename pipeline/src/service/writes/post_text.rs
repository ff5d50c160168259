//! What a post's text says by itself: its hashtags and its links.

/// Most hashtags and links that are kept of a post.
const MOST: usize = 20;

/// Hashtags without the sign, lower case, each once.
pub(super) fn hashtags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let Some(tag) = word.strip_prefix('#') else { continue };
        let end = tag.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(tag.len());
        let tag = tag[..end].to_lowercase();
        // A number alone is no hashtag: "#1".
        let is_tag = tag.chars().any(|letter| !letter.is_numeric());
        if is_tag && !tags.contains(&tag) && tags.len() < MOST {
            tags.push(tag);
        }
    }
    tags
}

/// Links, each once.
pub(super) fn links(text: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let link = word.trim_end_matches(['.', ',', '!', '?', ')', ';', ':']);
        let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
        let is_link = rest.is_some_and(|rest| !rest.is_empty());
        if is_link && !links.iter().any(|known| known == link) && links.len() < MOST {
            links.push(link.to_owned());
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashtags_and_links_are_found() {
        for (text, expected) in [
            ("Hello #Rust, #rust and #GPU-first", vec!["rust", "gpu"]),
            ("#1 is no tag, #1st is; # alone and a#b are none", vec!["1st"]),
            ("", vec![]),
        ] {
            assert_eq!(hashtags(text), expected, "{text}");
        }
        let text = "see https://example.org/a. (http://example.org/b) https:// https://example.org/a";
        assert_eq!(links(text), ["https://example.org/a"]);
        let many: String = (0..100).map(|number| format!("#t{number} ")).collect();
        assert_eq!(hashtags(&many).len(), MOST);
    }
}
