//! Decisions: each step as a table of cases, and the absolute rules as properties.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod routes;
mod rules;
mod scene;
mod shares;
mod steps;
