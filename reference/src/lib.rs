//! The f64 truth of the Heavy Ranker.
#![forbid(unsafe_code)]
