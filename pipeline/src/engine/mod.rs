//! How declared lists of components are run.
//!
//! ```text
//! product ── chooses ──► mixer ──► candidate pipelines ──► dependent ones ──► selectors ──► response ──► side effects
//!                                     │
//!                     one of them asks a recommendation pipeline:
//!                     candidate pipelines ► dependent ones ► selectors ► hydrators ► filters
//!                       ► scoring pipelines ► filters ► selectors ► hydrators ► filters ► side effects
//! ```
//!
//! A pipeline is a plain struct of lists; what may go into a list is one trait a file. The rules of execution:
//!
//! * Gates, filters, selectors and scoring pipelines run one after the other in list order; each sees what the earlier
//!   ones left. The first closed gate ends its pipeline.
//! * Query hydrators of a phase, hydrators of a phase, scorers of a scoring pipeline and candidate pipelines run at
//!   once. Their results are joined in list order, whoever finished first; where two write the same field, the later
//!   in the list wins.
//! * An [`AsyncQueryHydrator`] starts with the request and is awaited before the [`Step`] it names.
//! * A hydrator or scorer answers one row for each candidate, in order. Another length means that it is wired wrongly:
//!   that failure is never recovered. Any other failure of a hydrator leaves failed features, for which readers take
//!   defaults.
//! * A pipeline that fails contributes nothing, when its [`FailOpen`] policy covers the failure; else the request fails.
//! * Every async component runs in its own task under the smaller of its own timeout and the request's deadline: one
//!   that hangs, panics or blocks its thread cannot hold the request.
//! * Filters give verdicts and selectors move indices, so neither can lose or double a candidate; the engine checks the
//!   indices and, at the end, that what came in is what was served plus what was removed.

mod async_query_hydrator;
mod candidate_pipeline;
mod component;
mod decorator;
mod fail_open;
mod failure;
mod filter;
mod gate;
mod hydrator;
mod inspection;
mod intake;
mod metrics;
mod mixer_pipeline;
mod product;
mod quality_factor;
mod query_hydrator;
mod query_stages;
mod recommendation_pipeline;
mod report;
mod run;
mod scorer;
mod scoring_pipeline;
mod selector;
mod side_effect;
mod source;
mod stages;
#[cfg(test)]
mod tests;

pub use async_query_hydrator::{AsyncQueryHydrator, Step};
pub use candidate_pipeline::CandidatePipeline;
pub use component::{Component, ComponentRow};
pub use decorator::Decorator;
pub use fail_open::FailOpen;
pub use failure::{Failure, FailureKind};
pub use filter::{Filter, Removed, Verdict};
pub use gate::Gate;
pub use hydrator::{AnyHydrator, Hydrator};
pub use inspection::{Inspection, Inspector, Recording, Sighting};
pub use metrics::Metrics;
pub use mixer_pipeline::{Marshaller, Mixed, MixerPipeline};
pub use product::{MixerChoice, Product};
pub use quality_factor::{QualityFactor, QualityFactorConfig};
pub use query_hydrator::{AnyQueryHydrator, QueryHydrator};
pub use recommendation_pipeline::{Outcome, RecommendationPipeline};
pub use report::{Report, StageKind, StageReport, Status};
pub use run::{Engine, EngineConfig, Run};
pub use scorer::{AnyScorer, Scorer};
pub use scoring_pipeline::ScoringPipeline;
pub use selector::{Choice, Selector};
pub use side_effect::{Mode, Served, SideEffect};
pub use source::{Scope, Source, scaled_limit};

/// What a pipeline can be run for: cheap to clone, because a query is copied when an asynchronous hydrator still reads an
/// earlier state of it.
pub trait PipelineQuery: Clone + Send + Sync + 'static {}
impl<Q: Clone + Send + Sync + 'static> PipelineQuery for Q {}

/// What a pipeline can carry.
pub trait PipelineCandidate: Clone + Send + Sync + 'static {}
impl<C: Clone + Send + Sync + 'static> PipelineCandidate for C {}
