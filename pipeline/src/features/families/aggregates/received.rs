//! What something received, or a person gave in all: tallies by their key.

use std::sync::Arc;

use super::{Columns, Content};
use crate::domain::stores::{AggregateStore, TallyKey};
use crate::domain::{
    Candidate, Carries, Cut, DecayTable, EngagementKind, Form, Habit, PostId, Query, country_code,
    habit_code, hour_and_weekday, language_code, topic_code,
};
use crate::engine::{Component, Failure};
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// Whose tally a family reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The post that a reader sees.
    Post,
    /// Its author.
    Author,
    /// Its author, as one who engages.
    AuthorGave,
    /// Who passed it on, where somebody did.
    Reposter,
    /// The post it answers.
    Parent,
    /// The first post of its conversation, where it is not that itself.
    Root,
    /// The post it quotes.
    Quoted,
    /// Its topic.
    Topic,
    /// Its author's home.
    Community,
    /// Its language.
    Language,
    /// The viewer, as an author.
    ViewerReceived,
    /// The viewer, by hour and weekday.
    ViewerHours,
    /// The viewer's country.
    Country,
}

/// A cut, and what its code is for this request and candidate.
#[derive(Clone, Copy, Debug)]
enum Reads {
    Content(Content),
    Follows(bool),
    Habit(Habit),
    ViewersCountry,
    PostsTopic,
    Gave,
    ThisHour,
    ThisWeekday,
}

impl Reads {
    fn name(self) -> &'static str {
        match self {
            Self::Content(content) => content.name(),
            Self::Follows(true) => "followers",
            Self::Follows(false) => "strangers",
            Self::Habit(Habit::Light) => "light_readers",
            Self::Habit(Habit::Medium) => "medium_readers",
            Self::Habit(Habit::Heavy) => "heavy_readers",
            Self::ViewersCountry => "viewers_country",
            Self::PostsTopic => "same_topic",
            Self::Gave => "any",
            Self::ThisHour => "this_hour",
            Self::ThisWeekday => "this_weekday",
        }
    }

    /// Cut and code; none when the request or candidate has no such code.
    fn cut(self, query: &Query, candidate: Option<&Candidate>) -> Option<(Cut, u16)> {
        Some(match self {
            Self::Content(Content::Any) => (Cut::Any, 0),
            Self::Content(Content::Form(form)) => (Cut::Form, form_code(form)),
            Self::Content(Content::Carries(carries)) => (Cut::Carries, carries_code(carries)),
            Self::Content(Content::Link) => (Cut::Link, 0),
            Self::Content(Content::Long) => (Cut::Long, 0),
            Self::Follows(follows) => (Cut::Follows, u16::from(follows)),
            Self::Habit(habit) => (Cut::Habit, habit_code(habit)),
            Self::ViewersCountry => (Cut::Country, viewers_country(query)?),
            Self::PostsTopic => (Cut::Topic, topic_code(candidate?.content()?.topic?)),
            Self::Gave => (Cut::Gave, 0),
            Self::ThisHour => (Cut::GaveHour, hour_and_weekday(query.now).0),
            Self::ThisWeekday => (Cut::GaveWeekday, hour_and_weekday(query.now).1),
        })
    }
}

fn form_code(form: Form) -> u16 {
    form as u16
}

fn carries_code(carries: Carries) -> u16 {
    carries as u16
}

/// The viewer's country, as the account says, else as the request says.
fn viewers_country(query: &Query) -> Option<u16> {
    let account = query.facts.user.get().map_or("", |user| &user.country);
    let country = if account.is_empty() { &query.request.country } else { account };
    (!country.is_empty()).then(|| country_code(country))
}

/// Tallies of one subject.
pub struct Received {
    store: Arc<dyn AggregateStore>,
    subject: Subject,
    reads: Vec<Reads>,
    columns: Columns,
}

impl Received {
    /// The family of a subject.
    pub fn new(store: Arc<dyn AggregateStore>, subject: Subject) -> Self {
        let all_content = || Content::ALL.map(Reads::Content).to_vec();
        let any = || vec![Reads::Content(Content::Any)];
        let carried = [Carries::Text, Carries::Photo, Carries::Video];
        let reads = match subject {
            Subject::Post => [
                any(),
                vec![Reads::Follows(true), Reads::Follows(false), Reads::ViewersCountry],
                [Habit::Light, Habit::Medium, Habit::Heavy].map(Reads::Habit).to_vec(),
            ]
            .concat(),
            Subject::Author => [all_content(), vec![Reads::PostsTopic, Reads::ViewersCountry]].concat(),
            Subject::AuthorGave => vec![Reads::Gave],
            Subject::ViewerHours => vec![Reads::ThisHour, Reads::ThisWeekday],
            Subject::ViewerReceived => [all_content(), vec![Reads::ViewersCountry]].concat(),
            Subject::Country => all_content(),
            Subject::Topic => [
                any(),
                carried.map(|carries| Reads::Content(Content::Carries(carries))).to_vec(),
                vec![Reads::ViewersCountry],
            ]
            .concat(),
            Subject::Community => [any(), vec![Reads::Follows(true), Reads::Follows(false)]].concat(),
            Subject::Reposter | Subject::Parent | Subject::Root | Subject::Quoted | Subject::Language => {
                any()
            }
        };
        let cut = |read: &Reads| {
            let content = if let Reads::Content(content) = *read { content } else { Content::Any };
            let has: fn(EngagementKind, Content) -> bool = |kind, content| content.has(kind);
            (read.name().to_owned(), has, content)
        };
        let columns = Columns::new(reads.iter().map(cut));
        Self { store, subject, reads, columns }
    }

