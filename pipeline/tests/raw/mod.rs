//! Raw rows of a generated world, and features recounted from them by filters and f64 sums, without the library's counts.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::{BTreeMap, HashMap, HashSet};

use maskrank_pipeline::domain::stores::{List, Relation, TieStrength};
use maskrank_pipeline::domain::{
    Engagement, HALF_LIVES_MS, Millis, Post, PostId, User, UserId, ViewerSettings, ViewerState,
};
use maskrank_pipeline::stores::RowProblem;
use maskrank_pipeline::world::{
    Ad, Generator, LoadedWorld, PostRow, Topic, UserEmbeddingRow, WorldConfig, WorldSink,
};

/// A world for the stores, and its rows as they came.
pub(crate) struct RawWorld {
    pub(crate) loaded: LoadedWorld,
    pub(crate) events: Vec<Engagement>,
    pub(crate) facts: RawFacts,
}

/// What events are told apart by.
#[derive(Default)]
pub(crate) struct RawFacts {
    pub(crate) users: HashMap<UserId, (User, ViewerState)>,
    pub(crate) posts: HashMap<PostId, Post>,
    pub(crate) homes: HashMap<UserId, u32>,
    pub(crate) follows: HashSet<(UserId, UserId)>,
}

impl RawWorld {
    pub(crate) fn generate(config: WorldConfig) -> Self {
        let mut world =
            Self { loaded: LoadedWorld::new(config.now), events: Vec::new(), facts: RawFacts::default() };
        Generator::new(config).write(&mut world).expect("rows are right");
        world
    }
}

impl WorldSink for RawWorld {
    type Error = RowProblem;

    fn user(&mut self, user: User, settings: ViewerSettings) -> Result<(), RowProblem> {
        self.facts.users.insert(user.id, (user.clone(), settings.state));
        self.loaded.user(user, settings)
    }

    fn relation(&mut self, relation: Relation, from: UserId, to: UserId) -> Result<(), RowProblem> {
        if relation == Relation::Follow {
            self.facts.follows.insert((from, to));
        }
        self.loaded.relation(relation, from, to)
    }

    fn embeddings(&mut self, row: UserEmbeddingRow) -> Result<(), RowProblem> {
        let mut best: Option<(u32, f32)> = None;
        for &(community, strength) in &row.communities {
            if best.is_none_or(|(_, most)| strength > most) {
                best = Some((community, strength));
            }
        }
        self.facts.homes.extend(best.map(|(community, _)| (row.user, community)));
        self.loaded.embeddings(row)
    }

    fn list(&mut self, list: List) -> Result<(), RowProblem> {
        self.loaded.list(list)
    }

    fn topic(&mut self, topic: Topic) -> Result<(), RowProblem> {
        self.loaded.topic(topic)
    }

    fn post(&mut self, row: &PostRow) -> Result<(), RowProblem> {
        self.facts.posts.insert(row.post.id, row.post.clone());
        self.loaded.post(row)
    }

    fn engagement(&mut self, engagement: &Engagement) -> Result<(), RowProblem> {
        self.events.push(*engagement);
        self.loaded.engagement(engagement)
    }

    fn tie(&mut self, viewer: UserId, author: UserId, strength: &TieStrength) -> Result<(), RowProblem> {
        self.loaded.tie(viewer, author, strength)
    }

    fn ad(&mut self, ad: Ad) -> Result<(), RowProblem> {
        self.loaded.ad(ad)
    }
}

/// For whom, when and for which post.
pub(crate) struct Moment<'a> {
    pub(crate) viewer: UserId,
    pub(crate) now: Millis,
    pub(crate) post: &'a Post,
}

/// Sums by `family.cut.kind`: the half-lives', then the total.
pub(crate) struct Truth(BTreeMap<String, [f64; 5]>);

const FAMILIES: [&str; 21] = [
    "post_received",
    "author_received",
    "viewer_gave",
    "viewer_hours",
    "viewer_author",
    "topic_received",
    "community_received",
    "viewer_received",
    "country_gave",
    "language_received",
    "author_gave",
    "parent_received",
    "root_received",
    "quoted_received",
    "viewer_topic",
    "viewer_community",
    "viewer_language",
    "viewer_mentions",
    "viewer_parent_author",
    "author_viewer",
    "viewer_reposter",
];

impl Truth {
    /// The value of a counted feature; none for other features.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        let (family, rest) = name.split_once('.')?;
        let (cut_and_kind, window) = rest.rsplit_once('.')?;
        let known = FAMILIES.contains(&family);
        let window = ["half_life_30m", "half_life_24h", "half_life_72h", "half_life_50d", "total"]
            .iter()
            .position(|other| *other == window)
            .filter(|_| known)?;
        Some(self.0.get(&format!("{family}.{cut_and_kind}")).map_or(0.0, |sums| sums[window]))
    }
}

fn hour(at: Millis) -> i64 {
    at.0.div_euclid(3_600_000).rem_euclid(24)
}

