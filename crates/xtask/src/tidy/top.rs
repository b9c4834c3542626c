//! What may stand at the top of the tree.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;

const FILES: &[&str] = &["Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "routes.yaml"];
const FOLDERS: &[&str] = &["crates", "deploy", "docs", "tests", "benches"];
/// Cargo's default place for what it builds; git ignores it.
const BUILT: &str = "target";

/// The names at the top, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn entries(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Every entry that has no business there.
pub(super) fn check(entries: &[String]) -> Vec<Finding> {
    let known = |name: &str| FILES.contains(&name) || FOLDERS.contains(&name) || name == BUILT;
    let unknown = entries.iter().filter(|name| !name.starts_with('.') && !known(name));
    let finding = |name: &String| Finding {
        path: name.clone(),
        line: 1,
        rule: "top level",
        remedy: format!("move it into one of {}/", FOLDERS.join("/ ")),
    };
    unknown.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::told;

    #[test]
    fn only_what_the_design_names_stands_at_the_top() {
        let names = [".ci", ".deny.toml", "Cargo.lock", "LICENSE", "crates", "docs", "notes.txt", "target"];
        assert_eq!(
            told(&check(&names.map(str::to_owned))),
            "notes.txt:1: top level: move it into one of crates/ deploy/ docs/ tests/ benches/"
        );
    }
}
