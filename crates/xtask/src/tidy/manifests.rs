//! The workspace's packages as their `Cargo.toml` files declare them, with the lines where they do.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Finding;
use crate::process;

/// One package of the workspace.
#[derive(Debug)]
pub(super) struct Package {
    /// The name without the house's prefix: `proxy`, `tests`, `nearside`.
    pub(super) name: String,
    /// Its `Cargo.toml`, from the top of the tree.
    pub(super) manifest: String,
    /// What it depends on, in the manifest's order of names.
    pub(super) uses: Vec<Use>,
    text: String,
}

/// One dependency of a package.
#[derive(Debug)]
pub(super) struct Use {
    /// The package's full name.
    pub(super) name: String,
    /// Where the manifest says so.
    pub(super) line: usize,
    /// Only for tests and benches.
    pub(super) dev: bool,
}

impl Package {
    /// Whether it is one of the house's rooms, which `crates/` holds, and not the test kit or the benches.
    pub(super) fn is_room(&self) -> bool {
        self.manifest.starts_with("crates/")
    }
}

impl Use {
    /// The name without prefix when it is one of ours.
    pub(super) fn ours(&self) -> Option<&str> {
        short(&self.name)
    }
}

/// Reads all packages of the workspace, as cargo understands them.
///
/// # Errors
/// When cargo cannot read the workspace, or a manifest cannot be read.
pub(super) fn read(root: &Path) -> Result<Vec<Package>> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let text = process::output(process::cargo(root).args(arguments))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata printed no JSON")?;
    let packages =
        metadata.get("packages").and_then(Value::as_array).context("cargo metadata names no packages")?;
    packages.iter().map(|package| of_metadata(root, package)).collect()
}

/// The rules for a manifest by itself.
pub(super) fn check(package: &Package) -> Option<Finding> {
    let mut lines = package.text.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let inherits = lines.next().is_some_and(|line| line == "workspace = true");
    (!inherits).then(|| Finding {
        path: package.manifest.clone(),
        line: 1,
        rule: "lints",
        remedy: "end the manifest with `[lints]` and `workspace = true`".to_owned(),
    })
}

fn of_metadata(root: &Path, package: &Value) -> Result<Package> {
    let word = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = word(package, "name").context("a package without a name")?;
    let path = word(package, "manifest_path").with_context(|| format!("{name} has no manifest"))?;
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let manifest =
        Path::new(&path).strip_prefix(root).unwrap_or(Path::new(&path)).to_string_lossy().into_owned();
    let mut uses = Vec::new();
    for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
        let name =
            word(dependency, "name").with_context(|| format!("{manifest}: a dependency without a name"))?;
        let dev = word(dependency, "kind").is_some_and(|kind| kind == "dev");
        uses.push(Use { line: line_of(&text, &name), name, dev });
    }
    Ok(Package { name: short(&name).unwrap_or(&name).to_owned(), manifest, uses, text })
}

/// The name within the house, for packages of the house.
fn short(name: &str) -> Option<&str> {
    match name {
        "nearside" | "xtask" => Some(name),
        _ => name.strip_prefix("nearside-"),
    }
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let declares = |line: &str| {
        let after = line.trim_start().strip_prefix(dependency);
        after.is_some_and(|after| after.starts_with([' ', '.', '=']))
    };
    manifest.lines().position(declares).map_or(1, |index| index + 1)
}

/// A package for the tests of the rules: `"proxy"` and its dependencies, one a line, those of tests with `dev `.
#[cfg(test)]
pub(super) fn planted(name: &str, dependencies: &str) -> Package {
    let folder =
        if ["tests", "benches"].contains(&name) { name.to_owned() } else { format!("crates/{name}") };
    let uses = dependencies.split_whitespace().enumerate().map(|(index, name)| Use {
        name: name.trim_start_matches("dev:").to_owned(),
        line: index + 1,
        dev: name.starts_with("dev:"),
    });
    let uses = uses.collect();
    Package { name: name.to_owned(), manifest: format!("{folder}/Cargo.toml"), uses, text: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::told;

    #[test]
    fn a_dependency_is_found_on_its_own_line() {
        let manifest =
            "[dependencies]\ntokio-rustls.workspace = true\ntokio.workspace = true\nh2 = \"0.4\"\n";
        assert_eq!(line_of(manifest, "tokio"), 3);
        assert_eq!(line_of(manifest, "h2"), 4);
        assert_eq!(line_of(manifest, "serde"), 1, "what stands nowhere is told at the top");
    }

    #[test]
    fn the_workspace_is_read_as_it_is() {
        let packages = read(&process::root().unwrap()).unwrap();
        let xtask = packages.iter().find(|package| package.name == "xtask").unwrap();
        assert_eq!(xtask.manifest, "crates/xtask/Cargo.toml");
        assert!(xtask.uses.iter().any(|used| used.name == "clap" && used.line > 1));
        let proxy = packages.iter().find(|package| package.name == "proxy").unwrap();
        assert!(proxy.uses.iter().any(|used| used.ours() == Some("core")));
    }

    #[test]
    fn a_manifest_takes_the_workspaces_lints() {
        let mut package = planted("geo", "");
        let expected =
            "crates/geo/Cargo.toml:1: lints: end the manifest with `[lints]` and `workspace = true`";
        package.text = "[dependencies]\n[lints.rust]\nmissing_docs = \"allow\"\n".to_owned();
        assert_eq!(told(&Vec::from_iter(check(&package))), expected);
        package.text = "[dependencies]\n\n[lints]\nworkspace = true\n".to_owned();
        assert_eq!(check(&package), None);
    }
}
