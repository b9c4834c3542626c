//! The access log and the metrics, as a reader of them sees them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod access;
mod page;
mod scene;
