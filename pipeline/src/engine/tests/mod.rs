//! Tests of the execution contract, over toy queries and candidates.

mod conservation;
mod contract;
mod toys;
