//! Home Mixer's funnel: candidates to mixed timeline.
//!
//! The crate's core is [`engine`] (how declared lists of components are run) and [`domain`] (what they are run over: posts,
//! users, queries, candidates, and the traits of the stores that components read). Everything else is components and
//! their declaration. Embedded stores come with feature `stores`.
#![forbid(unsafe_code)]

pub mod domain;
pub mod engine;
