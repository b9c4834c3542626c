//! The rules for Rust files: they open with their noun, stay short, and promise nothing that nobody tracks.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;

const FOLDERS: &[&str] = &["crates", "tests", "benches"];
const LONGEST: usize = 400;
/// Put together, so that this file passes its own rule.
const PROMISES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Checks every Rust file of the tree.
///
/// # Errors
/// When a folder or a file cannot be read.
pub(super) fn check_all(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for folder in FOLDERS {
        walk(root, &root.join(folder), &mut findings)?;
    }
    Ok(findings)
}

fn walk(root: &Path, folder: &Path, findings: &mut Vec<Finding>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let built = path
            .file_name()
            .is_some_and(|name| name == "target" || name.as_encoded_bytes().starts_with(b"."));
        if path.is_dir() && !built {
            walk(root, &path, findings)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            findings.extend(check(&path.strip_prefix(root).unwrap_or(&path).to_string_lossy(), &text));
        }
    }
    Ok(())
}

fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |line: usize, rule: &'static str, remedy: String| {
        findings.push(Finding { path: path.to_owned(), line, rule, remedy });
    };
    if !text.starts_with("//!") {
        find(1, "opening", "begin the file with `//!` and the one noun that it is about".to_owned());
    }
    if path.ends_with("/mod.rs") {
        find(1, "modules", "name the file after its module, beside the module's folder".to_owned());
    }
    let length = length_without_tests(text);
    if length > LONGEST && !holds_tests_only(path) {
        find(LONGEST, "length", format!("split the file: {length} lines without tests, {LONGEST} at most"));
    }
    for (line, number) in text.lines().zip(1..) {
        if let Some(promise) = open_promise(line) {
            find(number, "promises", format!("do it, or name the issue: `{promise}(#12)`"));
        }
    }
    findings
}

/// Files in a folder `tests` are tests, as is a module `tests.rs`; the kit in `tests/src` is not.
fn holds_tests_only(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.strip_prefix("tests/").unwrap_or(path).contains("tests/")
}

/// The lines of a file without its test module: from `#[cfg(test)]` before a `mod` to the brace that ends it.
fn length_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let opens = |pair: &[&str]| matches!(pair, ["#[cfg(test)]", module] if module.starts_with("mod ") && module.ends_with('{'));
    let Some(start) = lines.windows(2).position(opens) else { return lines.len() };
    let module = lines.iter().skip(start);
    let tests = module.clone().position(|line| *line == "}").map_or_else(|| module.count(), |end| end + 1);
    lines.len() - tests
}

/// A mark of something left undone in a comment that names no issue.
fn open_promise(line: &str) -> Option<&'static str> {
    let (_, comment) = line.split_once("//")?;
    PROMISES.iter().copied().find(|promise| {
        comment
            .split_once(promise)
            .is_some_and(|(_, after)| !after.trim_start_matches(['(', ' ']).starts_with('#'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::told;

    fn findings(path: &str, text: &str) -> String {
        told(&check(path, text))
    }

    fn lines(count: usize) -> String {
        "//! Noun.\n".to_owned() + &"fn f() {}\n".repeat(count - 1)
    }

    #[test]
    fn a_file_opens_with_its_noun() {
        assert_eq!(findings("crates/a/src/b.rs", "//! Noun.\nfn f() {}\n"), "");
        assert_eq!(
            findings("crates/a/src/b.rs", "\n//! Noun.\n"),
            "crates/a/src/b.rs:1: opening: begin the file with `//!` and the one noun that it is about"
        );
    }

    #[test]
    fn no_module_file_is_called_mod() {
        assert_eq!(
            findings("crates/a/src/b/mod.rs", "//! Noun.\n"),
            "crates/a/src/b/mod.rs:1: modules: name the file after its module, beside the module's folder"
        );
    }

    #[test]
    fn a_long_file_is_split() {
        assert_eq!(findings("crates/a/src/b.rs", &lines(400)), "");
        assert_eq!(
            findings("crates/a/src/b.rs", &lines(401)),
            "crates/a/src/b.rs:400: length: split the file: 401 lines without tests, 400 at most"
        );
    }

    #[test]
    fn tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // a line\n".repeat(500));
        assert_eq!(findings("crates/a/src/b.rs", &(lines(400) + &tests)), "");
        assert_ne!(findings("crates/a/src/b.rs", &(lines(400) + &tests + "fn g() {}\n")), "");
        assert_eq!(findings("tests/tests/drain.rs", &lines(900)), "");
        assert_eq!(findings("crates/a/src/b/tests.rs", &lines(900)), "");
        assert_ne!(findings("tests/src/backend.rs", &lines(900)), "");
    }

    #[test]
    fn a_promise_names_its_issue() {
        let promise = PROMISES[0];
        let file = |after: &str| format!("//! Noun.\nfn f() {{}} // {promise}{after}\n");
        assert_eq!(findings("crates/a/src/b.rs", &file("(#12): later")), "");
        assert_eq!(findings("crates/a/src/b.rs", &file(" #12")), "");
        assert_eq!(
            findings("crates/a/src/b.rs", &file(": later")),
            format!("crates/a/src/b.rs:2: promises: do it, or name the issue: `{promise}(#12)`")
        );
    }

    #[test]
    fn every_file_of_a_tree_is_seen() {
        let root = std::env::temp_dir().join(format!("xtask-sources-{}", std::process::id()));
        for folder in FOLDERS {
            fs::create_dir_all(root.join(folder).join("deep/target")).unwrap();
        }
        fs::write(root.join("tests/deep/a.rs"), "fn f() {}\n").unwrap();
        fs::write(root.join("tests/deep/target/built.rs"), "fn f() {}\n").unwrap();
        fs::write(root.join("tests/deep/a.txt"), "text\n").unwrap();
        let findings = check_all(&root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(findings.len(), 1);
        assert!(told(&findings).starts_with("tests/deep/a.rs:1: opening"));
    }
}
