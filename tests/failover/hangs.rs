//! Backends that hang, crawl or answer errors while others are well: they are left before a client has to notice.

use crate::judge;
use nearside_tests::edge::Setting;
use nearside_tests::load::Load;
use nearside_tests::{Edge, Process, client, eventually};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Probes as the figures of the specification's issue take them; POSTs that hang are given up before a test is.
const HEAD: &str = "version: 1
fleet: { name: nearside-test }
regions: { frankfurt: {}, virginia: {} }
defaults:
  probe: { interval: 500ms, fast_interval: 200ms, timeout: 450ms, fall: 2, path: /healthz }
  timeouts: { response: 5s }
";

fn signal(name: &str, processes: &[&Process]) {
    let pids = processes.iter().map(|process| process.pid().to_string());
    assert!(Command::new("kill").arg(format!("-{name}")).args(pids).status().unwrap().success());
}

fn file(backends: &[(&str, String, &str, u8)]) -> String {
    let lines = backends.iter().map(|(id, address, region, tier)| {
        format!("      - {{ id: {id}, url: \"http://{address}\", region: {region}, priority: {tier} }}\n")
    });
    let lines: String = lines.collect();
    format!(
        "{HEAD}pools:\n  web:\n    backends:\n{lines}routes:\n  - {{ host: www.example.com, pool: web }}\n"
    )
}

/// What `/status` says of a backend.
fn told(edge: &Edge, key: &str) -> serde_json::Value {
    let status = edge.status();
    let found = status["backends"].as_array().unwrap().iter().find(|backend| backend["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {status}")).clone()
}

async fn stands(edge: &Edge, key: &str, standing: &str, by: &str) {
    eventually(&format!("{key}: {standing} by {by}"), async || {
        let told = told(edge, key);
        (told["standing"] == standing && told["by"] == by).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_costs_no_get() {
    let setting = Setting::new();
    let one = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let two = Process::start(setting.folder(), "fra-b", "frankfurt").await;
    let backends = [
        ("fra-a", one.address.to_string(), "frankfurt", 1),
        ("fra-b", two.address.to_string(), "frankfurt", 1),
    ];
    let edge = setting.run(&file(&backends)).await;
    let load = Load::start(&edge, 100);
    load.more(150).await;
    signal("STOP", &[&one]);
    stands(&edge, "web/fra-a", "unhealthy", "probe").await;
    load.more(50).await;
    let outcomes = load.end().await;
    // What hung lies in its sockets: it comes into the ledger when the process may read it.
    signal("CONT", &[&one]);
    let hung: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_fine()).collect();
    eventually("what hung is in the ledger", async || {
        let arrived = one.requests();
        hung.iter().all(|one| arrived.iter().any(|other| other.id.as_ref() == Some(&one.id))).then_some(())
    })
    .await;
    judge(&outcomes, &one.requests(), &two.requests());
    assert!(one.requests().len() > 20, "it carried its share before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_that_is_stopped_costs_no_get() {
    let setting = Setting::new();
    let one = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let two = Process::start(setting.folder(), "fra-b", "frankfurt").await;
    let standby = Process::start(setting.folder(), "iad-a", "virginia").await;
    let backends = [
        ("fra-a", one.address.to_string(), "frankfurt", 1),
        ("fra-b", two.address.to_string(), "frankfurt", 1),
        ("iad-a", standby.address.to_string(), "virginia", 2),
    ];
    let edge = setting.run(&file(&backends)).await;
    let load = Load::start(&edge, 100);
    load.more(150).await;
    signal("STOP", &[&one, &two]);
    eventually("failover", async || (standby.requests().len() > 50).then_some(())).await;
    let outcomes = load.end().await;
    // POSTs that hung were sent, and are not sent again; GETs were, whatever the budget of repeats.
    let gets: Vec<_> = outcomes.iter().filter(|outcome| !outcome.post && !outcome.is_fine()).collect();
    assert!(gets.is_empty(), "{gets:?}");
    let last = outcomes.iter().rfind(|outcome| outcome.is_fine()).unwrap();
    assert_eq!(last.region.as_deref(), Some("virginia"));
}

/// What a backend of the test does with requests that are no probes.
#[derive(Clone, Copy)]
enum Does {
    /// Its head at once, and then its body a byte at a time.
    Drips,
    /// An error.
    Fails,
}

/// A backend that answers its probes well. Its requests are counted.
async fn strange(does: Does) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count: Arc<AtomicU64> = Arc::default();
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, does, Arc::clone(&counter)));
        }
    });
    (address, count)
}

async fn converse(stream: TcpStream, does: Does, count: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut probe, mut length) = (String::new(), false, 0);
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let lower = line.to_ascii_lowercase();
            probe |= lower.starts_with("x-nearside-probe:");
            length =
                lower.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
        }
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut vec![0; length]).await?;
        if probe {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
            continue;
        }
        count.fetch_add(1, Ordering::Relaxed);
        match does {
            Does::Fails => {
                stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").await?;
            }
            Does::Drips => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n").await?;
                for _ in 0..20 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    stream.write_all(b"x").await?;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_drips_is_left_though_its_probes_pass_and_nothing_fails() {
    let setting = Setting::new();
    let well = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let (dripping, count) = strange(Does::Drips).await;
    let backends = [("fra-a", well.address.to_string(), "frankfurt", 1), ("fra-b", dripping, "frankfurt", 1)];
    let edge = setting.run(&file(&backends)).await;
    let load = Load::start(&edge, 100);
    stands(&edge, "web/fra-b", "ejected", "latency").await;
    let before = count.load(Ordering::Relaxed);
    load.more(100).await;
    assert_eq!(count.load(Ordering::Relaxed), before, "an ejected backend gets nothing");
    let outcomes = load.end().await;
    assert!(outcomes.iter().all(nearside_tests::load::Outcome::is_fine), "slow is not failed");
    let evidence = told(&edge, "web/fra-b")["evidence"].as_str().unwrap().to_owned();
    assert!(evidence.contains("answers were late"), "{evidence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_that_answers_errors_is_left_whole_though_its_probes_pass() {
    let setting = Setting::new();
    let standby = Process::start(setting.folder(), "iad-a", "virginia").await;
    let (one, _) = strange(Does::Fails).await;
    let (two, _) = strange(Does::Fails).await;
    let backends = [
        ("fra-a", one, "frankfurt", 1),
        ("fra-b", two, "frankfurt", 1),
        ("iad-a", standby.address.to_string(), "virginia", 2),
    ];
    let text = file(&backends).replace(
        "  timeouts:",
        "  retry: { max: 2, when: [connect, reset, 500, 502, 503, 504] }\n  timeouts:",
    );
    let edge = setting.run(&text).await;
    let load = Load::start(&edge, 100);
    stands(&edge, "web/fra-a", "ejected", "requests").await;
    stands(&edge, "web/fra-b", "ejected", "requests").await;
    load.more(50).await;
    let outcomes = load.end().await;
    let failed =
        |post: bool| outcomes.iter().filter(|outcome| outcome.post == post && !outcome.is_fine()).count();
    // An ejection that ran out may meet one more POST each.
    assert!(failed(false) == 0 && failed(true) <= 6, "{} GETs and {} POSTs", failed(false), failed(true));
    let answer = client::reqwest(&edge, true).get(client::url(&edge, "/")).send().await.unwrap();
    assert_eq!(answer.headers()["x-sample-region"], "virginia");
}
