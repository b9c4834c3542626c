//! What goes wrong before anything is served: each ends with a message that a person can act on, and no panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const GOOD: &str = "version: 1
regions: { frankfurt: {} }
pools:
  web:
    backends: [{ url: \"http://127.0.0.1:9\", region: frankfurt }]
routes:
  - { host: www.example.com, pool: web }
listeners:
  - { bind: \"127.0.0.1:PORT\" }
";

/// Runs the program in a folder with this file.
fn program(folder: &Path, arguments: &[&str]) -> Output {
    let limited = ["20", nearside_tests::program().to_str().unwrap()].map(str::to_owned);
    Command::new("timeout").args(limited).args(arguments).current_dir(folder).output().unwrap()
}

/// It must fail with exit code 1, say all of `parts`, and not panic.
fn check(folder: &Path, arguments: &[&str], parts: &[&str]) {
    let output = program(folder, arguments);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{arguments:?} should say {part:?}: {said}");
    }
    assert!(
        !said.contains("panicked") && !said.contains("nearside_"),
        "{arguments:?} shows our insides: {said}"
    );
}

fn folder(file: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("routes.yaml"), file).unwrap();
    folder
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_a_remedy() {
    let folder = folder(GOOD.as_bytes());
    check(folder.path(), &["check", "missing.yaml"], &["missing.yaml"]);
    fs::create_dir(folder.path().join("folder.yaml")).unwrap();
    check(folder.path(), &["check", "folder.yaml"], &["folder.yaml", "folder"]);
    check(folder.path(), &["run", "--state-dir", "state", "missing.yaml"], &["missing.yaml"]);
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("a NUL byte", GOOD.replace("frankfurt", "frank\0furt").into_bytes(), "routes.yaml:"),
        ("no UTF-8", [GOOD.as_bytes(), b"# \xff\xfe\n"].concat(), "UTF-8"),
        ("a tab", GOOD.replace("  web:", "\tweb:").into_bytes(), "routes.yaml:"),
        ("a duplicate key", format!("{GOOD}version: 1\n").into_bytes(), "version"),
        ("nothing", Vec::new(), "routes.yaml"),
        ("a bomb", bomb().into_bytes(), "routes.yaml"),
    ];
    for (what, text, part) in cases {
        let folder = folder(&text);
        eprintln!("{what}");
        check(folder.path(), &["check", "routes.yaml"], &[part]);
    }
}

/// A billion laughs.
fn bomb() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    format!("{text}{GOOD}")
}

#[test]
fn a_file_of_a_hundred_megabytes_is_refused_before_it_is_read() {
    let folder = folder(b"");
    let large = fs::File::create(folder.path().join("routes.yaml")).unwrap();
    large.set_len(100 << 20).unwrap();
    check(folder.path(), &["check", "routes.yaml"], &["routes.yaml", "MiB"]);
}

#[test]
fn every_problem_is_told_at_once() {
    let text =
        GOOD.replace("region: frankfurt", "region: francfort, wieght: 5").replace("pool: web", "pool: wep");
    let folder = folder(text.as_bytes());
    check(
        folder.path(),
        &["check", "routes.yaml"],
        &["routes.yaml:5:", "francfort", "frankfurt", "wieght", "weight", "routes.yaml:7:", "wep"],
    );
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = folder(GOOD.replace("PORT", &port).as_bytes());
    check(folder.path(), &["run", "--state-dir", "state", "routes.yaml"], &[&port, "in use"]);
}

#[test]
fn a_privileged_port_without_the_right_is_told_with_the_remedy() {
    let lowest = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if lowest.trim() == "0" || !Path::new("/usr/bin/setpriv").exists() || !nearside_tests::tool::is_root() {
        eprintln!("SKIPPED: no right can be given up here");
        return;
    }
    let folder = folder(GOOD.replace("PORT", "81").as_bytes());
    let program = folder.path().join("nearside");
    fs::copy(nearside_tests::program(), &program).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"])
        .arg(&program)
        .args(["run", "--state-dir", "state", "routes.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("81") && said.contains("CAP_NET_BIND_SERVICE"), "{said}");
}

#[test]
fn certificates_that_cannot_serve_are_all_told() {
    let folder = folder(
        GOOD.replace(
            "listeners:",
            "tls:\n  certificates:\n    - { cert: none.pem, key: none.key }\n    - { cert: other.pem, key: other.key }\n    - nothing/*.pem\nlisteners:",
        )
        .replace("PORT\"", "PORT\", tls: true")
        .replace("PORT", &nearside_tests::port().to_string())
        .as_bytes(),
    );
    let authority = nearside_tests::Authority::new(folder.path());
    let ((certificate, _), (_, key)) =
        (authority.sign(&["www.example.com"]), authority.sign(&["www.example.com"]));
    fs::write(folder.path().join("other.pem"), certificate).unwrap();
    fs::write(folder.path().join("other.key"), key).unwrap();
    check(
        folder.path(),
        &["check", "routes.yaml"],
        &["none.pem", "other.pem", "does not belong", "nothing/*.pem"],
    );
}

#[test]
fn a_wrong_call_is_told_from_a_refusal() {
    let folder = folder(GOOD.as_bytes());
    let output = program(folder.path(), &["chekc"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("check"), "a suggestion");
    let fine = program(folder.path(), &["explain", "--host", "www.example.com", "--file", "routes.yaml"]);
    // PORT is no port, and nothing may hide that.
    assert_eq!(fine.status.code(), Some(1));
}
