//! `cargo xtask wan`: what splitting TCP at a PoP gains, beside what the distances alone allow.
//!
//! The network and the requests are the test kit's, in a driver that prints an account of each figure; here stands what is
//! built, which tables there are, what the limits are, and what has to be reached.

mod limit;
mod table;

use crate::driver;
use crate::process;
use crate::record::Record;
use crate::tools::{self, Need};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;
use table::{TABLES, Table};

/// Which tables, how often each figure, and where to.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these tables.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds of each figure; the median is shown.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Writes the tables into this page, between its two marks.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Builds with full optimisation, measures, and prints the tables.
///
/// # Errors
/// When something cannot be built, or nearside misses a target.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = process::root()?;
    let tables = chosen(&arguments.only)?;
    tools::ensure(&[Need::Build, Need::Test])?;
    // Out of the whole workspace, so that the libraries are those that the tests use.
    let both = ["build", "--release", "--workspace", "--bin", "wan", "--bin", "nearside"];
    process::run(process::cargo(&root).args(both))?;
    let target = process::target(&root)?;
    let mut proxies = vec![("nearside", target.join("release/nearside"))];
    match tools::find("nginx") {
        Some(nginx) => proxies.push(("nginx", nginx)),
        None => eprintln!("SKIPPED: nginx is not installed: nearside stands alone"),
    }
    let order = json!({
        "nearside": proxies.first().map(|(_, path)| path),
        "nginx": proxies.get(1).map(|(_, path)| path),
        "tables": tables.iter().map(|table| (table.name, table.sizes)).collect::<Vec<_>>(),
        "rounds": arguments.rounds.max(1),
    });
    let mut record = Record::open("wan", &target.join("wan"), &root, &proxies)?;
    let show = |account: &Value| println!("{}", table::line(account));
    let accounts = driver::run(&target.join("release/wan"), &order, &mut record, show)?;
    // There may be no rights for it, which was told.
    if accounts.iter().any(|account| account.get("skipped").is_some()) {
        return Ok(());
    }
    let text = table::markdown(&tables, &accounts, arguments.rounds.max(1));
    record.conclude(&text, arguments.record.as_ref().map(|page| root.join(page)).as_deref())?;
    let missed = table::missed(&accounts);
    if !missed.is_empty() {
        bail!("nearside misses its targets:\n  {}", missed.join("\n  "));
    }
    Ok(())
}

fn chosen(only: &[String]) -> Result<Vec<&'static Table>> {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    driver::check(only, "table", &names)?;
    Ok(TABLES.iter().filter(|table| only.is_empty() || only.iter().any(|name| name == table.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_chosen_by_name_in_their_order() {
        let names = |only: &[&str]| {
            let only: Vec<_> = only.iter().map(|name| (*name).to_owned()).collect();
            chosen(&only).map(|tables| tables.iter().map(|table| table.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["loss", "down"]).unwrap(), ["down", "loss"]);
        assert_eq!(names(&[]).unwrap().len(), TABLES.len());
        let error = names(&["lost"]).unwrap_err().to_string();
        assert!(error.contains("lost") && error.contains("failover"), "{error}");
    }
}
