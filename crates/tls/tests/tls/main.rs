//! Real handshakes, in memory, with certificates made for the test.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod backends;
mod careless;
mod clients;
mod homes;
mod kit;
mod local;
mod names;
mod problems;
mod sessions;
