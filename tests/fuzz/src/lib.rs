//! Fuzzing: what strangers send, mutated, against everything that reads it.
//!
//! A target takes any bytes and panics when a rule is broken. Two engines call it: [`smoke`], which needs nothing but stable
//! Rust and mutates the corpus by chance, and libFuzzer (the binary `guided`), which follows coverage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target fails by panicking"
)]

mod edge;
mod mutate;
pub mod smoke;
mod targets;

pub use targets::{TARGETS, Target, find};
