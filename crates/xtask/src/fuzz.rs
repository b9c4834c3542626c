//! `cargo xtask fuzz`: what strangers send, mutated, against everything that reads it. The targets stand in `tests/fuzz`.

use crate::process;
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// How the compiler lets libFuzzer see which branches are taken; of a stable compiler's options.
const GUIDED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                      -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks \
                      --cfg fuzzing";

/// What is attacked, and for how long.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this target.
    target: Option<String>,
    /// Mutations by chance, for so long for each target, two targets at a time.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Mutations that follow coverage, by libFuzzer, for so long.
    #[arg(long, requires = "target")]
    minutes: Option<u64>,
}

/// Builds, and attacks.
///
/// # Errors
/// When something cannot be built, or an input breaks a rule: it is kept, and its file told.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = process::root()?;
    tools::ensure(&[Need::Build])?;
    match (&arguments.target, arguments.minutes) {
        (Some(target), Some(minutes)) => guided(&root, target, minutes),
        (target, _) => smoke(&root, target.as_deref(), arguments.seconds),
    }
}

fn smoke(root: &Path, target: Option<&str>, seconds: u64) -> Result<()> {
    // Out of the whole workspace, so that the libraries are those that the tests use.
    let mut command = process::cargo(root);
    command.args(["test", "--workspace", "--test", "fuzz", "--", "--test-threads", "2", "--nocapture"]);
    if let Some(target) = target {
        command.arg(format!("{target}::"));
    }
    process::run(command.env("NEARSIDE_FUZZ_SECONDS", seconds.to_string()))
}

/// Fresh inputs that reach something new are kept beside the build; those that break a rule, too.
fn guided(root: &Path, name: &str, minutes: u64) -> Result<()> {
    let kept = root.join("tests/fuzz/corpus").join(name);
    if !kept.is_dir() {
        bail!("no such target: {name}; each has its corpus in tests/fuzz/corpus");
    }
    let target = process::target(root)?.join("guided");
    let host = host()?;
    let mut build = process::cargo(root);
    // For a named platform the flags are for the program alone, not for what runs while it is built.
    build.args([
        "build",
        "--release",
        "--package",
        "nearside-fuzz",
        "--features",
        "guided",
        "--bin",
        "guided",
    ]);
    // Optimised as a whole it would be built for ages; lines are found by trying an input in the smoke's build.
    for faster in ["profile.release.lto=false", "profile.release.debug=\"none\""] {
        build.args(["--config", faster]);
    }
    build.args(["--target", &host]).env("RUSTFLAGS", GUIDED);
    process::run(build.env("CARGO_TARGET_DIR", &target))?;
    let fresh = target.join("corpus").join(name);
    std::fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
    let mut fuzzer = Command::new(target.join(&host).join("release/guided"));
    fuzzer.current_dir(&target).env("NEARSIDE_FUZZ_TARGET", name).arg(&fresh).arg(&kept);
    // Hellos and frames go through sockets: a second is long, a minute is a hang.
    fuzzer.args([
        &format!("-max_total_time={}", 60 * minutes),
        "-timeout=60",
        "-rss_limit_mb=4096",
        "-max_len=16384",
    ]);
    process::run(fuzzer.args(["-print_final_stats=1", &format!("-artifact_prefix={name}-")]))
}

/// The platform that the compiler runs on.
fn host() -> Result<String> {
    let told = process::output(Command::new("rustc").arg("-vV"))?;
    let line = told.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc does not tell its host")
}
