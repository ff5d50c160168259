//! Whether there ever was an engagement of each kind between viewer, author and what surrounds the post.

use std::sync::Arc;

use crate::component;
use crate::domain::stores::{AggregateStore, TallyKey};
use crate::domain::{Candidate, Cut, EngagementKind, IdMap, Query, UserId, language_code, topic_code};
use crate::engine::Failure;
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// One flag for each scope and kind.
pub struct Happened {
    /// Counts.
    pub store: Arc<dyn AggregateStore>,
}

component!(Happened, "happened", "whether there was an engagement of each kind, by scope");

const KINDS: usize = EngagementKind::ALL.len();
/// What the viewer gave to, then what others gave.
const SCOPES: [&str; 12] = [
    "to_author",
    "to_topic",
    "to_community",
    "to_language",
    "to_reposter",
    "to_mentioned",
    "to_parent_author",
    "from_author",
    "post",
    "author",
    "parent",
    "root",
];
/// Position of the first scope that the viewer has no part in.
const OTHERS: usize = 7;

/// Kinds as bits.
type Kinds = u16;

fn bit(kind: EngagementKind) -> Kinds {
    1 << kind.index()
}

fn flags(kinds: Kinds) -> [bool; KINDS] {
    EngagementKind::ALL.map(|kind| kinds & bit(kind) != 0)
}

/// What the viewer gave, by what it was given to.
#[derive(Default)]
struct GivenKinds {
    authors: IdMap<UserId, Kinds>,
    topics: IdMap<u16, Kinds>,
    communities: IdMap<u32, Kinds>,
    languages: IdMap<u16, Kinds>,
}

impl FeatureFamily for Happened {
    fn level(&self) -> Level {
        Level::Candidate
    }

    fn binary(&self) -> Vec<FeatureSpec> {
        let of = |scope: &'static str| {
            EngagementKind::ALL.map(|kind| FeatureSpec::new(format!("happened.{scope}.{}", kind.name())))
        };
        SCOPES.into_iter().flat_map(of).collect()
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let mut given = GivenKinds::default();
        self.store.visit_given(query.viewer, &mut |row| {
            let kind = bit(row.kind);
            *given.authors.entry(row.author).or_default() |= kind;
            *given.topics.entry(row.topic).or_default() |= kind;
            *given.languages.entry(row.language).or_default() |= kind;
            if let Some(community) = row.community {
                *given.communities.entry(community).or_default() |= kind;
            }
        });
        let authors: Vec<UserId> = candidates.iter().map(Candidate::original_author_id).collect();
        let mut back = vec![0; candidates.len()];
        self.store.visit_given_to(query.viewer, &authors, &mut |index, row| back[index] |= bit(row.kind));
        for (index, candidate) in candidates.iter().enumerate() {
            let mut row = rows.row(index);
            for (scope, kinds) in self.of_viewer(&given, candidate, back[index]).into_iter().enumerate() {
                row.flag_from(scope * KINDS, flags(kinds));
            }
        }
        self.fill_others(candidates, rows);
        Ok(())
    }
}

impl Happened {
    /// Kinds of the scopes that the viewer has a part in.
    fn of_viewer(&self, given: &GivenKinds, candidate: &Candidate, back: Kinds) -> [Kinds; OTHERS + 1] {
        let author = |user: Option<UserId>| {
            user.and_then(|user| given.authors.get(&user)).copied().unwrap_or_default()
        };
        let content = candidate.content();
        let topic = content.and_then(|post| post.topic).map(topic_code);
        let language = content.map(|post| language_code(post.language));
        let home = self.store.home_community(candidate.original_author_id());
        let mentioned = content.iter().flat_map(|post| &post.mentions).map(|user| author(Some(*user)));
        [
            author(Some(candidate.original_author_id())),
            topic.and_then(|topic| given.topics.get(&topic)).copied().unwrap_or_default(),
            home.and_then(|home| given.communities.get(&home)).copied().unwrap_or_default(),
            language.and_then(|language| given.languages.get(&language)).copied().unwrap_or_default(),
            author(candidate.is_repost().then_some(candidate.author_id)),
            mentioned.fold(0, |all, kinds| all | kinds),
            author(content.and_then(|post| post.in_reply_to).map(|parent| parent.author)),
            back,
        ]
    }

    fn fill_others(&self, candidates: &[Candidate], rows: &mut Rows<'_>) {
        let (mut keys, mut places) = (Vec::new(), Vec::new());
        for (index, candidate) in candidates.iter().enumerate() {
            let content = candidate.content();
            let parent = content.and_then(|post| post.in_reply_to).map(|parent| TallyKey::Post(parent.id));
            let root = content.map(|post| TallyKey::Post(post.conversation));
            let of_candidate = [
                Some(TallyKey::Post(candidate.original_id())),
                Some(TallyKey::Person(candidate.original_author_id())),
                parent,
                root,
            ];
            for (scope, key) in of_candidate.into_iter().enumerate() {
                if let Some(key) = key {
                    keys.push(key);
                    places.push((index, OTHERS + 1 + scope));
                }
            }
        }
        self.store.visit_tallies(&keys, &mut |position, tally| {
            let (index, scope) = places[position];
            let received = tally.of(Cut::Any, 0);
            let kinds = received.iter().fold(0, |all, row| all | bit(row.key.kind()));
            rows.row(index).flag_from(scope * KINDS, flags(kinds));
        });
    }
}
