//! Memory per idle TLS connection: private pages before and while many connections are held that each carried requests.

use super::peers::Bench;
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Prints the private KiB that each proxy needs per idle connection.
pub(super) fn compare(bench: &Bench, connections: usize) -> Result<()> {
    println!(
        "\n| {connections} idle HTTP/1.1 TLS connections | private KiB at start | KiB a connection | ratio to nginx |"
    );
    println!("|---|---:|---:|---:|");
    let mut nginx = None;
    for proxy in &bench.proxies {
        let workers = proxy.workers()?;
        let before = private(&workers)?;
        let program = process::target(&bench.root)?.join("release/idle");
        let mut client = Command::new("sh")
            .args(["-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""])
            .arg(&program)
            .args([proxy.tls_port().to_string(), connections.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the idle client")?;
        let mut line = String::new();
        BufReader::new(client.stdout.take().context("no output")?).read_line(&mut line)?;
        if line.trim() != "held" {
            bail!("the idle client could not hold {connections} connections to {}", proxy.name);
        }
        let each = (private(&workers)? - before) / to_float(connections);
        client.stdin.take().context("no input")?.write_all(b"\n")?;
        client.wait()?;
        let nginx = *nginx.get_or_insert(each);
        println!("| {} | {before:.0} | {each:.1} | {:.2} |", proxy.name, each / nginx);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a count of connections is far below 2^52")]
fn to_float(count: usize) -> f64 {
    count as f64
}

/// Private KiB of these processes, from the kernel's summary of their mappings.
fn private(pids: &[u32]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let text =
            fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("cannot read smaps_rollup")?;
        for line in text.lines().filter(|line| line.starts_with("Private_")) {
            let number = line.split_whitespace().nth(1).unwrap_or_default();
            sum += number.parse::<f64>().with_context(|| format!("no number in {line:?}"))?;
        }
    }
    Ok(sum)
}
