//! A driver: a program of the test kit that gets an order and prints an account of each thing that it has done.

use crate::process;
use crate::record::Record;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

/// Runs the driver, with as many descriptors as it can have; each account is shown and written down as it comes.
///
/// # Errors
/// When it cannot be started, prints no JSON, or fails.
pub(crate) fn run(
    driver: &Path,
    order: &Value,
    record: &mut Record,
    show: impl Fn(&Value),
) -> Result<Vec<Value>> {
    let mut command = process::roomy(driver);
    command.arg(order.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", driver.display()))?;
    let output = child.stdout.take().context("no output")?;
    let mut accounts = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("the driver's output cannot be read")?;
        let account =
            serde_json::from_str(&line).with_context(|| format!("the driver printed no JSON: {line}"))?;
        show(&account);
        record.note(&line)?;
        accounts.push(account);
    }
    let status = child.wait().context("the driver did not end")?;
    if !status.success() {
        bail!("the driver ended with {status}");
    }
    Ok(accounts)
}

/// Refuses a name, of those to which a run is to be held, that there is not.
///
/// # Errors
/// There is such a name; the error tells the others.
pub(crate) fn check(only: &[String], what: &str, names: &[&str]) -> Result<()> {
    match only.iter().find(|name| !names.contains(&name.as_str())) {
        Some(unknown) => bail!("no such {what}: {unknown}; there are: {}", names.join(", ")),
        None => Ok(()),
    }
}
