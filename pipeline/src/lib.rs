//! Home Mixer's funnel: candidates to mixed timeline.
//!
//! The crate's core is [`engine`] (how declared lists of components are run) and [`domain`] (what they are run over: posts,
//! users, queries, candidates, and the traits of the stores that components read). Everything else is components, one a
//! file, and [`products`], which only list them. [`config`] holds every constant by its name. Embedded stores come with
//! feature `stores`, the model with feature `model`.
#![forbid(unsafe_code)]

pub mod config;
pub mod domain;
pub mod engine;
pub mod explain;
pub mod features;
pub mod filters;
pub mod gates;
pub mod hydrators;
pub mod listing;
pub mod mixing;
#[cfg(feature = "model")]
pub mod model_client;
pub mod products;
pub mod query_hydrators;
pub mod scorers;
pub mod sealed;
pub mod selectors;
#[cfg(feature = "service")]
pub mod service;
pub mod side_effects;
pub mod sources;
#[cfg(feature = "stores")]
pub mod stores;
pub mod timeline;
#[cfg(feature = "stores")]
pub mod world;

#[cfg(test)]
mod testing;
