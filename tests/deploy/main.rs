//! How nearside is run in production: the unit that is shipped, the rights that are enough, and the secrets that stay where
//! they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod rights;
mod secrets;
mod unit;
