//! Watching some candidates on their way through a run, and running a request again as it was.
//!
//! An [`Inspector`] is handed to a run by whoever asks about a candidate. The engine shows it the candidates after every
//! component, and each filter's verdict; it keeps what it was asked about. It sees the very lists that the components
//! see, so what it tells cannot differ from what happened. A run without inspectors pays for one look at an empty list.
//!
//! A [`Recording`] is what a run read that the run itself, or time, changes: the hydrated query of each pipeline, and the
//! quality factors. A run that replays one takes them from there, and has no side effects.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{StageKind, Verdict};

/// One candidate at one component.
#[derive(Clone, Debug)]
pub struct Sighting<C> {
    /// The pipeline.
    pub pipeline: &'static str,
    /// The list.
    pub stage: StageKind,
    /// The component.
    pub component: &'static str,
    /// Position among the component's candidates, from 0: after it, or before it where it was removed.
    pub place: usize,
    /// How many candidates there were.
    pub of: usize,
    /// Position by score, from 0.
    pub rank: usize,
    /// The rule that removed it here; none while it goes on.
    pub removed: Option<&'static str>,
    /// The candidate, as it was then.
    pub candidate: C,
}

/// Watches candidates of one kind.
pub struct Inspector<C> {
    wanted: Box<dyn Fn(&C) -> bool + Send + Sync>,
    score: fn(&C) -> f64,
    sightings: Mutex<Vec<Sighting<C>>>,
}

/// Where candidates are seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) pipeline: &'static str,
    pub(super) stage: StageKind,
    pub(super) component: &'static str,
}

impl<C: Clone> Inspector<C> {
    /// An inspector of the candidates that are `wanted`, ranked by `score`.
    pub fn new(wanted: impl Fn(&C) -> bool + Send + Sync + 'static, score: fn(&C) -> f64) -> Arc<Self> {
        Arc::new(Self { wanted: Box::new(wanted), score, sightings: Mutex::default() })
    }

    /// What was seen, in order.
    pub fn sightings(&self) -> Vec<Sighting<C>> {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn see_left_out(
        &self,
        spot: Spot,
        candidates: &[C],
        left_out: &dyn Fn(usize) -> Option<(&'static str, &'static str)>,
    ) {
        let before = self.sightings().len();
        self.see(spot, candidates.iter(), left_out);
        // What stays is seen in its new place.
        let mut sightings = self.sightings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = sightings.split_off(before);
        seen.retain(|sighting| sighting.removed.is_some());
        sightings.append(&mut seen);
    }

    fn see<'a>(
        &self,
        spot: Spot,
        candidates: impl Iterator<Item = &'a C> + Clone,
        removed: impl Fn(usize) -> Option<(&'static str, &'static str)>,
    ) where
        C: 'a,
    {
        let of = candidates.clone().count();
        for (place, candidate) in candidates.clone().enumerate().filter(|(_, c)| (self.wanted)(c)) {
            let own = (self.score)(candidate);
            let rank = candidates.clone().filter(|other| (self.score)(other) > own).count();
            let Spot { pipeline, stage, component } = spot;
            let (component, removed) = match removed(place) {
                Some((by, rule)) => (by, Some(rule)),
                None => (component, None),
            };
            let candidate = candidate.clone();
            let sighting = Sighting { pipeline, stage, component, place, of, rank, removed, candidate };
            self.sightings.lock().unwrap_or_else(PoisonError::into_inner).push(sighting);
        }
    }
}

/// What a run read that it, or time, changes.
#[derive(Clone, Default)]
pub struct Recording {
    /// By pipeline.
    queries: BTreeMap<&'static str, Arc<dyn Any + Send + Sync>>,
    /// By pipeline.
    qualities: BTreeMap<&'static str, f64>,
}

impl Recording {
    /// The hydrated query of a pipeline, if it ran and has queries of this kind.
    pub fn query<Q: Send + Sync + 'static>(&self, pipeline: &str) -> Option<Arc<Q>> {
        Arc::clone(self.queries.get(pipeline)?).downcast().ok()
    }
}

/// How a run differs from a usual one.
#[derive(Clone, Default)]
pub struct Inspection {
    inspectors: Vec<Arc<dyn Any + Send + Sync>>,
    replayed: Option<Recording>,
    is_dry: bool,
}

impl Inspection {
    /// A run without side effects, which is watched by inspectors.
    pub fn dry() -> Self {
        Self { is_dry: true, ..Self::default() }
    }

    /// Takes hydrated queries and quality factors from a recording.
    pub fn replaying(mut self, recording: Recording) -> Self {
        self.replayed = Some(recording);
        self
    }

    /// Adds an inspector.
    pub fn watched_by<C: Send + Sync + 'static>(mut self, inspector: &Arc<Inspector<C>>) -> Self {
        let inspector: Arc<Inspector<C>> = Arc::clone(inspector);
        self.inspectors.push(inspector);
        self
    }

    pub(super) fn is_dry(&self) -> bool {
        self.is_dry
    }

    pub(super) fn is_replay(&self) -> bool {
        self.replayed.is_some()
    }

    /// The recorded query of a pipeline.
    pub(super) fn query<Q: Send + Sync + 'static>(&self, pipeline: &str) -> Option<Arc<Q>> {
        self.replayed.as_ref()?.query(pipeline)
    }

    /// The recorded quality of a pipeline.
    pub(super) fn quality(&self, pipeline: &str) -> Option<f64> {
        self.replayed.as_ref()?.qualities.get(pipeline).copied()
    }

    /// Shows candidates after a component.
    pub(super) fn show<C: Clone + Send + Sync + 'static>(&self, spot: Spot, candidates: &[C]) {
        self.each(|inspector: &Inspector<C>| inspector.see(spot, candidates.iter(), |_| None));
    }

    /// Shows candidates and what a filter says of them.
    pub(super) fn show_verdicts<C: Clone + Send + Sync + 'static>(
        &self,
        spot: Spot,
        candidates: &[C],
        verdicts: &[Verdict],
    ) {
        let removed = |place: usize| match verdicts.get(place) {
            Some(Verdict::Remove(rule)) => Some((spot.component, *rule)),
            _ => None,
        };
        self.each(|inspector: &Inspector<C>| inspector.see(spot, candidates.iter(), removed));
    }

    /// Shows those candidates that a choice leaves out, each with the selector that did and its rule.
    pub(super) fn show_left_out<C: Clone + Send + Sync + 'static>(
        &self,
        spot: Spot,
        candidates: &[C],
        left_out: &dyn Fn(usize) -> Option<(&'static str, &'static str)>,
    ) {
        self.each(|inspector: &Inspector<C>| inspector.see_left_out(spot, candidates, left_out));
    }

    /// Whether anybody watches.
    pub(super) fn is_watched(&self) -> bool {
        !self.inspectors.is_empty()
    }

    fn each<C: Send + Sync + 'static>(&self, show: impl Fn(&Inspector<C>)) {
        self.inspectors
            .iter()
            .filter_map(|inspector| inspector.downcast_ref::<Inspector<C>>())
            .for_each(show);
    }
}

/// A recording under way.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Recording>);

impl Recorder {
    pub(super) fn keep_query<Q: Send + Sync + 'static>(&self, pipeline: &'static str, query: &Arc<Q>) {
        let query: Arc<Q> = Arc::clone(query);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).queries.insert(pipeline, query);
    }

    pub(super) fn keep_quality(&self, pipeline: &'static str, quality: f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).qualities.insert(pipeline, quality);
    }

    pub(super) fn recording(&self) -> Recording {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
