//! All tests in one command.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::tools::{self, Need};
use crate::{process, tidy};

/// The suite whose hundreds of cases share one edge: nextest would start one for each.
const SHARING: &str = "abuse";

/// How much to test.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the crates' own tests: no end-to-end tests, no examples of the documentation.
    #[arg(long)]
    fast: bool,
}

/// Runs the tests, then the documentation's examples, then `tidy`; a failure in one does not hide those of the next.
///
/// # Errors
/// When a tool is missing that cannot be installed, or something failed: the message says which part.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = process::root()?;
    let needs: &[Need] = if arguments.fast { &[Need::Build] } else { &[Need::Build, Need::Test] };
    tools::ensure(needs)?;
    let mut failed = Vec::new();
    let has_nextest = has_nextest(&root);
    note(process::run(&mut runner(&root, arguments.fast, has_nextest)), &mut failed);
    if has_nextest && !arguments.fast {
        note(
            process::run(process::cargo(&root).args(["test", "--workspace", "--test", SHARING])),
            &mut failed,
        );
    }
    if !arguments.fast {
        note(process::run(process::cargo(&root).args(["test", "--workspace", "--doc"])), &mut failed);
    }
    note(tidy::run(), &mut failed);
    if failed.is_empty() {
        return Ok(());
    }
    bail!("not all is well:\n  {}", failed.join("\n  "))
}

fn runner(root: &Path, fast: bool, has_nextest: bool) -> Command {
    let mut command = process::cargo(root);
    if has_nextest {
        command.args(["nextest", "run"]);
    } else {
        command.args(["test", "--lib", "--bins", "--tests"]);
    }
    command.args(["--workspace", "--no-fail-fast"]);
    if fast {
        command.args(["--exclude", "nearside-tests"]);
    } else if has_nextest {
        command.args(["-E", &format!("not binary(={SHARING})")]);
    }
    command
}

fn has_nextest(root: &Path) -> bool {
    let mut command = process::cargo(root);
    command.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn note(result: Result<()>, failed: &mut Vec<String>) {
    if let Err(error) = result {
        failed.push(format!("{error:#}"));
    }
}
