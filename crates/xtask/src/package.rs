//! The Debian package: a program, what it says of itself, and what stands in `deploy/`, put together by cargo-deb.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::release;
use crate::tools::{self, Need};

/// What to package, and where.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Packages this program instead of building one for release (`cargo xtask release`), which takes many minutes.
    #[arg(long)]
    program: Option<PathBuf>,
    /// The folder of the package.
    #[arg(long, default_value = "target/debian")]
    to: PathBuf,
}

/// Builds the program, lets it write its manual and completions, and packages all of it.
///
/// # Errors
/// When cargo-deb is missing and cannot be installed, or something fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = process::root()?;
    tools::ensure(&[Need::Build, Need::Package])?;
    tools::find("cargo-deb")
        .context("cargo-deb is missing; install with: cargo install --locked cargo-deb")?;
    let to = std::path::absolute(&arguments.to)?;
    fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    let program = match &arguments.program {
        Some(path) => std::path::absolute(path)?,
        None => release::built(&root)?,
    };
    // cargo-deb reads `target/release` of the manifest as this folder's.
    let stage = to.join("stage");
    stage_in(&stage.join("release"), &program)?;
    let mut deb = process::cargo(&root);
    deb.env("CARGO_TARGET_DIR", &stage)
        .args(["deb", "--no-build", "--strip", "--package", "nearside", "--output"])
        .arg(&to);
    if arguments.program.is_some() {
        // Such a package is for a try.
        deb.arg("--fast");
    }
    process::run(&mut deb)?;
    fs::remove_dir_all(&stage).with_context(|| format!("cannot remove {}", stage.display()))
}

fn stage_in(folder: &Path, program: &Path) -> Result<()> {
    let shell = folder.join("shell");
    fs::create_dir_all(&shell).with_context(|| format!("cannot make {}", shell.display()))?;
    fs::copy(program, folder.join("nearside"))
        .with_context(|| format!("cannot copy {}", program.display()))?;
    process::run_quietly(Command::new(program).arg("man").arg(shell.join("man")))?;
    process::run_quietly(
        Command::new("gzip").args(["--recursive", "--best", "--no-name"]).arg(shell.join("man")),
    )?;
    for name in ["bash", "fish", "zsh"] {
        let script = process::output(Command::new(program).args(["completions", name]))?;
        fs::write(shell.join(format!("nearside.{name}")), script)?;
    }
    Ok(())
}
