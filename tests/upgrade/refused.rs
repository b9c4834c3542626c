//! Upgrades that do not come about: the process that ran before goes on, and the command says why.

use super::{stage, upgrade};
use nearside_tests::client::{self, url};
use nearside_tests::{Edge, Stage};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// Tries an upgrade that is refused; what was said.
async fn refusal(edge: &Edge) -> String {
    let before = (edge.serving(), edge.generation());
    let output = edge.call(&["upgrade"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not upgraded"), "{said}");
    assert_eq!((edge.serving(), edge.generation()), before);
    let answer = client::reqwest(edge, true).get(url(edge, "/")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_program_is_told_with_what_it_said() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage("").await;
    let program = edge.folder().join("nearside");
    let put = |script: &str| {
        let fresh = edge.folder().join("fresh");
        fs::write(&fresh, script).unwrap();
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&fresh, &program).unwrap();
    };
    put("#!/bin/sh\necho 'out of order' >&2\nexit 3\n");
    let said = refusal(&edge).await;
    assert!(said.contains("exit status: 3") && said.contains("out of order"), "{said}");
    // Too few descriptors for all that it takes over.
    let real = nearside_tests::program();
    put(&format!("#!/bin/sh\nulimit -n 9\nexec {} \"$@\"\n", real.display()));
    refusal(&edge).await;
    put("no program at all");
    let said = refusal(&edge).await;
    assert!(said.contains(&format!("cannot start {}", program.display())), "{said}");
    fs::remove_file(&program).unwrap();
    let said = refusal(&edge).await;
    assert!(said.contains("cannot start"), "{said}");
    symlink(nearside_tests::program(), &program).unwrap();
    upgrade(&edge);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_told_with_its_report() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage("").await;
    let good = fs::read_to_string(edge.file()).unwrap();
    edge.rewrite(|text| text.replace("pools:", "poolz:"));
    let said = refusal(&edge).await;
    assert!(said.contains("poolz") && said.contains("routes.yaml:"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    edge.rewrite(|_| good.replace(&edge.http.to_string(), &address.to_string()));
    let said = refusal(&edge).await;
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    edge.rewrite(|_| good);
    upgrade(&edge);
}
