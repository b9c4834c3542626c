//! How nearside is run in production: the unit that is shipped, the rights that are enough, and the secrets that stay where
//! they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod compose;
mod container;
mod kernel;
mod kubernetes;
mod package;
mod rights;
mod secrets;
mod shell;
mod unit;

/// The text of a file of the source tree.
fn shipped(path: &str) -> String {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(top.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
