//! Counts of engagements as features: crosses of scope, cut, kind and window.
//!
//! A family is one scope: what a post, an author or a topic received, what the viewer gave to an author, a topic, and so
//! on. Its features are crosses of its cuts (all engagements, with replies, with photos, by followers, …), the kinds that
//! can occur under a cut, and the windows: four half-lives and the total. [`Received`] reads tallies by their key,
//! [`GivenByViewer`] computes everything about the viewer from one pass over what the viewer did.

mod given;
mod received;
mod reciprocal;
mod shares;

pub use given::{GivenByViewer, Group};
pub use received::{Received, Subject};
pub use reciprocal::Reciprocal;
pub use shares::Shares;

use crate::domain::{Carries, Cell, EngagementKind, Form, WINDOW_NAMES, WINDOWS};
use crate::features::FeatureSpec;

/// What a cut of posts selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Everything.
    Any,
    /// Posts of a form.
    Form(Form),
    /// Posts that carry this.
    Carries(Carries),
    /// Posts with a link.
    Link,
    /// Posts with a long text.
    Long,
}

impl Content {
    /// All cuts of posts.
    pub const ALL: [Self; 9] = [
        Self::Any,
        Self::Form(Form::Original),
        Self::Form(Form::Reply),
        Self::Form(Form::Quote),
        Self::Carries(Carries::Text),
        Self::Carries(Carries::Photo),
        Self::Carries(Carries::Video),
        Self::Link,
        Self::Long,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Form(Form::Original) => "originals",
            Self::Form(Form::Reply) => "replies",
            Self::Form(Form::Quote) => "quotes",
            Self::Carries(Carries::Text) => "text",
            Self::Carries(Carries::Photo) => "photos",
            Self::Carries(Carries::Video) => "videos",
            Self::Link => "links",
            Self::Long => "long",
        }
    }

    fn selects(self, cell: Cell) -> bool {
        match self {
            Self::Any => true,
            Self::Form(form) => cell.form() == form,
            Self::Carries(carries) => cell.carries() == carries,
            Self::Link => cell.has_link(),
            Self::Long => cell.is_long(),
        }
    }

    /// Whether a kind tells something under this cut: a video can not be watched where there is none, and where there is
    /// one, watching it is the same as watching any.
    fn has(self, kind: EngagementKind) -> bool {
        match self {
            Self::Carries(_) => !matches!(kind, EngagementKind::PhotoExpand | EngagementKind::VideoHalf),
            Self::Link => kind != EngagementKind::LinkOpen,
            _ => true,
        }
    }
}

/// Where the features of each cut and kind stand in a family: kinds of a cut together, windows of a kind together.
#[derive(Clone, Debug)]
struct Columns {
    names: Vec<String>,
    /// (cuts,): the first column of each kind, where it has one.
    first: Vec<[Option<u16>; EngagementKind::ALL.len()]>,
}

impl Columns {
    fn new(cuts: impl IntoIterator<Item = (String, fn(EngagementKind, Content) -> bool, Content)>) -> Self {
        let mut columns = Self { names: Vec::new(), first: Vec::new() };
        for (cut, has, content) in cuts {
            let mut first = [None; EngagementKind::ALL.len()];
            for kind in EngagementKind::ALL.into_iter().filter(|&kind| has(kind, content)) {
                first[kind.index()] = Some(columns.names.len() as u16);
                let name = |window| format!("{cut}.{}.{window}", kind.name());
                columns.names.extend(WINDOW_NAMES.map(name));
            }
            columns.first.push(first);
        }
        columns
    }

    fn specs(&self, family: &str) -> Vec<FeatureSpec> {
        self.names.iter().map(|name| FeatureSpec::new(format!("{family}.{name}"))).collect()
    }

    /// The slots of a cut and kind in a family's row; none when it has none or the model does not read them.
    fn slots<'a>(&self, row: &'a mut [f32], cut: usize, kind: EngagementKind) -> &'a mut [f32] {
        let Some(first) = self.first[cut][kind.index()].map(usize::from) else { return &mut [] };
        let end = row.len().min(first + WINDOWS);
        row.get_mut(first..end).unwrap_or_default()
    }
}
