//! Near and lawful, end to end: whom a request is believed to be from, where that leads it, and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod believed;
mod explained;
mod setting;
