//! Next to which posts an ad may stand.

use crate::domain::{Ad, BrandSafety, Candidate, UserId};
use crate::filters::Keywords;
use crate::mixing::Item;

/// How risky it is for a brand to be seen next to a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// None.
    #[default]
    Safe,
    /// Some brands mind.
    Low,
    /// Most brands mind.
    Medium,
    /// Every brand minds.
    High,
}

/// What an ad's neighbour is judged by.
#[derive(Clone, Debug, Default)]
pub struct Neighbour {
    /// The worst of its posts' risks.
    pub risk: Risk,
    /// Everybody whose words it shows: posters, authors of what is passed on and quoted.
    pub authors: Vec<UserId>,
    /// What it says.
    pub texts: Vec<String>,
}

impl Neighbour {
    /// What an item is judged by.
    pub fn of(item: &Item) -> Self {
        let mut neighbour = Self::default();
        for shown in item.posts() {
            neighbour.add(&shown.candidate);
        }
        neighbour
    }

    fn add(&mut self, candidate: &Candidate) {
        self.authors.extend([candidate.author_id, candidate.original_author_id()]);
        let accounts = candidate.authors.get();
        let is_adult = accounts.is_some_and(|facts| {
            [&facts.author, &facts.original_author, &facts.quoted_author]
                .into_iter()
                .flatten()
                .any(|user| user.is_adult)
        });
        let quoted = candidate.quoted.get().and_then(Option::as_ref);
        for post in candidate.content().into_iter().chain(quoted) {
            let labels = post.labels;
            let risk = if labels.is_sensitive() {
                Risk::High
            } else if labels.spam || is_adult {
                Risk::Medium
            } else if labels.do_not_amplify {
                Risk::Low
            } else {
                Risk::Safe
            };
            self.risk = self.risk.max(risk);
            self.authors.push(post.author);
            self.texts.push(post.text.clone());
        }
    }

    /// Whether no ad stands next to it.
    pub fn is_avoided(&self) -> bool {
        self.risk >= Risk::Medium
    }

    /// Whether an ad may stand next to it.
    pub fn suits(&self, ad: &Ad) -> bool {
        let is_clean = !self.is_avoided() && (ad.brand_safety != BrandSafety::Low || self.risk == Risk::Safe);
        let is_welcome = !self.authors.iter().any(|author| ad.excluded_authors.contains(author));
        let has_word = || {
            let words = Keywords::new(&ad.excluded_keywords);
            self.texts.iter().any(|text| words.match_text(text))
        };
        is_clean && is_welcome && (ad.excluded_keywords.is_empty() || !has_word())
    }
}
