//! Sessions stay where they are, users go where their data lives, and what is full spills over; what clients make up
//! has no effect.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod homes;
mod pins;
mod spill;
mod told;

use nearside_tests::client::{ask, region};
use nearside_tests::edge::Setting;
use nearside_tests::{Edge, Process};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Three regions that are equals, with a backend each.
const REGIONS: [&str; 3] = ["frankfurt", "dublin", "virginia"];

/// The head of a file: quick probes, no hold, and the fleet's key in a file.
const HEAD: &str = "version: 1
fleet: { name: nearside-test, key_file: fleet.key }
regions: { frankfurt: {}, dublin: {}, virginia: {} }
defaults:
  probe: { interval: 500ms, fast_interval: 200ms, timeout: 400ms, fall: 2, rise: 1, path: /healthz }
  failback: { hold: 0s, ramp: 0s }
  select: { latency_tolerance: 10s }
";

/// A backend in each region, with their ledgers in `setting`.
async fn backends(setting: &Setting) -> [Process; 3] {
    let [one, two, three] = REGIONS;
    [
        Process::start(setting.folder(), "one", one).await,
        Process::start(setting.folder(), "two", two).await,
        Process::start(setting.folder(), "three", three).await,
    ]
}

/// The pool `name` of `backends`, as the file has it.
fn pool(name: &str, backends: &[Process; 3]) -> String {
    let entries = backends.iter().zip(REGIONS).map(|(backend, region)| {
        format!("      - {{ id: {}, url: \"http://{}\", region: {region} }}\n", backend.name, backend.address)
    });
    format!("  {name}:\n    backends:\n{}", entries.collect::<String>())
}

/// A setting whose fleet has the key that `byte` makes.
fn setting(byte: &str) -> Setting {
    let setting = Setting::new();
    let key = setting.folder().join("fleet.key");
    fs::write(&key, byte.repeat(32)).unwrap();
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    setting
}

/// The regions that answer so many requests with these headers, each once.
async fn regions(edge: &Edge, count: usize, headers: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..count {
        found.push(region(&ask(edge, "/", headers).await));
    }
    found.sort();
    found.dedup();
    found
}

/// The value of a counter, 0 where it has not counted yet.
fn counter(edge: &Edge, name: &str) -> u64 {
    let (_, page) = edge.ask("/metrics").unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or(0)
}

/// How often `claim` was not believed, and why.
fn disbelieved(edge: &Edge, claim: &str, why: &str) -> u64 {
    counter(edge, &format!("nearside_disbelieved_total{{claim=\"{claim}\",why=\"{why}\"}}"))
}

/// Makes the backend's probes fail or pass, and waits until the edge knows.
async fn health(edge: &Edge, backend: &Process, status: u16) {
    backend.control(&format!("health/{status}"));
    let verdict = if status == 200 { "healthy" } else { "unhealthy" };
    edge.knows(&format!("web/{}", backend.name), verdict).await;
}
