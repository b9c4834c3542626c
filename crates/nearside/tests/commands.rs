//! The commands that need no running PoP, as a person calls them, on the file that the project ships.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use serde_json::Value;
use std::process::{Command, Output};

/// Runs the program at the top of the source tree.
fn run(arguments: &[&str]) -> Output {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    Command::new(env!("CARGO_BIN_EXE_nearside")).args(arguments).current_dir(top).output().unwrap()
}

fn text(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn choice(arguments: &[&str]) -> Value {
    let output = run(&[&["explain", "--host", "localhost", "--json"], arguments].concat());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    told["choice"].clone()
}

#[test]
fn the_shipped_file_is_sound_and_its_effective_form_too() {
    let said = text(&["check"]);
    assert!(said.contains("0 errors"), "{said}");
    let effective = text(&["check", "--effective"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &effective).unwrap();
    assert_eq!(text(&["check", "--effective", file.path().to_str().unwrap()]), effective);
}

#[test]
fn explain_follows_what_is_supposed() {
    assert_eq!(choice(&[])["region"], "frankfurt");
    assert_eq!(choice(&["--down", "frankfurt"])["region"], "dublin");
    assert_eq!(choice(&["--down", "frankfurt", "--drain", "dublin"])["region"], "virginia");
    assert_eq!(choice(&["--down", "frankfurt", "--drain", "dublin"])["reason"], "won.failover");
    let drained = choice(&["--drain", "frankfurt", "--drain", "dublin", "--drain", "virginia"]);
    assert_eq!((&drained["refuse"], &drained["status"]), (&"refused.drained".into(), &503.into()));
    assert_eq!(choice(&["--path", "/hello"])["answer"], "localhost/hello");
}

#[test]
fn explain_as_text_names_every_step_and_the_reason() {
    let said = text(&["explain", "--host", "localhost", "--drain", "frankfurt"]);
    for step in ["route", "residency", "drain", "health", "priority", "latency", "weight"] {
        assert!(said.contains(step), "no {step}: {said}");
    }
    assert!(said.contains("excluded.drained") && said.contains("dub-a"), "{said}");
}

#[test]
fn simulate_says_where_the_traffic_goes_and_fails_where_nothing_is_left() {
    let said = text(&["simulate", "--lose", "frankfurt", "--place", "DE,50.11,8.68"]);
    assert!(said.contains("frankfurt 100 %") && said.contains("dublin 100 %"), "{said}");
    let dark = run(&["simulate", "--json", "--lose", "frankfurt", "dublin", "--drain", "virginia"]);
    assert_eq!(dark.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&dark.stdout).unwrap();
    assert_eq!(told["dark"][0]["routes"][0], "localhost/*", "{told}");
    for wrong in [
        &["simulate"][..],
        &["simulate", "--lose", "a", "--demand", "DE=1"],
        &["simulate", "--lose", "a", "--rps", "-1"],
    ] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_told_with_those_that_do() {
    let output = run(&["explain", "--host", "localhost", "--down", "francfort"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("francfort") && said.contains("frankfurt"), "{said}");
}

#[test]
fn where_nothing_runs_there_is_nothing_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let explain: &[&str] = &["explain", "--live", "--host", "localhost"];
    let simulate: &[&str] = &["simulate", "--live", "--lose", "frankfurt"];
    for command in [&["upgrade"], &["status"], explain, simulate] {
        let output = run(&[command, &["--state-dir", folder]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("no nearside runs with the state folder"), "{said}");
    }
}
