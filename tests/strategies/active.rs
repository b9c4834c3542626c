//! Active-active: the nearest region that is well serves, by weight.

use crate::{answers, drained, names};
use nearside_tests::page::Page;
use nearside_tests::{Edge, eventually, port};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

/// The file, served at `place`, with every region as far away as it is from there.
async fn pop(place: &str) -> Edge {
    let page = Page::of("active-active");
    let ports: BTreeMap<String, u16> =
        page.backends().into_iter().map(|backend| (backend.id, port())).collect();
    let edge = page.setting().demo(place, &page.at(|id| SocketAddr::from(([127, 0, 0, 1], ports[id])))).await;
    // A machine that is busy while all this starts may measure anything first.
    eventually("round trips as long as the ways are", async || {
        let status = edge.status();
        let all = status["backends"].as_array().unwrap();
        all.iter().all(|backend| is_as_told(&edge, backend)).then_some(())
    })
    .await;
    edge
}

/// Whether a round trip has been measured as the demo says that it is, within 10 ms.
fn is_as_told(edge: &Edge, backend: &Value) -> bool {
    let said = edge.said();
    let key = backend["key"].as_str().unwrap();
    let row = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let told = row.filter(|words| words.first() == Some(&key)).find_map(|words| words[2].parse::<f64>().ok());
    let measured = backend["rtt_ms"].as_f64();
    told.zip(measured).is_some_and(|(told, measured)| (told - measured).abs() < 10.0)
}

/// Kills the sample backends of a region.
fn lose(edge: &Edge, region: &str) {
    let said = edge.said();
    let of = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1).is_some_and(|word| *word == region).then(|| words[words.len() - 1].to_owned())
    };
    let pids: Vec<String> = said.lines().filter(|line| line.contains(" ms")).filter_map(of).collect();
    assert!(!pids.is_empty(), "{said}");
    assert!(Command::new("kill").arg("-KILL").args(pids).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_region_serves_and_the_next_nearest_when_it_is_lost() {
    let edge = pop("DE").await;
    let shares = answers(&edge, 200, &[]).await;
    assert_eq!(names(&shares), ["fra-a", "fra-b"], "a PoP in Germany: {shares:?}");
    assert!(shares["fra-b"] > shares["fra-a"], "it has twice the weight: {shares:?}");
    lose(&edge, "frankfurt");
    assert_eq!(names(&answers(&edge, 10, &[]).await), ["iad-a"]);
    lose(&edge, "virginia");
    assert_eq!(names(&answers(&edge, 5, &[]).await), ["syd-a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_leads_to_another_region_elsewhere() {
    let edge = pop("AU").await;
    assert_eq!(names(&answers(&edge, 10, &[]).await), ["syd-a"]);
    edge.reload(|text| drained(&text, "sydney")).await;
    let elsewhere = answers(&edge, 5, &[]).await;
    assert!(!elsewhere.contains_key("syd-a"), "{elsewhere:?}");
}
