//! The driver of `cargo xtask faults`: carries out faults and prints an account of each, a JSON object a line.
//!
//! Its only argument is the order, as JSON: `{ "program": "…/nearside", "short": false, "faults": ["kill-one"],
//! "proxies": [["nearside", "…/nearside"], ["nginx", "/usr/sbin/nginx"]] }`.
#![allow(clippy::print_stdout, reason = "it is started for what it prints")]

use anyhow::{Context, bail};
use nearside_tests::faults::{self, Fault, Kind, Pace, Stage};
use serde::Deserialize;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use tokio::runtime::Runtime;

/// What is to be done.
#[derive(Deserialize)]
struct Order {
    /// The program `nearside`, whose sample backends are used.
    program: PathBuf,
    short: bool,
    faults: Vec<String>,
    /// Names and programs.
    proxies: Vec<(String, PathBuf)>,
}

fn main() -> anyhow::Result<()> {
    let order = std::env::args().nth(1).context("an order is missing: `cargo xtask faults` gives one")?;
    let order: Order = serde_json::from_str(&order).context("the order cannot be read")?;
    let pace = if order.short { Pace::SHORT } else { Pace::FULL };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    // What broke a scene stands in its account.
    std::panic::set_hook(Box::new(|_| {}));
    for name in &order.faults {
        let fault = Fault::parse(name).with_context(|| format!("no such fault: {name}"))?;
        for (proxy, path) in &order.proxies {
            let stage = Stage { proxy: kind(proxy, path.clone())?, program: order.program.clone(), pace };
            println!("{}", account(&runtime, fault, &stage));
        }
    }
    Ok(())
}

/// The account, or why there is none: one scene that breaks does not hide the others.
fn account(runtime: &Runtime, fault: Fault, stage: &Stage) -> Value {
    let proxy = stage.proxy.name();
    if let Some(why) = faults::hindrance(fault, &stage.proxy) {
        return json!({ "proxy": proxy, "fault": fault.name(), "skipped": why });
    }
    let run = AssertUnwindSafe(|| runtime.block_on(faults::run(fault, stage)));
    match catch_unwind(run) {
        Ok(account) => account.record(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it broke");
            json!({ "proxy": proxy, "fault": fault.name(), "broken": text })
        }
    }
}

fn kind(name: &str, path: PathBuf) -> anyhow::Result<Kind> {
    Ok(match name {
        "nearside" => Kind::Nearside(path),
        "nginx" => Kind::Nginx(path),
        "haproxy" => Kind::Haproxy(path),
        "envoy" => Kind::Envoy(path),
        _ => bail!("no such proxy: {name}"),
    })
}
