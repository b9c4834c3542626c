//! Abuse: what hostile clients and broken backends send, case by case. Each case is judged at a backend that keeps every
//! byte, or on the wire, and has a lawful neighbour that passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod backend;
mod case;
mod h2;
mod mutants;
mod request;
mod setting;
mod slow;
mod tls;
