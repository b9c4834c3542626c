//! What is written down of what happened, and what can be asked of it afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod journal;
mod metrics;
mod top;
mod traces;
