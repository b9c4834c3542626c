//! The unit of systemd, judged by systemd's own tools.

use crate::shipped;
use nearside_tests::tool;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNIT: &str = "deploy/systemd/nearside.service";

/// The unit for a machine that has its program elsewhere and perhaps an older systemd, as its first lines tell.
fn written(folder: &Path) -> PathBuf {
    let path = folder.join("nearside.service");
    let program = nearside_tests::program();
    let text = shipped(UNIT).replace("/usr/bin/nearside", program.to_str().unwrap());
    fs::write(&path, text.replace("Type=notify-reload", "Type=notify")).unwrap();
    path
}

#[test]
fn the_unit_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let Some(output) = tool::output(Command::new("systemd-analyze").arg("verify").arg(&path)) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    // Of other units on the machine it has its own complaints.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("nearside.service")).collect();
    assert_eq!(ours, Vec::<&str>::new());
}

#[test]
fn the_unit_gives_little_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    // In tenths: from 2.0 on systemd no longer says OK without a word.
    let arguments = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    let Some(output) = tool::output(Command::new("systemd-analyze").args(arguments).arg(&path)) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Overall exposure level"), "{said}");
}

#[test]
fn the_unit_has_a_user_of_its_own_and_one_capability() {
    let unit = shipped(UNIT);
    let values =
        |key: &str| -> Vec<&str> { unit.lines().filter_map(|line| line.strip_prefix(key)).collect() };
    assert_eq!(values("User="), ["nearside"]);
    assert_eq!(values("AmbientCapabilities="), ["CAP_NET_BIND_SERVICE"]);
    assert_eq!(values("CapabilityBoundingSet="), ["CAP_NET_BIND_SERVICE"]);
    assert_eq!(values("LimitCORE="), ["0"]);
    assert_eq!(values("Type="), ["notify-reload"]);
}
