//! Upgrades that somebody interrupts: there is one process that serves afterwards, or none where that was asked for.

use super::stage;
use nearside_tests::client::{self, url};
use nearside_tests::{Edge, Stage, eventually};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::Command;
use tokio::task::block_in_place;

/// An edge with a backend that lets its probe hang, so that the next process has to wait for the verdict.
async fn slow_stage() -> (Stage, TcpListener) {
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let stage = stage("").await;
    let more = format!(
        "  hangs:\n    backends: [{{ url: \"http://{}\", region: virginia }}]\n    \
         probe: {{ interval: 60s, timeout: 50s }}\nroutes:\n  - {{ host: hangs.example.com, pool: hangs }}\n",
        backend.local_addr().unwrap()
    );
    stage.edge.reload(|text| text.replace("routes:\n", &more)).await;
    (stage, backend)
}

/// Asks for an upgrade, and hears no answer.
fn ask_for_it(edge: &Edge) -> UnixStream {
    let mut stream = UnixStream::connect(edge.folder().join("state/admin.sock")).unwrap();
    stream.write_all(b"POST /upgrade HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
    stream
}

/// The process that is to take over, once it has taken all that it is given.
async fn successor(edge: &Edge) -> String {
    eventually("a successor", async || {
        let began = edge.log().matches("\"serving\"").count();
        let threads = fs::read_dir(format!("/proc/{}/task", edge.pid())).unwrap().filter_map(Result::ok);
        let mut each = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let child = each.find(|children| !children.trim().is_empty())?.trim().to_owned();
        (began == 2).then_some(child)
    })
    .await
}

fn terminate(pid: &str) {
    assert!(Command::new("kill").args(["-TERM", pid]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_for_it_may_break_off() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage("").await;
    let before = edge.serving();
    let asking = ask_for_it(&edge);
    eventually("the begin", async || edge.log().contains("starting a successor").then_some(())).await;
    drop(asking);
    eventually("the successor", async || edge.serving().filter(|now| Some(*now) != before)).await;
    let answer = client::reqwest(&edge, true).get(url(&edge, "/")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(edge.status()["ready"], true, "the one that serves is the one that answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_is_told_to_end_too_early_leaves_everything_to_its_predecessor() {
    let (Stage { edge, frankfurt: _frankfurt, virginia: _virginia }, _backend) = slow_stage().await;
    let before = edge.serving();
    let mut asking = ask_for_it(&edge);
    terminate(&successor(&edge).await);
    let mut said = String::new();
    block_in_place(|| asking.read_to_string(&mut said)).unwrap();
    assert!(said.contains("409 Conflict") && said.contains("ended before it was ready"), "{said}");
    assert_eq!(edge.serving(), before);
    let answer = client::reqwest(&edge, true).get(url(&edge, "/")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_end_takes_the_one_with_it_that_has_not_begun() {
    let (Stage { mut edge, frankfurt: _frankfurt, virginia: _virginia }, _backend) = slow_stage().await;
    let _asking = ask_for_it(&edge);
    let child = successor(&edge).await;
    edge.signal("TERM");
    assert_eq!(edge.ended().await.code(), Some(0), "{}", edge.log());
    // What comes next can have its ports at once.
    eventually("a free port", async || TcpListener::bind(edge.https).ok()).await;
    eventually("the end of the successor", async || is_gone(&child).then_some(())).await;
    assert!(!edge.folder().join("state/admin.sock").exists());
}

/// Whether the process has ended; nobody may have asked how.
fn is_gone(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}
