//! Tests of the embedded stores through their traits.
