//! The operator's hand: drain and undrain as commands, watched to their end.

use nearside_tests::client::{self, url};
use nearside_tests::load::Load;
use nearside_tests::{Edge, Stage, eventually};
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
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = Stage::new().await;
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
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = Stage::new().await;
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
    let Stage { edge, frankfurt, virginia: _virginia } = Stage::new().await;
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
    let before = file(&edge);
    let (said, told, code) = call(&edge, &last);
    assert_eq!((said.as_str(), code), ("", Some(1)));
    let dark = "nothing that is well would be left to serve www.example.com/* (from everywhere)\n";
    assert!(told.starts_with("virginia is not drained") && told.contains(dark), "{told}");
    assert!(told.contains("`--force` drains it anyway"), "{told}");
    assert_eq!(file(&edge), before);
    let (said, told, code) = call(&edge, &[&last[..], &["--force"]].concat());
    assert_eq!(
        (said.as_str(), code),
        ("routes.yaml: virginia is marked drained\n", Some(0)),
        "the operator decides"
    );
    assert_eq!(told, format!("warning: {dark}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_the_rest_cannot_carry_is_refused_by_what_is_measured() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = Stage::new().await;
    let regions = "frankfurt: { capacity: 400 rps }, virginia: { capacity: 4 rps }";
    edge.reload(|text| text.replace("frankfurt: {}, virginia: {}", regions)).await;
    let load = Load::start(&edge, 100);
    // The meter has a whole second behind it.
    let offered = || edge.status()["regions"][0]["offered_rps"].as_u64().unwrap();
    eventually("a load", async || (offered() > 20).then_some(())).await;
    assert_eq!(edge.status()["regions"][1]["capacity_rps"], 4);
    let (said, told, code) = call(&edge, &[DRAIN, &["--no-wait"]].concat());
    assert_eq!((said.as_str(), code), ("", Some(1)), "{told}");
    assert!(told.starts_with("frankfurt is not drained (by what this PoP has measured):\n"), "{told}");
    let figures = told.lines().nth(1).unwrap();
    assert!(
        figures.starts_with("  virginia would get ")
            && figures.ends_with(" requests a second, and is declared for 4"),
        "{told}"
    );
    assert!(!file(&edge).contains("CHG-1"));
    let simulated = edge.call(&["simulate", "--live", "--lose", "frankfurt", "--json"]);
    assert_eq!(simulated.status.code(), Some(1));
    let simulated: Value = serde_json::from_slice(&simulated.stdout).unwrap();
    assert_eq!(simulated["regions"][1]["overloaded"], true, "{simulated}");
    assert!(simulated["regions"][0]["rps_before"].as_f64().unwrap() > 20.0, "{simulated}");
    load.end().await;

    // Nobody asks any more, so nothing speaks against it.
    eventually("quiet", async || (offered() == 0).then_some(())).await;
    let (said, told, code) = call(&edge, &[DRAIN, &["--no-wait"]].concat());
    assert_eq!((said.as_str(), code), ("routes.yaml: frankfurt is marked drained\n", Some(0)), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_running_pop_a_drain_is_judged_by_what_is_declared() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = Stage::new().await;
    let drain = |capacities: [u32; 2], more: &[&str]| {
        let [one, other] = capacities;
        let regions = format!("frankfurt: {{ capacity: {one} rps }}, virginia: {{ capacity: {other} rps }}");
        let text = file(&edge).replace("frankfurt: {}, virginia: {}", &regions);
        std::fs::write(edge.folder().join("elsewhere.yaml"), text).unwrap();
        let words = ["drain", "frankfurt", "--reason", "CHG-1", "--file", "elsewhere.yaml"];
        call(&edge, &[&words[..], more].concat())
    };
    let (_, told, code) = drain([400, 399], &[]);
    assert_eq!(code, Some(0), "{told}");
    let (said, told, code) = drain([400, 300], &[]);
    assert_eq!((said.as_str(), code), ("", Some(1)));
    let figures = "virginia would get 400 requests a second, and is declared for 300\n";
    assert!(
        told.contains("if each region that serves carries its declared capacity") && told.contains(figures),
        "{told}"
    );
    let (said, told, code) = drain([400, 300], &["--force"]);
    assert!(said.starts_with("elsewhere.yaml: frankfurt is marked drained\n"), "{said}");
    assert_eq!((told, code), (format!("warning: {figures}"), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_watched_as_a_document_a_line() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = Stage::new().await;
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