fn weekday(at: Millis) -> i64 {
    at.0.div_euclid(86_400_000).rem_euclid(7)
}

/// The cuts of posts that a post belongs to.
fn content(post: &Post) -> Vec<&'static str> {
    let form = match post {
        Post { in_reply_to: Some(_), .. } => "replies",
        Post { quotes: Some(_), .. } => "quotes",
        _ => "originals",
    };
    let carries = match post.media {
        media if media.video_ms.is_some() => "videos",
        media if media.photos > 0 => "photos",
        _ => "text",
    };
    let mut cuts = vec!["any", form, carries];
    cuts.extend((!post.urls.is_empty()).then_some("links"));
    cuts.extend((post.text.chars().count() >= 100).then_some("long"));
    cuts
}

impl RawFacts {
    pub(crate) fn recount(&self, events: &[Engagement], moment: &Moment<'_>) -> Truth {
        let Moment { viewer, now, post } = *moment;
        let author = post.author;
        let country = |user: UserId| self.users.get(&user).map(|(user, _)| user.country.as_str());
        let home = |user: UserId| self.homes.get(&user);
        let mut sums = BTreeMap::<String, [f64; 5]>::new();
        for event in events {
            let about = &self.posts[&event.post];
            let contents = content(about);
            let mine = event.user == viewer;
            let from_my_country = country(event.user) == country(viewer);
            let follows = self.follows.contains(&(event.user, event.author));
            let same_topic = about.topic.is_some() && about.topic == post.topic;
            let mut names: Vec<String> = Vec::new();
            let mut add = |family: &str, cuts: &[&str]| {
                names.extend(cuts.iter().map(|cut| format!("{family}.{cut}.{}", event.kind.name())));
            };
            if event.post == post.id {
                add("post_received", &["any", if follows { "followers" } else { "strangers" }]);
                let state = self.users[&event.user].1;
                let habit = match state {
                    ViewerState::MediumNonTweeter | ViewerState::MediumTweeter => "medium_readers",
                    ViewerState::HeavyNonTweeter | ViewerState::HeavyTweeter => "heavy_readers",
                    _ => "light_readers",
                };
                add("post_received", &[habit]);
                if from_my_country {
                    add("post_received", &["viewers_country"]);
                }
            }
            if event.author == author {
                add("author_received", &contents);
                if same_topic {
                    add("author_received", &["same_topic"]);
                }
                if from_my_country {
                    add("author_received", &["viewers_country"]);
                }
            }
            if event.author == viewer {
                add("viewer_received", &contents);
                if from_my_country {
                    add("viewer_received", &["viewers_country"]);
                }
                if event.user == author {
                    add("author_viewer", &["any"]);
                }
            }
            if event.user == author {
                add("author_gave", &["any"]);
            }
            if from_my_country {
                add("country_gave", &contents);
            }
            let carried: Vec<&str> = contents
                .iter()
                .copied()
                .filter(|cut| ["any", "text", "photos", "videos"].contains(cut))
                .collect();
            if same_topic {
                add("topic_received", &carried);
                if from_my_country {
                    add("topic_received", &["viewers_country"]);
                }
            }
            if home(event.author) == home(author) {
                add("community_received", &["any", if follows { "followers" } else { "strangers" }]);
            }
            if about.language == post.language {
                add("language_received", &["any"]);
            }
            for (family, other) in [
                ("parent_received", post.in_reply_to.map(|parent| parent.id)),
                ("root_received", Some(post.conversation).filter(|root| *root != post.id)),
                ("quoted_received", post.quotes.map(|quoted| quoted.id)),
            ] {
                if other == Some(event.post) {
                    add(family, &["any"]);
                }
            }
            if mine {
                add("viewer_gave", &contents);
                if hour(event.at) == hour(now) {
                    add("viewer_hours", &["this_hour"]);
                }
                if weekday(event.at) == weekday(now) {
                    add("viewer_hours", &["this_weekday"]);
                }
                if event.author == author {
                    add("viewer_author", &contents);
                }
                let forms: Vec<&str> = contents
                    .iter()
                    .copied()
                    .filter(|cut| ["any", "originals", "replies"].contains(cut))
                    .collect();
                if same_topic {
                    add("viewer_topic", &forms);
                }
                if home(event.author) == home(author) {
                    add("viewer_community", &forms);
                }
                if about.language == post.language {
                    add("viewer_language", &["any"]);
                }
                if post.mentions.contains(&event.author) {
                    add("viewer_mentions", &["any"]);
                }
                if post.in_reply_to.is_some_and(|parent| parent.author == event.author) {
                    add("viewer_parent_author", &["any"]);
                }
            }
            let passed = (now.0 - event.at.0) as f64;
            let weights = HALF_LIVES_MS.map(|half_life| (-passed / half_life as f64).exp2());
            for name in names {
                let entry = sums.entry(name).or_default();
                entry
                    .iter_mut()
                    .zip(weights.into_iter().chain([1.0]))
                    .for_each(|(sum, weight)| *sum += weight);
            }
        }
        Truth(sums)
    }
}
