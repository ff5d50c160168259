//! Home Mixer's funnel: candidates to mixed timeline.
#![forbid(unsafe_code)]
