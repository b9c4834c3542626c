//! The page `docs/ARCHITECTURE.md`: its table of crates says what Cargo says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;
use super::manifests::Package;

const PAGE: &str = "docs/ARCHITECTURE.md";
const CRATE: &str = "crates/...";
const SENTENCE: &str = "One sentence";
const USES: &str = "Uses of ours";

/// Compares the page with the packages.
///
/// # Errors
/// When the page is there and cannot be read.
pub(super) fn check_file(root: &Path, packages: &[Package]) -> Result<Vec<Finding>> {
    match fs::read_to_string(root.join(PAGE)) {
        Ok(text) => Ok(check(&text, packages)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(vec![finding(1, "write the page; its table names the crates and their arrows".to_owned())])
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {PAGE}")),
    }
}

fn check(text: &str, packages: &[Package]) -> Vec<Finding> {
    let Some(table) = Table::find(text) else {
        let remedy = format!("add the table with the columns `{CRATE}`, `{SENTENCE}` and `{USES}`");
        return vec![finding(1, remedy)];
    };
    let rooms: BTreeMap<&str, &Package> = packages
        .iter()
        .filter(|package| package.is_room())
        .map(|package| (package.name.as_str(), package))
        .collect();
    let mut findings = Vec::new();
    for name in rooms.keys().filter(|name| !table.rows.iter().any(|row| row.name == **name)) {
        findings.push(finding(table.line, format!("add a row for `{name}`")));
    }
    for row in &table.rows {
        match rooms.get(row.name.as_str()) {
            Some(package) => findings.extend(check_row(row, package, &rooms)),
            None => findings
                .push(finding(row.line, format!("there is no crate `{}`: take the row out", row.name))),
        }
    }
    findings
}

fn check_row(row: &Row, package: &Package, rooms: &BTreeMap<&str, &Package>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if row.sentence.is_empty() {
        findings.push(finding(row.line, format!("say in one sentence what `{}` does", row.name)));
    }
    let built: BTreeSet<&str> =
        package.uses.iter().filter(|used| !used.dev).filter_map(|used| used.ours()).collect();
    let told: BTreeSet<&str> = match row.uses.as_str() {
        "-" => BTreeSet::new(),
        "all" => rooms.keys().copied().filter(|name| *name != row.name && *name != "xtask").collect(),
        list => list.split(',').map(str::trim).collect(),
    };
    for name in built.difference(&told) {
        findings
            .push(finding(row.line, format!("Cargo lets `{}` use `{name}`: say so, or end it", row.name)));
    }
    for name in told.difference(&built) {
        findings
            .push(finding(row.line, format!("Cargo does not let `{}` use `{name}`: take it out", row.name)));
    }
    findings
}

fn finding(line: usize, remedy: String) -> Finding {
    Finding { path: PAGE.to_owned(), line, rule: "architecture page", remedy }
}

/// The table of crates, without its markup.
struct Table {
    line: usize,
    rows: Vec<Row>,
}

struct Row {
    line: usize,
    name: String,
    sentence: String,
    uses: String,
}

impl Table {
    fn find(text: &str) -> Option<Self> {
        let mut lines =
            text.lines().zip(1..).skip_while(|(line, _)| !cells(line).iter().any(|cell| cell == CRATE));
        let (head, line) = lines.next()?;
        let head = cells(head);
        let column = |title: &str| head.iter().position(|cell| cell == title);
        let (name, sentence, uses) = (column(CRATE)?, column(SENTENCE)?, column(USES)?);
        let body = lines.skip(1).take_while(|(line, _)| line.trim_start().starts_with('|'));
        let row = |(line, number): (&str, usize)| {
            let cells = cells(line);
            let cell = |index: usize| cells.get(index).cloned().unwrap_or_default();
            let name = cell(name).trim_start_matches("crates/").to_owned();
            Row { line: number, name, sentence: cell(sentence), uses: cell(uses) }
        };
        Some(Self { line, rows: body.map(row).collect() })
    }
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    line.split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::manifests::planted;
    use crate::tidy::told;

    fn house() -> Vec<Package> {
        vec![
            planted("core", "arrayvec"),
            planted("http", "bytes dev:nearside-core"),
            planted("proxy", "nearside-core nearside-http h2"),
            planted("nearside", "nearside-core nearside-http nearside-proxy"),
            planted("xtask", "clap"),
            planted("tests", "nearside-proxy"),
        ]
    }

    const PAGE_AS_BUILT: &str = "# The house\n\
        | `crates/...` | One sentence | Uses of ours | Only crate that may name |\n\
        |---|---|---|---|\n\
        | `core` | Decides. | - | |\n\
        | `http` | Reads heads. | - | httparse |\n\
        | `proxy` | Carries. | core, `http` | h2 |\n\
        | `nearside` | The program. | all | clap |\n\
        | `xtask` | Tools. | - | |\n\
        \nText.\n";

    fn findings(text: &str) -> String {
        told(&check(text, &house()))
    }

    #[test]
    fn a_page_that_says_what_cargo_says_passes() {
        assert_eq!(findings(PAGE_AS_BUILT), "");
    }

    #[test]
    fn an_arrow_that_the_page_hides_is_told() {
        assert_eq!(
            findings(&PAGE_AS_BUILT.replace("core, `http`", "core")),
            "docs/ARCHITECTURE.md:6: architecture page: Cargo lets `proxy` use `http`: say so, or end it"
        );
    }

    #[test]
    fn an_arrow_that_the_page_invents_is_told() {
        assert_eq!(
            findings(&PAGE_AS_BUILT.replace("Reads heads. | -", "Reads heads. | core")),
            "docs/ARCHITECTURE.md:5: architecture page: Cargo does not let `http` use `core`: take it out"
        );
    }

    #[test]
    fn every_crate_has_a_row_and_every_row_a_crate() {
        let page = PAGE_AS_BUILT.replace("| `http` | Reads heads.", "| `cache` | Keeps.");
        assert_eq!(
            findings(&page),
            "docs/ARCHITECTURE.md:2: architecture page: add a row for `http`\n\
             docs/ARCHITECTURE.md:5: architecture page: there is no crate `cache`: take the row out"
        );
    }

    #[test]
    fn every_crate_has_its_sentence() {
        assert_eq!(
            findings(&PAGE_AS_BUILT.replace("Decides.", "")),
            "docs/ARCHITECTURE.md:4: architecture page: say in one sentence what `core` does"
        );
    }

    #[test]
    fn a_page_without_the_table_is_a_finding() {
        let remedy = "add the table with the columns `crates/...`, `One sentence` and `Uses of ours`";
        assert_eq!(
            findings("# The house\n\nNo table.\n"),
            format!("docs/ARCHITECTURE.md:1: architecture page: {remedy}")
        );
    }

    #[test]
    fn a_missing_page_is_a_finding() {
        let findings = check_file(Path::new("/nowhere"), &house()).unwrap();
        assert_eq!(
            told(&findings),
            "docs/ARCHITECTURE.md:1: architecture page: write the page; its table names the crates and their arrows"
        );
    }
}
