//! The families of features, one file each.

mod affinity;
mod aggregates;
mod author;
mod communities;
mod conversation;
mod happened;
mod one_hot;
mod post;
mod real_graph;
mod request;
mod search;
mod source;
mod standing;
mod text;
mod tie_standing;
mod two_hop;

use std::sync::Arc;

pub use affinity::AffinityFeatures;
pub use aggregates::{Content, GivenByViewer, Group, Received, Reciprocal, Shares, Subject};
pub use author::AuthorFeatures;
pub use communities::CommunityFeatures;
pub use conversation::ConversationFeatures;
pub use happened::Happened;
pub use one_hot::{AuthorIs, PostIs, RequestIs};
pub use post::PostFeatures;
pub use real_graph::RealGraphFeatures;
pub use request::RequestFeatures;
pub use search::SearchFeatures;
pub use source::SourceFeatures;
pub use standing::StandingFeatures;
pub use text::TextFeatures;
pub use tie_standing::TieStandingFeatures;
pub use two_hop::TwoHopFeatures;
pub(crate) use two_hop::{second_degree, strongest_followed};

use super::{FeatureFamily, FeatureSpec};
use crate::domain::stores::Stores;

/// All families in the order of their slots: what a model is most likely to use first.
pub fn all(stores: &Stores) -> Vec<Arc<dyn FeatureFamily>> {
    let received = |subject| -> Arc<dyn FeatureFamily> {
        Arc::new(Received::new(Arc::clone(&stores.aggregates), subject))
    };
    let given = |group| -> Arc<dyn FeatureFamily> {
        Arc::new(GivenByViewer::new(Arc::clone(&stores.aggregates), group))
    };
    let mut families: Vec<Arc<dyn FeatureFamily>> = vec![
        Arc::new(PostFeatures),
        Arc::new(AuthorFeatures { graph: Arc::clone(&stores.graph) }),
        Arc::new(SourceFeatures),
        Arc::new(RequestFeatures),
        Arc::new(RealGraphFeatures { real_graph: Arc::clone(&stores.real_graph) }),
        Arc::new(CommunityFeatures { embeddings: Arc::clone(&stores.embeddings) }),
        Arc::new(ConversationFeatures { posts: Arc::clone(&stores.posts) }),
        Arc::new(TwoHopFeatures { graph: Arc::clone(&stores.graph) }),
        Arc::new(TieStandingFeatures { real_graph: Arc::clone(&stores.real_graph) }),
        Arc::new(StandingFeatures),
        Arc::new(AffinityFeatures { embeddings: Arc::clone(&stores.embeddings) }),
        Arc::new(SearchFeatures),
        Arc::new(TextFeatures),
        received(Subject::Post),
        received(Subject::Author),
        given(Group::Anybody),
        received(Subject::ViewerHours),
        given(Group::Author),
    ];
    families.extend(
        [
            Subject::Topic,
            Subject::Community,
            Subject::ViewerReceived,
            Subject::Country,
            Subject::Language,
            Subject::AuthorGave,
            Subject::Reposter,
            Subject::Parent,
            Subject::Root,
            Subject::Quoted,
        ]
        .map(received),
    );
    families.extend(
        [
            Group::Topic,
            Group::Community,
            Group::Language,
            Group::Reposter,
            Group::Mentions,
            Group::Engagers,
            Group::ParentAuthor,
        ]
        .map(given),
    );
    families.push(Arc::new(Reciprocal::new(Arc::clone(&stores.aggregates))));
    families.push(Arc::new(Shares));
    families.push(Arc::new(RequestIs));
    families.push(Arc::new(AuthorIs));
    families.push(Arc::new(PostIs));
    families.push(Arc::new(Happened { store: Arc::clone(&stores.aggregates) }));
    families
}

/// Features of a family by their names.
fn named(family: &str, names: &[&str]) -> Vec<FeatureSpec> {
    names.iter().map(|name| FeatureSpec::new(format!("{family}.{name}"))).collect()
}
