//! Files on the pages: a whole `routes.yaml` is accepted, and of a part of one every key and value is known.

use crate::{name, pages, parser};
use nearside_tests::Authority;
use nearside_tests::edge::NAMES;
use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What a part of a file lacks; every other rule is about what it says.
const LACKING: [&str; 4] = ["config.missing", "config.undeclared", "config.no_certificate", "config.survive"];

/// The blocks of YAML on a page.
fn blocks(text: &str) -> Vec<String> {
    let (mut found, mut is_yaml) = (Vec::new(), false);
    for event in parser(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) => {
                is_yaml = kind.split_whitespace().next() == Some("yaml");
                if is_yaml {
                    found.push(String::new());
                }
            }
            Event::End(TagEnd::CodeBlock) => is_yaml = false,
            Event::Text(text) if is_yaml => found.last_mut().unwrap().push_str(&text),
            _ => {}
        }
    }
    found
}

/// A folder with what files on the pages name: certificates and keys.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    for folder in ["certs", "secrets"] {
        fs::create_dir(desk.path().join(folder)).unwrap();
    }
    Authority::new(desk.path()).write(&desk.path().join("certs/www.pem"), NAMES);
    for name in ["fleet.key", "home.key"] {
        let path = desk.path().join("secrets").join(name);
        fs::write(&path, "07".repeat(32)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    desk
}

/// The rules that a file breaks, with what is said about them.
fn broken(desk: &Path, text: &str) -> Vec<(String, String)> {
    fs::write(desk.join("routes.yaml"), text).unwrap();
    let mut check = Command::new(nearside_tests::program());
    let output = check.args(["check", "--json"]).current_dir(desk).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let problems = told["problems"].as_array().unwrap().iter();
    let errors = problems.filter(|problem| problem["severity"] == "error");
    errors.map(|one| (one["rule"].as_str().unwrap().to_owned(), one.to_string())).collect()
}

#[test]
fn whole_files_are_accepted_and_of_parts_every_key_is_known() {
    let (desk, mut wrong, mut whole, mut parts) = (desk(), Vec::new(), 0, 0);
    for page in pages() {
        for block in blocks(&fs::read_to_string(&page).unwrap()) {
            let is_whole = block.lines().any(|line| line == "version: 1");
            let text = if is_whole { block.clone() } else { format!("version: 1\n{block}") };
            *(if is_whole { &mut whole } else { &mut parts }) += 1;
            for (rule, said) in broken(desk.path(), &text) {
                if is_whole || !LACKING.contains(&rule.as_str()) {
                    wrong.push(format!("{}: {said}\n{block}", name(&page)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(whole > 6 && parts > 3, "{whole} and {parts}");
}

#[test]
fn a_part_with_a_mistake_is_found() {
    let desk = desk();
    let rules: Vec<String> =
        broken(desk.path(), "version: 1\nfleet: { pop: 3 }\n").into_iter().map(|(rule, _)| rule).collect();
    assert!(rules.contains(&"config.unknown_key".to_owned()), "{rules:?}");
}
