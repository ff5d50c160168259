//! Matrix instructions of a warp.

pub(crate) mod fragments;
mod ldmatrix;
mod mma;
