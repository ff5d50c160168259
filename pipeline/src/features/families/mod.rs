//! The families of features, one file each.

mod author;
mod communities;
mod counts;
mod post;
mod rates;
mod real_graph;
mod request;
mod source;

use std::sync::Arc;

pub use author::AuthorFeatures;
pub use communities::CommunityFeatures;
pub use counts::{CountFeatures, CountScope};
pub use post::PostFeatures;
pub use rates::RateFeatures;
pub use real_graph::RealGraphFeatures;
pub use request::RequestFeatures;
pub use source::SourceFeatures;

use super::{FeatureFamily, FeatureSpec};
use crate::domain::stores::Stores;

/// All families in the order of their slots.
pub fn all(stores: &Stores) -> Vec<Arc<dyn FeatureFamily>> {
    let counts = |scope| CountFeatures { engagements: Arc::clone(&stores.engagements), scope };
    vec![
        Arc::new(PostFeatures),
        Arc::new(AuthorFeatures { graph: Arc::clone(&stores.graph) }),
        Arc::new(SourceFeatures),
        Arc::new(RequestFeatures),
        Arc::new(RealGraphFeatures { real_graph: Arc::clone(&stores.real_graph) }),
        Arc::new(CommunityFeatures { embeddings: Arc::clone(&stores.embeddings) }),
        Arc::new(counts(CountScope::Post)),
        Arc::new(counts(CountScope::Author)),
        Arc::new(counts(CountScope::Viewer)),
        Arc::new(counts(CountScope::ViewerAuthor)),
        Arc::new(RateFeatures),
    ]
}

/// Features of a family by their names.
fn named(family: &str, names: &[&str]) -> Vec<FeatureSpec> {
    names.iter().map(|name| FeatureSpec::new(format!("{family}.{name}"))).collect()
}
