//! The strategy matrix: each page's file is loaded and driven until its promise is seen, and what the pages print is true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod active;
mod law;
mod pages;
mod passive;
mod spill;
mod stamps;
mod sticky;

use nearside_tests::{Edge, client};
use std::collections::BTreeMap;

/// The pages.
const PAGES: [&str; 6] =
    ["active-active", "active-passive", "compliance", "deployment-stamps", "spillover", "sticky-regions"];

/// Which backends answer so many requests of one client, one after the other, and how many each; all are answered.
async fn answers(edge: &Edge, count: usize, headers: &[(&str, &str)]) -> BTreeMap<String, usize> {
    let (client, mut found) = (client::reqwest(edge, true), BTreeMap::new());
    for _ in 0..count {
        let mut request = client.get(client::url(edge, "/"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        *found.entry(client::backend(&request.send().await.unwrap())).or_default() += 1;
    }
    found
}

/// The names of those that answered.
fn names(found: &BTreeMap<String, usize>) -> Vec<&str> {
    found.keys().map(String::as_str).collect()
}

/// The edge's file with this region marked drained.
fn drained(file: &str, region: &str) -> String {
    let marked =
        file.replacen(&format!("  {region}: {{ "), &format!("  {region}: {{ drain: \"a test\", "), 1);
    assert_ne!(marked, file, "{region}");
    marked
}
