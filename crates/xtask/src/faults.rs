//! `cargo xtask faults`: what becomes of 100 requests a second in each fault, beside other proxies in the same ones.
//!
//! The faults themselves are carried out by a driver out of the test kit, which knows TLS and HTTP/2; here stands
//! what is built, who takes part, and what the figures are.

mod figures;
mod table;

use crate::driver;
use crate::peers::{self, Peer};
use crate::process;
use crate::record::Record;
use crate::tools::{self, Need};
use anyhow::{Result, bail};
use figures::FIGURES;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Which faults, for how long, and beside whom.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only a look at counts: the development profile, and seconds for each fault.
    #[arg(long)]
    short: bool,
    /// Only these faults.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Other proxies in the same faults.
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Writes the table into this page, between its two marks.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Builds, carries out each fault against each proxy, and prints the table.
///
/// # Errors
/// When something cannot be built, or nearside misses a figure.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = process::root()?;
    let faults = chosen(&arguments.only)?;
    tools::ensure(&[Need::Build])?;
    let target = process::target(&root)?;
    let program = build(&root, &target, arguments.short)?;
    let folder = target.join("faults");
    let mut proxies = vec![(peers::NEARSIDE, program.clone())];
    proxies.extend(peers::find(&arguments.peers, &folder)?);
    let order = json!({
        "program": program,
        "short": arguments.short,
        "faults": faults,
        "proxies": proxies,
    });
    let mut record = Record::open("faults", &folder, &root, &proxies)?;
    let accounts = driver::run(&target.join("debug/faults"), &order, &mut record, |account| {
        println!("{}", table::line(account));
        for detail in table::details(account) {
            println!("    {detail}");
        }
    })?;
    let text = table::markdown(&accounts);
    record.conclude(&text, arguments.record.as_ref().map(|page| root.join(page)).as_deref())?;
    let missed = table::missed(&accounts);
    if !missed.is_empty() {
        bail!("nearside misses its figures:\n  {}", missed.join("\n  "));
    }
    Ok(())
}

fn chosen(only: &[String]) -> Result<Vec<&'static str>> {
    let all: Vec<_> = FIGURES.iter().map(|figure| figure.fault).collect();
    driver::check(only, "fault", &all)?;
    Ok(all.into_iter().filter(|fault| only.is_empty() || only.iter().any(|name| name == fault)).collect())
}

/// The program under test with the profile that users run, unless it is to be quick; the driver needs no speed.
fn build(root: &Path, target: &Path, short: bool) -> Result<PathBuf> {
    // Out of the whole workspace, so that the libraries are those that the tests use.
    let both = ["build", "--workspace", "--bin", "faults", "--bin", "nearside"];
    process::run(process::cargo(root).args(both))?;
    if short {
        return Ok(target.join("debug/nearside"));
    }
    process::run(process::cargo(root).args(["build", "-p", "nearside", "--release"]))?;
    Ok(target.join("release/nearside"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_chosen_by_name_in_the_tables_order() {
        let names = ["drain".to_owned(), "kill-one".to_owned()];
        assert_eq!(chosen(&names).unwrap(), ["kill-one", "drain"]);
        assert_eq!(chosen(&[]).unwrap().len(), FIGURES.len());
        let error = chosen(&["kill-two".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("kill-two") && error.contains("kill-one"), "{error}");
    }
}
