//! The documentation: its links lead somewhere, its files load, its commands do what it says, and it is a book. That its calls
//! of nearside are understood is tested where the command line is (`nearside::args`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod book;
mod files;
mod guides;
mod links;
mod runbooks;

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the source tree.
fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every page: README and all below `docs`.
fn pages() -> Vec<PathBuf> {
    let mut found = vec![top().join("README.md"), top().join("tests/fuzz/README.md")];
    let mut folders = vec![top().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A page's name, as a reader says it.
fn name(page: &Path) -> String {
    page.strip_prefix(top()).unwrap().display().to_string()
}

fn parser(text: &str) -> pulldown_cmark::Parser<'_> {
    pulldown_cmark::Parser::new_ext(text, pulldown_cmark::Options::ENABLE_TABLES)
}
