//! The smallest proxy on pingora's own engine, a package of its own beside the benchmarks.

use super::{Ports, Shape};
use crate::compare::setup::{ORIGIN, Setup};
use crate::process;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its arguments are its configuration; it knows no hosts.
pub(super) fn configure(setup: &Setup, ports: Ports, _shape: Shape) -> Result<()> {
    let folder = setup.folder().display();
    let Ports { plain, tls } = ports;
    let words = [
        format!("127.0.0.1:{ORIGIN}"),
        format!("127.0.0.1:{plain}"),
        format!("127.0.0.1:{tls}"),
        format!("{folder}/localhost.pem"),
        format!("{folder}/localhost.key"),
    ];
    setup.write("pingora.args", &words.join("\n"))
}

pub(super) fn command(program: &Path, setup: &Setup) -> Command {
    let mut command = Command::new(program);
    command.arg(setup.path("pingora.args"));
    command
}

/// Builds it in a folder of its own: its features would have nearside's libraries built again.
pub(super) fn build(root: &Path, target: &Path) -> Result<PathBuf> {
    let folder = target.join("pingora");
    let mut command = process::cargo(root);
    command.args(["build", "--release", "--locked", "--manifest-path", "benches/pingora/Cargo.toml"]);
    process::run(command.arg("--target-dir").arg(&folder))?;
    Ok(folder.join("release/pingora-peer"))
}
