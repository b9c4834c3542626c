//! The operator's hand: drain and undrain as commands, watched to their end.

use super::{Stage, stage};
use nearside_tests::client::{self, url};
use nearside_tests::{Edge, eventually};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tokio::task::block_in_place;

const DRAIN: &[&str] = &["drain", "frankfurt", "--reason", "CHG-1", "--file", "routes.yaml"];

/// Calls the program for this edge and stays beside it.
fn begin(edge: &Edge, arguments: &[&str]) -> Child {
    let mut command = Command::new(nearside_tests::program());
    command.args(arguments).args(["--state-dir", "state"]).current_dir(edge.folder()).env("USER", "ann");
    command.env_remove("SUDO_USER").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// What it says on standard output, and then on the other one, and its exit code.
fn end(child: Child) -> (String, String, Option<i32>) {
    let output = block_in_place(|| child.wait_with_output()).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

fn call(edge: &Edge, arguments: &[&str]) -> (String, String, Option<i32>) {
    end(begin(edge, arguments))
}

fn file(edge: &Edge) -> String {
    std::fs::read_to_string(edge.file()).unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_watched_until_nothing_is_in_flight() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage().await;
    let open = client::reqwest(&edge, true).get(url(&edge, "/drip/30/100")).send().await.unwrap();
    assert_eq!(open.headers()["x-sample-region"], "frankfurt");
    let (said, told, code) = call(&edge, &[DRAIN, &["--grace", "10m", "--until", "2999-01-01"]].concat());
    assert_eq!(code, Some(0), "{said}{told}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "routes.yaml: frankfurt is marked drained");
    assert!(lines[1].starts_with("frankfurt is draining: 1 in flight, 59"), "{said}");
    assert!(lines.last().unwrap().ends_with("nothing goes to frankfurt any more"), "{said}");
    assert!(open.bytes().await.unwrap().ends_with(b"drip 29\n"), "the stream was cut");
    let mark = "{ reason: \"CHG-1\", by: \"ann\", until: \"2999-01-01\", grace: 10m }";
    assert!(file(&edge).contains(mark), "{}", file(&edge));
    let drains = edge.status()["drains"].clone();
    assert_eq!((&drains[0]["target"], &drains[0]["state"]), (&"frankfurt".into(), &"drained".into()));
    assert_eq!((&drains[0]["by"], &drains[0]["until"]), (&"ann".into(), &"2999-01-01".into()));

    let (said, ..) = call(&edge, DRAIN);
    assert!(said.starts_with("routes.yaml says so already\n"), "{said}");
    assert!(said.contains("nothing goes to frankfurt any more"), "{said}");

    let undrain = ["undrain", "frankfurt", "--file", "routes.yaml"];
    let (said, told, code) = call(&edge, &undrain);
    assert_eq!(code, Some(0), "{said}{told}");
    assert!(said.contains("requests go to frankfurt again"), "{said}");
    assert!(!file(&edge).contains("drain"));
    assert_eq!(edge.status()["drains"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_ends_early_leaves_the_mark() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage().await;
    let open = client::reqwest(&edge, false).get(url(&edge, "/drip/60/100")).send().await.unwrap();
    let (said, _, code) = call(&edge, &[DRAIN, &["--no-wait"]].concat());
    assert_eq!((said.as_str(), code), ("routes.yaml: frankfurt is marked drained\n", Some(0)));
    let (_, told, code) = call(&edge, &[DRAIN, &["--timeout", "300ms"]].concat());
    assert!(told.starts_with("the time is over: the mark stays in routes.yaml"), "{told}");
    assert_eq!(code, Some(1));

    let mut child = begin(&edge, DRAIN);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let waits =
        block_in_place(|| lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("in flight"))));
    assert!(waits.is_some());
    signal(&child, "-INT");
    let (_, told, code) = end(child);
    assert!(told.starts_with("interrupted: the mark stays in routes.yaml"), "{told}");
    assert_eq!(code, Some(1));
    assert!(file(&edge).contains("CHG-1"));
    assert_eq!(edge.status()["drains"][0]["in_flight"], 1);
    drop(open);
    eventually("the end of the drain", async || {
        (edge.status()["drains"][0]["state"] == "drained").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_backend_is_drained_alone() {
    let Stage { edge, frankfurt, virginia: _virginia } = stage().await;
    let drain = ["drain", "web/fra-a", "--reason", "disk", "--by", "bob", "--file", "routes.yaml"];
    let (said, told, code) = call(&edge, &drain);
    assert_eq!(code, Some(0), "{said}{told}");
    let seen = frankfurt.requests().len();
    let answer = client::reqwest(&edge, false).get(url(&edge, "/")).send().await.unwrap();
    assert_eq!(answer.headers()["x-sample-region"], "virginia");
    assert_eq!(frankfurt.requests().len(), seen);
    let drains = edge.status()["drains"].clone();
    assert_eq!((&drains[0]["target"], &drains[0]["kind"]), (&"web/fra-a".into(), &"backend".into()));
    assert_eq!(drains[0]["by"], "bob");
    assert_eq!(told, "", "another one is left");

    let last = ["drain", "virginia", "--reason", "too much", "--no-wait", "--file", "routes.yaml"];
    let (_, told, code) = call(&edge, &last);
    assert_eq!(code, Some(0), "the operator decides");
    let warning = "warning: nothing is left to serve pool web: its requests are refused with 503\n";
    assert_eq!(told, warning);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_watched_as_a_document_a_line() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage().await;
    let mut child = begin(&edge, &["status", "--json", "--watch"]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let documents: Vec<Value> = block_in_place(|| {
        lines.take(2).map(|line| serde_json::from_str(&line.unwrap()).expect("a document a line")).collect()
    });
    // Nobody reads on, and so it ends by itself.
    assert_eq!(block_in_place(|| child.wait()).unwrap().code(), Some(0));
    let (one, other) = (&documents[0], &documents[1]);
    assert_eq!(one["pid"], edge.pid());
    assert!(one["now"].as_u64() < other["now"].as_u64());
    for key in ["generation", "phase", "shutdown", "listeners", "drains", "regions", "pools", "backends"] {
        assert!(!one[key].is_null(), "no {key}: {one}");
    }
    assert!(one["backends"][0]["share"].is_number() && one["backends"][0]["since"].is_u64(), "{one}");
}
