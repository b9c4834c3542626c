//! Each rule has a file that breaks it, with exactly its report, and a neighbour that does not break it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use nearside_config::{MAX_BYTES, RULES, Report, check, decode, parse};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/configs/bad")
}

/// Everything that is said of a file, warnings of a good one included.
fn report_of(name: &str) -> Report {
    let mut bytes = fs::read(folder().join(name)).unwrap();
    if name == "yaml.size.yaml" {
        // Sixteen MiB are made here, and not kept in the tree.
        bytes.resize(MAX_BYTES + 1, b'#');
    }
    let said = decode(&bytes).and_then(parse).and_then(check);
    let report = match said {
        Ok(checked) => Report::new(checked.source(), checked.warnings().to_vec()),
        Err(report) => report,
    };
    report.named(name)
}

fn rules_of(report: &Report) -> BTreeSet<&str> {
    report.problems().iter().map(|problem| problem.rule).collect()
}

#[test]
fn each_bad_file_has_exactly_its_report() {
    for rule in RULES {
        let (file, record) = (format!("{}.yaml", rule.id), format!("{}.report", rule.id));
        let report = report_of(&file);
        assert!(rules_of(&report).contains(rule.id), "{file} does not break {}:\n{report}", rule.id);
        let worst = report.problems().iter().find(|problem| problem.rule == rule.id).unwrap();
        assert_eq!(worst.severity, rule.severity, "{file}");
        let (text, path) = (format!("{report}\n"), folder().join(record));
        if env::var_os("RECORD").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let recorded = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            recorded == text,
            "{file}: the record is old: RECORD=1 cargo test -p nearside-config\n{text}"
        );
    }
}

#[test]
fn each_neighbour_passes() {
    for rule in RULES {
        let file = format!("{}.ok.yaml", rule.id);
        let report = report_of(&file);
        assert!(!report.has_errors(), "{file}:\n{report}");
        assert!(!rules_of(&report).contains(rule.id), "{file}:\n{report}");
    }
}

#[test]
fn no_file_stands_there_without_a_rule() {
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let rule = [".ok.yaml", ".yaml", ".report"].iter().find_map(|end| name.strip_suffix(end));
        assert!(RULES.iter().any(|known| Some(known.id) == rule), "{name}");
    }
}
