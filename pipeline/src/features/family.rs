//! Features that are computed together.

use super::Rows;
use crate::domain::{Candidate, Query};
use crate::engine::{Component, Failure};

/// Whether a family's values differ between the candidates of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One row for the request.
    Request,
    /// One row for each candidate.
    Candidate,
}

/// One named feature.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSpec {
    /// The name, unique in the registry: `family.what`.
    pub name: String,
    /// Its value where hydration fails.
    pub default: f32,
}

impl FeatureSpec {
    /// A feature whose default is 0.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), default: 0.0 }
    }
}

/// Features that are computed together, because they read the same things.
pub trait FeatureFamily: Component {
    /// Whether its values differ between candidates.
    fn level(&self) -> Level;

    /// Its continuous features, in the order of their slots.
    fn continuous(&self) -> Vec<FeatureSpec> {
        Vec::new()
    }

    /// Its binary features, in the order of their slots.
    fn binary(&self) -> Vec<FeatureSpec> {
        Vec::new()
    }

    /// Families whose continuous features it reads. They must stand earlier in the registry, and be of candidates.
    fn after(&self) -> &'static [&'static str] {
        &[]
    }

    /// Fills the rows, which start out as defaults: one for the request or one for each candidate, in order.
    ///
    /// # Errors
    /// What it stands on failed: the plan then restores the defaults.
    fn fill(&self, query: &Query, candidates: &[Candidate], rows: &mut Rows<'_>) -> Result<(), Failure>;
}
