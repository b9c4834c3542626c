//! `cargo xtask soak`: all faults in random order against one nearside under load, judged by the backends' ledgers.
//!
//! What is done and judged stands in the test kit, which knows TLS and HTTP/2; here it is built and started.

use crate::process;
use crate::tools::{self, Need};
use anyhow::{Context, Result};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// For how long, and in which order.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long; a fault that has begun is carried out.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The order of an earlier soak, which told its seed.
    #[arg(long)]
    seed: Option<u64>,
    /// With full optimisation.
    #[arg(long)]
    release: bool,
}

/// Builds, and carries out faults until the time is over.
///
/// # Errors
/// When something cannot be built, or was wrong in the end: a GET failed, a POST arrived twice, memory grew.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = process::root()?;
    tools::ensure(&[Need::Build])?;
    let target = process::target(&root)?;
    // Out of the whole workspace, so that the libraries are those that the tests use.
    let both = ["build", "--workspace", "--bin", "soak", "--bin", "nearside"];
    process::run(process::cargo(&root).args(both))?;
    if arguments.release {
        process::run(process::cargo(&root).args(["build", "-p", "nearside", "--release"]))?;
    }
    let profile = if arguments.release { "release" } else { "debug" };
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs(),
    };
    let commit =
        process::output(Command::new("git").current_dir(&root).args(["describe", "--always", "--dirty"]))
            .unwrap_or_else(|_| "unknown".to_owned());
    println!("seed {seed}, {} minutes, profile {profile}, commit {}", arguments.minutes, commit.trim());
    let mut driver = Command::new(target.join("debug/soak"));
    driver.arg(target.join(profile).join("nearside")).args([arguments.minutes.to_string(), seed.to_string()]);
    process::run(&mut driver)
}
