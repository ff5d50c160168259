//! Tests of the execution contract.
