//! The house rules as code: what stands in DESIGN and STYLE and no lint of the compiler can see.

mod arrows;
mod manifests;
mod outsiders;
mod page;
mod sources;
mod top;

use std::fmt;

use anyhow::{Result, bail};

use crate::process;

/// A place where the tree breaks a rule, and what to do about it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.remedy)
    }
}

/// Prints every finding.
///
/// # Errors
/// When there is a finding, or the tree cannot be read.
pub(crate) fn run() -> Result<()> {
    let root = process::root()?;
    let packages = manifests::read(&root)?;
    let mut findings = Vec::new();
    for package in &packages {
        findings.extend(manifests::check(package));
        findings.extend(arrows::check(package));
        findings.extend(outsiders::check(package));
    }
    findings.extend(page::check_file(&root, &packages)?);
    findings.extend(sources::check_all(&root)?);
    findings.extend(top::check(&top::entries(&root)?));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: all rules hold");
            Ok(())
        }
        count => bail!("tidy: {count} finding{}", if count == 1 { "" } else { "s" }),
    }
}

/// The findings as text, one a line: what the tests of the rules compare.
#[cfg(test)]
fn told(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}
