//! The driver of `cargo xtask soak`: `soak PROGRAM MINUTES SEED`. Ends with 1 when something was wrong.
#![allow(clippy::print_stdout, reason = "it is started for what it prints")]

use anyhow::{Context, bail};
use nearside_tests::faults::soak::{self, Length, Plan};
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| {
        arguments.next().with_context(|| format!("{what} is missing: `cargo xtask soak` says it"))
    };
    let program = next("the program")?.into();
    let minutes: u64 = next("the minutes")?.parse().context("no number of minutes")?;
    let seed: u64 = next("the seed")?.parse().context("no seed")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let plan = Plan { program, seed, length: Length::Time(Duration::from_secs(60 * minutes)) };
    let report = runtime.block_on(soak::run(&plan, &mut |line| println!("{line}")));
    println!("\n{}", report.text);
    if report.wrong.is_empty() {
        println!("All was well.");
        return Ok(());
    }
    bail!("wrong:\n  {}", report.wrong.join("\n  "))
}
