//! Memory: what a proxy holds at the start, and what an idle TLS connection adds that has carried requests.

use super::proxy::Proxy;
use super::setup::Setup;
use super::table::Cost;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// The share of all its processes in memory, in KiB (`Pss`: what they share with others counts once).
///
/// # Errors
/// When a process is gone.
pub(super) fn at_start(proxy: &Proxy) -> Result<Cost> {
    Ok(Cost::of(sum(&proxy.server().all()?, "Pss:")?))
}

/// Private KiB that each of `connections` idle connections needs; all carried 100 requests.
///
/// # Errors
/// When not all connections can be held.
pub(super) fn a_connection(setup: &Setup, proxy: &Proxy, connections: usize, protocol: &str) -> Result<Cost> {
    let workers = proxy.server().workers()?;
    let before = sum(&workers, "Private_")?;
    let mut client = Command::new("sh")
        .args(["-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""])
        .arg(setup.tool("idle"))
        .args([proxy.port(true).to_string(), connections.to_string(), protocol.to_owned()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the idle client")?;
    let mut line = String::new();
    BufReader::new(client.stdout.take().context("no output")?).read_line(&mut line)?;
    if line.trim() != "held" {
        bail!("the idle client could not hold {connections} connections to {}", proxy.name);
    }
    let each = (sum(&workers, "Private_")? - before) / to_float(connections);
    client.stdin.take().context("no input")?.write_all(b"\n")?;
    client.wait()?;
    Ok(Cost::of(each))
}

#[expect(clippy::cast_precision_loss, reason = "a count of connections is far below 2^52")]
fn to_float(count: usize) -> f64 {
    count as f64
}

/// KiB of these processes, from the kernel's summary of their mappings.
fn sum(pids: &[u32], field: &str) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        for line in text.lines().filter(|line| line.starts_with(field)) {
            let number = line.split_whitespace().nth(1).unwrap_or_default();
            sum += number.parse::<f64>().with_context(|| format!("no number in {line:?}"))?;
        }
    }
    Ok(sum)
}
