//! Tests of the CPU backend's parts.