    fn key(&self, query: &Query, candidate: Option<&Candidate>) -> Option<TallyKey> {
        let post = |id: PostId| TallyKey::Post(id);
        Some(match self.subject {
            Subject::Post => post(candidate?.original_id()),
            Subject::Author | Subject::AuthorGave => TallyKey::Person(candidate?.original_author_id()),
            Subject::Reposter => TallyKey::Person(candidate.filter(|c| c.is_repost())?.author_id),
            Subject::Parent => post(candidate?.content()?.in_reply_to?.id),
            Subject::Root => {
                let content = candidate?.content()?;
                post(Some(content.conversation).filter(|root| *root != content.id)?)
            }
            Subject::Quoted => post(candidate?.content()?.quotes?.id),
            Subject::Topic => TallyKey::Topic(topic_code(candidate?.content()?.topic?)),
            Subject::Community => {
                TallyKey::Community(self.store.home_community(candidate?.original_author_id())?)
            }
            Subject::Language => TallyKey::Language(language_code(candidate?.content()?.language)),
            Subject::ViewerReceived | Subject::ViewerHours => TallyKey::Person(query.viewer),
            Subject::Country => TallyKey::Country(viewers_country(query)?),
        })
    }
}

impl Component for Received {
    fn name(&self) -> &'static str {
        match self.subject {
            Subject::Post => "post_received",
            Subject::Author => "author_received",
            Subject::AuthorGave => "author_gave",
            Subject::Reposter => "reposter_received",
            Subject::Parent => "parent_received",
            Subject::Root => "root_received",
            Subject::Quoted => "quoted_received",
            Subject::Topic => "topic_received",
            Subject::Community => "community_received",
            Subject::Language => "language_received",
            Subject::ViewerReceived => "viewer_received",
            Subject::ViewerHours => "viewer_hours",
            Subject::Country => "country_gave",
        }
    }

    fn about(&self) -> &'static str {
        match self.subject {
            Subject::Post => "engagements the post received, by who engaged",
            Subject::Author => "engagements the author received, by the posts' content, topic and country",
            Subject::AuthorGave => "engagements the author gave",
            Subject::Reposter => "engagements received by who passed the post on",
            Subject::Parent => "engagements the post's parent received",
            Subject::Root => "engagements the conversation's first post received",
            Subject::Quoted => "engagements the quoted post received",
            Subject::Topic => "engagements posts of the topic received, by content and country",
            Subject::Community => "engagements authors of the author's community received",
            Subject::Language => "engagements posts in the language received",
            Subject::ViewerReceived => "engagements the viewer's own posts received, by content and country",
            Subject::ViewerHours => "engagements the viewer gave at this hour of the day and on this weekday",
            Subject::Country => "engagements people of the viewer's country gave, by content",
        }
    }
}

impl FeatureFamily for Received {
    fn level(&self) -> Level {
        match self.subject {
            Subject::ViewerReceived | Subject::ViewerHours | Subject::Country => Level::Request,
            _ => Level::Candidate,
        }
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        self.columns.specs(self.name())
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let of_request = self.level() == Level::Request;
        let candidate = |index: usize| if of_request { None } else { candidates.get(index) };
        let with_key = (0..rows.len()).filter_map(|index| Some((self.key(query, candidate(index))?, index)));
        let (keys, places): (Vec<TallyKey>, Vec<usize>) = with_key.unzip();
        let decay = DecayTable::new(query.now);
        self.store.visit_tallies(&keys, &mut |position, tally| {
            let index = places[position];
            let mut row = rows.row(index);
            let out = row.continuous();
            for (place, read) in self.reads.iter().enumerate() {
                let Some((cut, code)) = read.cut(query, candidate(index)) else { continue };
                for counted in tally.of(cut, code).iter() {
                    let slots = self.columns.slots(out, place, counted.key.kind());
                    slots
                        .iter_mut()
                        .zip(counted.count.values(&decay))
                        .for_each(|(slot, value)| *slot = value);
                }
            }
        });
        Ok(())
    }
}
