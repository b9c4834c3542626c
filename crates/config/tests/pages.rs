//! The generated pages are those in the tree; `RECORD=1` writes them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(recorded == text, "docs/{name} is old: RECORD=1 cargo test -p nearside-config");
}

#[test]
fn the_reference_is_made_from_the_definitions() {
    check("CONFIGURATION.md", &nearside_config::page());
}

#[test]
fn the_schema_is_made_from_the_definitions() {
    check("routes.schema.json", &nearside_config::schema());
}
