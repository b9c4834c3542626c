//! The page of the admin interface: who may come in, and what people do there, in a real browser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says loudly when it is skipped"
)]

mod browser;
mod door;
mod looks;
mod setting;
mod tasks;
