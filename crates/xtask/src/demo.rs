//! The demo: from a fresh clone to a serving nearside in one command.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;
use crate::tools::{self, Need};

/// How to run the demo.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Builds with full optimisation: minutes longer, for trying how fast it is.
    #[arg(long)]
    pub(crate) release: bool,
    /// Passed on to `nearside demo`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) rest: Vec<String>,
}

/// Makes sure of the tools, builds nearside and becomes `nearside demo`.
///
/// The development profile is the default, because a newcomer's first impression is the time of the first build.
///
/// # Errors
/// When a tool is missing that cannot be installed, the build fails, or the program does not start.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = process::root()?;
    tools::ensure(&[Need::Build, Need::Demo])?;
    let program = build(&root, arguments.release)?;
    let mut command = Command::new(&program);
    command.arg("demo").args(&arguments.rest).current_dir(&root);
    println!("+ {}", process::spell(&command));
    // The demo takes this process's place, so that signals and the exit code are its own.
    Err(command.exec()).with_context(|| format!("cannot start {}", program.display()))
}

fn build(root: &Path, release: bool) -> Result<PathBuf> {
    let mut command = process::cargo(root);
    command.args(["build", "--package", "nearside", "--bin", "nearside"]);
    if release {
        command.arg("--release");
    }
    println!("+ {} (the first build takes minutes)", process::spell(&command));
    let messages = process::output(command.arg("--message-format=json-render-diagnostics"))?;
    executable(&messages).context("cargo did not say where the program `nearside` is")
}

/// Where cargo put the program: it alone knows target folder, profile and target platform.
fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let target = message.get("target")?;
        let is_ours =
            target.get("name")? == "nearside" && target.get("kind")?.as_array()?.contains(&"bin".into());
        let path = message.get("executable")?.as_str()?;
        is_ours.then(|| PathBuf::from(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_where_cargo_says() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"nearside","kind":["lib"]},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"helper","kind":["bin"]},"executable":"/t/debug/helper"}
            not json
            {"reason":"compiler-artifact","target":{"name":"nearside","kind":["bin"]},"executable":"/t/debug/nearside"}
        "#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/nearside")));
    }

    #[test]
    fn a_build_without_the_program_has_none() {
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
