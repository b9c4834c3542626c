//! One process leaves its place to the next: under load, with what it knows, and not at all where the next is broken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod interrupted;
mod refused;
mod systemd;

use nearside_sample::drip_line;
use nearside_tests::client::{self, ask_on, connect, url};
use nearside_tests::edge::Setting;
use nearside_tests::load::{Load, Outcome};
use nearside_tests::{Edge, Stage, eventually};
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An edge whose program is a link in its folder, started with these words before it.
async fn stage_by(words: &[OsString], more: &str) -> Stage {
    let setting = Setting::new();
    let program = setting.folder().join("nearside");
    symlink(nearside_tests::program(), &program).unwrap();
    let words: Vec<OsString> = words.iter().cloned().chain([program.into_os_string()]).collect();
    Stage::by(setting, &words, more).await
}

async fn stage(more: &str) -> Stage {
    stage_by(&[], more).await
}

/// Upgrades, and returns the process that serves then.
fn upgrade(edge: &Edge) -> u32 {
    let before = edge.serving().unwrap();
    let output = edge.call(&["upgrade", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", edge.log());
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let now = edge.serving().unwrap();
    assert_eq!((&told["pid"], &told["before"]), (&now.into(), &before.into()));
    assert_ne!(now, before);
    now
}

/// Clients that come one after the other, each on a connection of its own.
struct Newcomers {
    stop: Arc<AtomicBool>,
    /// How many were served, once they are told to stop; all of them.
    served: tokio::task::JoinHandle<usize>,
}

fn newcomers(edge: &Edge) -> Newcomers {
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, address) = (Arc::clone(&stop), edge.https);
    let config = edge.authority.trusting(&[b"http/1.1"]);
    let served = tokio::spawn(async move {
        let mut served = 0;
        while !stopped.load(Ordering::Relaxed) {
            let mut stream = connect(Arc::clone(&config), address, "www.example.com").await.unwrap();
            ask_on(&mut stream).await;
            served += 1;
        }
        served
    });
    Newcomers { stop, served }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_has_connections_to_its_backends_before_its_first_client() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage("").await;
    upgrade(&edge);
    let status = edge.status();
    let backends = status["backends"].as_array().unwrap().iter();
    let idle: Vec<_> = backends.map(|backend| backend["idle_connections"].as_u64()).collect();
    assert_eq!(idle, [Some(4); 2]);
    assert_eq!(client::ask(&edge, "/", &[]).await.status(), 200);
    let record = eventually("a record", async || edge.records().pop()).await;
    assert_eq!(record.get("connect_us"), None, "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_upgrades_under_load_fail_no_request_and_cut_no_stream() {
    let Stage { edge, frankfurt, virginia } = stage("shutdown: { deadline: 60s }\n").await;
    let first = edge.generation();
    let config = edge.authority.trusting(&[b"http/1.1"]);
    let mut idle = connect(config, edge.https, "www.example.com").await.unwrap();
    assert!(!ask_on(&mut idle).await.contains("connection: close"));
    // 40 lines, 100 ms apart: the streams outlast both upgrades.
    let expected: Vec<u8> = (0..40).flat_map(|line| drip_line(line).into_bytes()).collect();
    let mut streams = tokio::task::JoinSet::new();
    for number in 0..4 {
        let answer = client::reqwest(&edge, number % 2 == 0).get(url(&edge, "/drip/40/100")).send().await;
        streams.spawn(answer.unwrap().bytes());
    }
    let load = Load::start(&edge, 100);
    let newcomers = newcomers(&edge);
    load.more(50).await;
    let second = upgrade(&edge);
    // What the process before has in flight is this PoP's too.
    let in_flight = edge.status()["regions"][0]["in_flight"].as_u64().unwrap();
    assert!(in_flight >= 4, "{in_flight}");
    assert_ne!(upgrade(&edge), second);
    load.more(100).await;
    let outcomes = load.end().await;
    newcomers.stop.store(true, Ordering::Relaxed);
    assert!(newcomers.served.await.expect("no newcomer was turned away") > 20);
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is_fine()).collect();
    assert!(failed.is_empty(), "{failed:?}\n{}", edge.log());
    assert_eq!(outcomes.last().unwrap().generation, Some(first + 2), "{}", edge.log());
    // Connections that were idle are served once more by the process that has them, and told to go.
    assert!(ask_on(&mut idle).await.contains("connection: close"));
    for bytes in streams.join_all().await {
        assert!(bytes.unwrap() == expected, "a stream was cut");
    }
    let posts = outcomes.iter().filter(|outcome| outcome.post).count();
    let arrived: Vec<_> =
        frankfurt.requests().into_iter().filter(|arrival| arrival.method == "POST").collect();
    assert_eq!(arrived.len(), posts, "a POST arrived twice, or not at all");
    assert_eq!(virginia.requests().len(), 0, "the standby had no reason: {:?}", virginia.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_of_three_has_in_flight_is_known_to_the_last() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage("").await;
    let in_flight = || edge.status()["regions"][0]["in_flight"].as_u64();
    let config = edge.authority.trusting(&[b"http/1.1"]);
    let mut upload = connect(config, edge.https, "www.example.com").await.unwrap();
    upload.write_all(b"POST / HTTP/1.1\r\nhost: www.example.com\r\ncontent-length: 2\r\n\r\n").await.unwrap();
    eventually("the upload", async || (in_flight() == Some(1)).then_some(())).await;
    upgrade(&edge);
    upgrade(&edge);
    // The second has nothing of its own: it has ended all but its word for the first one.
    eventually("the end of the second", async || edge.log().contains(r#""message":"ended""#).then_some(()))
        .await;
    assert_eq!(in_flight(), Some(1), "{}", edge.log());
    upload.write_all(b"ok").await.unwrap();
    let mut answer = [0; 12];
    upload.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    eventually("the end of the first", async || (in_flight() == Some(0)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_knows_what_the_one_before_knew() {
    let Stage { edge, frankfurt, virginia } = stage("").await;
    nearside_tests::backend::kill(&[&frankfurt]);
    let find = |edge: &Edge| {
        let backends = edge.status()["backends"].clone();
        backends.as_array().unwrap().iter().find(|backend| backend["name"] == "fra-a").unwrap().clone()
    };
    eventually("the verdict", async || (find(&edge)["verdict"] == "unhealthy").then_some(())).await;
    edge.reload(|text| text.replace("virginia: {}", "virginia: { drain: \"for the mark\" }")).await;
    edge.reload(|text| text.replace("pool: web", "pool: web, id: www")).await;
    let (before, marked) = (find(&edge), edge.status()["regions"][1]["marked_since"].clone());
    let number = edge.generation();
    upgrade(&edge);
    let (after, status) = (find(&edge), edge.status());
    for key in ["verdict", "standing", "since", "by", "evidence"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert!(marked.is_u64());
    assert_eq!(status["regions"][1]["marked_since"], marked);
    assert_eq!(edge.generation(), number + 1);
    assert_eq!(virginia.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_come_and_go_with_an_upgrade() {
    let Stage { edge, frankfurt: _frankfurt, virginia: _virginia } = stage("").await;
    let (gone, kept) = (edge.http, edge.https);
    let added = std::net::SocketAddr::from(([127, 0, 0, 1], nearside_tests::port()));
    edge.rewrite(|text| text.replace(&gone.to_string(), &added.to_string()));
    let reload = eventually("a refusal", async || {
        let reload = edge.status()["last_reload"].clone();
        (reload["outcome"] == "refused").then_some(reload)
    })
    .await;
    assert!(reload["message"].as_str().unwrap().contains("nearside upgrade"), "{reload}");
    assert!(TcpStream::connect(added).await.is_err());
    upgrade(&edge);
    assert!(TcpStream::connect(added).await.is_ok());
    assert!(TcpStream::connect(kept).await.is_ok());
    eventually("the end of the listener that is gone", async || TcpStream::connect(gone).await.err()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_was_started_first_stands_for_those_after_it() {
    let Stage { mut edge, frankfurt: _frankfurt, virginia: _virginia } = stage("").await;
    let mut processes = vec![edge.pid(), upgrade(&edge), upgrade(&edge)];
    processes.dedup();
    assert_eq!(processes.len(), 3);
    assert_eq!(edge.serving(), Some(processes[2]));
    // Whoever started it knows this process only.
    edge.signal("TERM");
    assert_eq!(edge.ended().await.code(), Some(0), "{}", edge.log());
    assert_eq!(edge.serving(), None);
    assert!(TcpStream::connect(edge.https).await.is_err());
    for pid in processes {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} is still there");
    }
    assert!(!edge.folder().join("state/admin.sock").exists());
}
