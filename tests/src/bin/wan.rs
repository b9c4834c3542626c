//! The driver of `cargo xtask wan`: measures tables on a network of namespaces and prints an account of each figure, a
//! JSON object a line; a first one says what is skipped, where nothing can be measured.
//!
//! Its only argument is the order, as JSON: `{ "nearside": "…/nearside", "nginx": "/usr/sbin/nginx",
//! "tables": [["down", [1000]]], "rounds": 5 }`.
#![allow(clippy::print_stdout, reason = "it is started for what it prints")]

use anyhow::Context;
use nearside_tests::split::Scene;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;

/// What is to be measured.
#[derive(Deserialize)]
struct Order {
    nearside: PathBuf,
    nginx: Option<PathBuf>,
    /// Each with its sizes.
    tables: Vec<(String, Vec<u64>)>,
    rounds: usize,
}

fn main() -> anyhow::Result<()> {
    let order = std::env::args().nth(1).context("an order is missing: `cargo xtask wan` gives one")?;
    let order: Order = serde_json::from_str(&order).context("the order cannot be read")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let Some(mut scene) = runtime.block_on(Scene::start(&order.nearside, order.nginx.as_deref())) else {
        println!("{}", json!({ "skipped": "a network of namespaces takes rights that are missing here" }));
        return Ok(());
    };
    for (table, sizes) in &order.tables {
        scene.measure(table, sizes, order.rounds, |account| println!("{account}"));
    }
    Ok(())
}
