//! What the viewer gave: in all, to the author, to the topic, to those who stand behind the post.

use std::sync::Arc;

use super::{Columns, Content};
use crate::domain::stores::{AggregateStore, Given};
use crate::domain::{
    Candidate, Cell, DecayTable, EngagementKind, Form, IdMap, Query, WINDOWS, language_code, topic_code,
};
use crate::engine::{Component, Failure};
use crate::features::{FeatureFamily, FeatureSpec, Level, Rows};

/// To whom or what, of a candidate's, the viewer gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// To anybody.
    Anybody,
    /// To the author of what a reader sees.
    Author,
    /// To who passed it on, where somebody did.
    Reposter,
    /// To posts of its topic.
    Topic,
    /// To authors of its author's community.
    Community,
    /// To posts in its language.
    Language,
    /// To people named in it, all together.
    Mentions,
    /// To people of the viewer's network who stand behind it, all together.
    Engagers,
    /// To the author of the post it answers.
    ParentAuthor,
}

/// What the viewer gave to one group.
pub struct GivenByViewer {
    store: Arc<dyn AggregateStore>,
    group: Group,
    contents: Vec<Content>,
    columns: Columns,
}

/// One row of what the viewer gave, at the request's moment.
struct Valued {
    cell: Cell,
    kind: EngagementKind,
    values: [f32; WINDOWS],
}

impl GivenByViewer {
    /// The family of a group.
    pub fn new(store: Arc<dyn AggregateStore>, group: Group) -> Self {
        let contents = match group {
            Group::Anybody | Group::Author => Content::ALL.to_vec(),
            Group::Topic | Group::Community => {
                vec![Content::Any, Content::Form(Form::Original), Content::Form(Form::Reply)]
            }
            _ => vec![Content::Any],
        };
        let has: fn(EngagementKind, Content) -> bool = |kind, content| content.has(kind);
        let columns = Columns::new(contents.iter().map(|&cut| (cut.name().to_owned(), has, cut)));
        Self { store, group, contents, columns }
    }

    /// The group's number that a row belongs to.
    fn of_row(&self, given: &Given) -> Option<u64> {
        match self.group {
            Group::Anybody => Some(0),
            Group::Author | Group::Reposter | Group::Mentions | Group::Engagers | Group::ParentAuthor => {
                Some(given.author.0)
            }
            Group::Topic => (given.topic != 0).then_some(u64::from(given.topic)),
            Group::Community => given.community.map(u64::from),
            Group::Language => Some(u64::from(given.language)),
        }
    }

    /// The numbers whose rows a candidate gets.
    fn of_candidate(&self, candidate: &Candidate, numbers: &mut Vec<u64>) {
        let content = candidate.content();
        match self.group {
            Group::Anybody => numbers.push(0),
            Group::Author => numbers.push(candidate.original_author_id().0),
            Group::Reposter => numbers.extend(candidate.is_repost().then_some(candidate.author_id.0)),
            Group::Topic => {
                let topic = content.and_then(|post| post.topic);
                numbers.extend(topic.map(|topic| u64::from(topic_code(topic))));
            }
            Group::Community => {
                let home = self.store.home_community(candidate.original_author_id());
                numbers.extend(home.map(u64::from));
            }
            Group::Language => {
                numbers.extend(content.map(|post| u64::from(language_code(post.language))));
            }
            Group::Mentions => {
                numbers.extend(content.iter().flat_map(|post| &post.mentions).map(|user| user.0));
            }
            Group::Engagers => {
                let proof = candidate.social_proof.get();
                let behind = proof.iter().flat_map(|proof| {
                    proof.liked_by.iter().chain(&proof.reposted_by).chain(&proof.replied_by)
                });
                numbers.extend(behind.map(|user| user.0));
            }
            Group::ParentAuthor => {
                let parent = content.and_then(|post| post.in_reply_to);
                numbers.extend(parent.map(|parent| parent.author.0));
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
    }

    fn add(&self, out: &mut [f32], given: &Valued) {
        for (place, content) in self.contents.iter().enumerate() {
            if content.selects(given.cell) {
                let slots = self.columns.slots(out, place, given.kind);
                slots.iter_mut().zip(given.values).for_each(|(slot, value)| *slot += value);
            }
        }
    }
}

impl Component for GivenByViewer {
    fn name(&self) -> &'static str {
        match self.group {
            Group::Anybody => "viewer_gave",
            Group::Author => "viewer_author",
            Group::Reposter => "viewer_reposter",
            Group::Topic => "viewer_topic",
            Group::Community => "viewer_community",
            Group::Language => "viewer_language",
            Group::Mentions => "viewer_mentions",
            Group::Engagers => "viewer_engagers",
            Group::ParentAuthor => "viewer_parent_author",
        }
    }

    fn about(&self) -> &'static str {
        match self.group {
            Group::Anybody => "engagements the viewer gave, by the posts' content",
            Group::Author => "engagements the viewer gave to the author, by the posts' content",
            Group::Reposter => "engagements the viewer gave to who passed the post on",
            Group::Topic => "engagements the viewer gave to the topic, by form",
            Group::Community => "engagements the viewer gave to the author's community, by form",
            Group::Language => "engagements the viewer gave to posts in the language",
            Group::Mentions => "engagements the viewer gave to people named in the post",
            Group::Engagers => "engagements the viewer gave to people of the network behind the post",
            Group::ParentAuthor => "engagements the viewer gave to the author of the post it answers",
        }
    }
}

impl FeatureFamily for GivenByViewer {
    fn level(&self) -> Level {
        if self.group == Group::Anybody { Level::Request } else { Level::Candidate }
    }

    fn continuous(&self) -> Vec<FeatureSpec> {
        self.columns.specs(self.name())
    }

    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure> {
        let decay = DecayTable::new(query.now);
        let mut groups = IdMap::<u64, Vec<Valued>>::default();
        self.store.visit_given(query.viewer, &mut |given| {
            if let Some(number) = self.of_row(given) {
                let values = given.count.values(&decay);
                let valued = Valued { cell: given.cell, kind: given.kind, values };
                groups.entry(number).or_default().push(valued);
            }
        });
        let mut numbers = Vec::new();
        for index in 0..rows.len() {
            numbers.clear();
            match (self.level(), candidates.get(index)) {
                (Level::Request, _) => numbers.push(0),
                (Level::Candidate, Some(candidate)) => self.of_candidate(candidate, &mut numbers),
                (Level::Candidate, None) => {}
            }
            let given = numbers.iter().filter_map(|number| groups.get(number)).flatten();
            let mut row = rows.row(index);
            given.for_each(|given| self.add(row.continuous(), given));
        }
        Ok(())
    }
}
