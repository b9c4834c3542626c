//! nearside with one worker thread, without limits for one address, since all clients have the same, and without shedding, which a
//! slow machine, or valgrind, would bring about.

use super::{Ports, Shape};
use crate::compare::setup::{ORIGIN, Setup, host};
use crate::process;
use crate::release;
use anyhow::Result;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) fn configure(setup: &Setup, ports: Ports, shape: Shape) -> Result<()> {
    let folder = setup.folder().display();
    let Ports { plain, tls } = ports;
    let (mut regions, mut backends) = (String::new(), String::new());
    for index in 1..=shape.regions {
        writeln!(regions, "  r{index}: {{}}")?;
        writeln!(backends, "      - {{ url: \"http://127.0.0.{index}:{ORIGIN}\", region: r{index} }}")?;
    }
    let others = others(shape.pools)?;
    let sample = if shape.is_logged { 100 } else { 0 };
    let mut text = format!(
        "version: 1\nobserve: {{ access_log: {{ sample: {sample}% }} }}\nregions:\n{regions}pools:\n  origin:\n    backends:\n{backends}{others}\
         limits: {{ connections_per_address: 0, handshakes_per_address: 0, queue_delay: 0s }}\n\
         listeners:\n  - {{ bind: \"127.0.0.1:{plain}\" }}\n  - {{ bind: \"127.0.0.1:{tls}\", tls: true }}\n\
         tls:\n  certificates:\n    - {{ cert: {folder}/localhost.pem, key: {folder}/localhost.key }}\n\
         routes:\n  - {{ host: localhost, pool: origin }}\n\
         \x20 - {{ host: localhost, path: /marker, answer: {{ status: 200, body: \"marker {}.\" }} }}\n",
        shape.marker
    );
    for index in 0..shape.hosts {
        let pool =
            index.checked_rem(shape.pools).map_or_else(|| "origin".to_owned(), |pool| format!("p{pool}"));
        writeln!(text, "  - {{ host: {}, pool: {pool} }}", host(index))?;
    }
    setup.write("routes.yaml", &text)
}

/// Pools of ten backends each. Nobody listens there, so they are asked seldom, and no connection is made ahead.
fn others(pools: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for pool in 0..pools {
        writeln!(
            text,
            "  p{pool}:\n    probe: {{ interval: 1h }}\n    connections: {{ prewarm: 0 }}\n    backends:"
        )?;
        for backend in 1..=10 {
            writeln!(text, "      - {{ url: \"http://127.1.{pool}.{backend}:{ORIGIN}\", region: r1 }}")?;
        }
    }
    Ok(text)
}

pub(super) fn command(program: &Path, setup: &Setup) -> Command {
    let mut command = Command::new(program);
    command
        .args(["run", "--threads", "1", "--state-dir"])
        .arg(setup.path("state"))
        .arg(setup.path("routes.yaml"));
    command.env("NEARSIDE_LOG", "warn");
    command
}

/// Builds the measuring clients, and the program as it is released, or without a profile in half the time.
pub(super) fn build(root: &Path, target: &Path, is_profiled: bool) -> Result<PathBuf> {
    let build = |package| process::run(process::cargo(root).args(["build", "--release", "-p", package]));
    build("nearside-benches")?;
    if is_profiled {
        return release::built(root);
    }
    build("nearside")?;
    Ok(target.join("release/nearside"))
}
