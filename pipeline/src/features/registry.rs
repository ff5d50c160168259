//! Which feature has which slot.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::{FeatureFamily, FeatureSpec, Level};
use crate::domain::{ModelInputs, RequestColumns};

/// Continuous slots of a record.
pub const CONTINUOUS_SLOTS: usize = 6000;
/// Binary slots of a record.
pub const BINARY_SLOTS: usize = 512;

/// Why families do not make a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two features have the same name.
    #[error("feature \"{0}\" is declared twice")]
    Duplicate(String),
    /// More features than slots.
    #[error("{count} {kind} features, the record has {slots} slots")]
    Full {
        /// Continuous or binary.
        kind: &'static str,
        /// How many were declared.
        count: usize,
        /// How many there can be.
        slots: usize,
    },
    /// A family reads one that does not stand before it, or one of the request.
    #[error("family \"{family}\" reads family \"{other}\", which must stand earlier and be of candidates")]
    Order {
        /// The reader.
        family: &'static str,
        /// The one it reads.
        other: &'static str,
    },
    /// The model takes some columns once a request that differ between candidates, or cuts a family in two.
    #[error(
        "family \"{family}\" has {kind} slots {slots:?}, of which the model takes only some, or differing ones, once a request"
    )]
    Split {
        /// The family.
        family: &'static str,
        /// Continuous or binary.
        kind: &'static str,
        /// Its slots.
        slots: Range<usize>,
    },
}

/// A family at its place.
pub(super) struct Placed {
    pub(super) family: Arc<dyn FeatureFamily>,
    pub(super) continuous: Range<usize>,
    pub(super) binary: Range<usize>,
    /// Continuous slots of the families that it reads.
    pub(super) after: Vec<Range<usize>>,
    /// 0 for a family that reads no other, else one more than the latest of those that it reads.
    pub(super) phase: usize,
    pub(super) continuous_defaults: Vec<f32>,
    pub(super) binary_defaults: Vec<f32>,
}

/// One line of the generated table of families.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyRow {
    /// The family.
    pub name: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// Of the request or of each candidate.
    pub level: Level,
    /// When it is computed.
    pub phase: usize,
    /// Its continuous slots.
    pub continuous: Range<usize>,
    /// Its binary slots.
    pub binary: Range<usize>,
}

/// Families with their slots.
pub struct Registry {
    pub(super) placed: Vec<Placed>,
    names: [Vec<String>; 2],
}

impl Registry {
    /// Gives consecutive slots to the families, in list order.
    ///
    /// # Errors
    /// Names clash, slots do not suffice, or a family reads one that does not stand before it.
    pub fn new(families: Vec<Arc<dyn FeatureFamily>>) -> Result<Self, RegistryError> {
        let mut names = [Vec::new(), Vec::new()];
        let mut met = HashSet::new();
        let mut places: HashMap<&'static str, usize> = HashMap::new();
        let mut placed: Vec<Placed> = Vec::new();
        for family in families {
            let specs = [family.continuous(), family.binary()];
            let mut ranges = [0..0, 0..0];
            for ((specs, names), range) in specs.iter().zip(&mut names).zip(&mut ranges) {
                *range = names.len()..names.len() + specs.len();
                for spec in specs {
                    if !met.insert(spec.name.clone()) {
                        return Err(RegistryError::Duplicate(spec.name.clone()));
                    }
                    names.push(spec.name.clone());
                }
            }
            let mut after = Vec::new();
            let mut phase = 0;
            for &other in family.after() {
                let earlier = places.get(other).map(|&place| &placed[place]);
                let earlier = earlier.filter(|placed| placed.family.level() == Level::Candidate);
                let earlier = earlier.ok_or(RegistryError::Order { family: family.name(), other })?;
                after.push(earlier.continuous.clone());
                phase = phase.max(earlier.phase + 1);
            }
            places.insert(family.name(), placed.len());
            let [continuous, binary] = ranges;
            let [continuous_defaults, binary_defaults] = specs.map(defaults);
            placed.push(Placed {
                family,
                continuous,
                binary,
                after,
                phase,
                continuous_defaults,
                binary_defaults,
            });
        }
        for (kind, names, slots) in
            [("continuous", &names[0], CONTINUOUS_SLOTS), ("binary", &names[1], BINARY_SLOTS)]
        {
            if names.len() > slots {
                return Err(RegistryError::Full { kind, count: names.len(), slots });
            }
        }
        Ok(Self { placed, names })
    }

    /// Names of the continuous features, by slot.
    pub fn continuous_names(&self) -> &[String] {
        &self.names[0]
    }

    /// Names of the binary features, by slot.
    pub fn binary_names(&self) -> &[String] {
        &self.names[1]
    }

    /// The columns, of those that a model reads, that are the same for all candidates of a request.
    pub fn request_columns(&self, inputs: ModelInputs) -> RequestColumns {
        let mut columns = RequestColumns::default();
        for placed in self.placed.iter().filter(|placed| placed.family.level() == Level::Request) {
            for (slots, read, ranges) in [
                (&placed.continuous, inputs.continuous, &mut columns.continuous),
                (&placed.binary, inputs.binary, &mut columns.binary),
            ] {
                let slots = clip(slots, read);
                if !slots.is_empty() {
                    ranges.push(slots);
                }
            }
        }
        columns
    }

    /// The families with their slots, for the generated documentation.
    pub fn rows(&self) -> Vec<FamilyRow> {
        let row = |placed: &Placed| FamilyRow {
            name: placed.family.name(),
            about: placed.family.about(),
            level: placed.family.level(),
            phase: placed.phase + 1,
            continuous: placed.continuous.clone(),
            binary: placed.binary.clone(),
        };
        self.placed.iter().map(row).collect()
    }
}

/// The part of `slots` that a model reads.
pub(super) fn clip(slots: &Range<usize>, read: usize) -> Range<usize> {
    slots.start.min(read)..slots.end.min(read)
}

fn defaults(specs: Vec<FeatureSpec>) -> Vec<f32> {
    specs.into_iter().map(|spec| spec.default).collect()
}
