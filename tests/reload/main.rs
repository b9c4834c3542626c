//! Change under load: routes, certificates and drain marks, with nothing lost and nothing stale.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod drain;
#[allow(dead_code, reason = "shared with the tests of nearside-geo")]
#[path = "../../crates/geo/tests/tables/made.rs"]
mod made;
mod table;

use nearside_tests::client::{self, connect, url};
use nearside_tests::edge::NAMES;
use nearside_tests::load::Load;
use nearside_tests::{Edge, Stage, eventually};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

fn drained(text: &str) -> String {
    text.replace("frankfurt: {}", "frankfurt: { drain: \"kernel rollout\" }")
}

/// One request on a kept connection; the generation that served it.
async fn ask(stream: &mut TlsStream<TcpStream>) -> u64 {
    let head = client::ask_on(stream).await;
    let stamp = head.split("x-nearside-gen: ").nth(1).unwrap();
    stamp.split('-').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_reloads_lose_nothing() {
    let stage = Stage::new().await;
    let config = stage.edge.authority.trusting(&[b"http/1.1"]);
    let mut kept = connect(config, stage.edge.https, "www.example.com").await.unwrap();
    let first = ask(&mut kept).await;
    let load = Load::start(&stage.edge, 100);
    let client = client::reqwest(&stage.edge, true);
    for number in 1..=50 {
        let route = format!(
            "routes:\n  - {{ host: www.example.com, path: /added/{number}, answer: {{ status: 200, body: \"{number}\" }} }}\n"
        );
        stage.edge.reload(|text| text.replacen("routes:\n", &route, 1)).await;
        let answer = client.get(url(&stage.edge, &format!("/added/{number}"))).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, number.to_string()));
    }
    assert_eq!(ask(&mut kept).await, first + 50);
    let outcomes = load.end().await;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_fine()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(outcomes.iter().all(|outcome| outcome.generation.is_some_and(|number| number >= first)));
    assert!(!stage.frankfurt.requests().is_empty());
    assert_eq!(
        stage.virginia.requests().len(),
        0,
        "the standby had no reason: {:?}",
        stage.virginia.requests()
    );
}

/// The certificate that a new connection is shown.
async fn shown(config: &Arc<rustls::ClientConfig>, edge: &Edge) -> Vec<u8> {
    let stream = connect(Arc::clone(config), edge.https, "www.example.com").await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_old_certificate_after_the_first_new_one() {
    let stage = Stage::new().await;
    let load = Load::start(&stage.edge, 50);
    let mut config = (*stage.edge.authority.trusting(&[b"h2"])).clone();
    config.resumption = rustls::client::Resumption::disabled();
    let config = Arc::new(config);
    let old = shown(&config, &stage.edge).await;
    let new = stage.edge.authority.write(&stage.edge.folder().join("certs/www.pem"), NAMES);
    assert_ne!(old, new);
    let edge = &stage.edge;
    eventually("the new certificate", async || (shown(&config, edge).await == new).then_some(())).await;
    for _ in 0..50 {
        assert!(shown(&config, edge).await == new, "an old certificate after a new one");
    }
    assert!(load.end().await.iter().all(nearside_tests::load::Outcome::is_fine));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_share_of_requests_that_is_written_down_errors_are_never_left_out() {
    let stage = Stage::new().await;
    let client = client::reqwest(&stage.edge, false);
    stage.edge.reload(|text| format!("{text}observe: {{ access_log: {{ sample: 0% }} }}\n")).await;
    for path in ["/a", "/b", "/%00", "/c"] {
        let status = client.get(url(&stage.edge, path)).send().await.unwrap().status();
        assert_eq!(status.as_u16(), if path == "/%00" { 400 } else { 200 });
    }
    let whole = |text: String| text.replace("sample: 0%", "sample: 100%");
    stage.edge.reload(whole).await;
    assert!(client.get(url(&stage.edge, "/d")).send().await.unwrap().status().is_success());
    let paths = eventually("the last record", async || {
        let records = stage.edge.records();
        let paths = records.iter().filter_map(|record| record["path"].as_str().map(str::to_owned));
        Some(paths.collect::<Vec<_>>()).filter(|paths| paths.iter().any(|path| path == "/d"))
    })
    .await;
    assert_eq!(paths, ["/%00", "/d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marked_region_gets_no_new_request_after_the_swap() {
    let stage = Stage::new().await;
    let load = Load::start(&stage.edge, 100);
    load.more(50).await;
    stage.edge.reload(|text| drained(&text)).await;
    let marked = stage.edge.generation();
    load.more(200).await;
    let outcomes = load.end().await;
    assert!(outcomes.iter().all(nearside_tests::load::Outcome::is_fine));
    let stale: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.generation >= Some(marked) && outcome.region.as_deref() != Some("virginia"))
        .collect();
    assert!(stale.is_empty(), "{stale:?}");
    assert!(outcomes.iter().any(|outcome| outcome.region.as_deref() == Some("frankfurt")));
    // The last way out is marked too: refused, and never sent to a marked region.
    let seen = stage.frankfurt.requests().len() + stage.virginia.requests().len();
    stage.edge.reload(|text| text.replace("virginia: {}", "virginia: { drain: too }")).await;
    let answer = client::reqwest(&stage.edge, false).get(url(&stage.edge, "/")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(answer.headers()["proxy-status"].to_str().unwrap().contains("refused.drained"));
    assert_eq!(seen, stage.frankfurt.requests().len() + stage.virginia.requests().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_any_check_changes_nothing_and_says_why() {
    let stage = Stage::new().await;
    let mut before = stage.edge.status()["generation"].clone();
    let good = std::fs::read_to_string(stage.edge.file()).unwrap();
    let breaks = [
        ("unknown key", good.replace("pools:", "poolz:")),
        ("undeclared", good.replace("region: frankfurt", "region: francfort")),
        ("listener", good.replace("bind: \"127.0.0.1", "bind: \"127.0.0.3")),
        ("certificate", good.replace("certs/*.pem", "certs/none.pem")),
    ];
    for (what, broken) in breaks {
        stage.edge.rewrite(|_| broken);
        let reload = eventually(&format!("a refusal: {what}"), async || {
            let reload = stage.edge.status()["last_reload"].clone();
            (reload["outcome"] == "refused").then_some(reload)
        })
        .await;
        assert!(reload["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {reload}");
        assert_eq!(stage.edge.status()["generation"], before, "{what}");
        let answer = client::reqwest(&stage.edge, true).get(url(&stage.edge, "/")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{what}");
        stage.edge.reload(|_| format!("{good}# mended\n")).await;
        stage.edge.reload(|_| good.clone()).await;
        let (mended, old) = (stage.edge.status()["generation"].to_string(), before.to_string());
        assert_eq!(mended.split('-').nth(1), old.split('-').nth(1), "the same file has the same hash");
        before = stage.edge.status()["generation"].clone();
    }
    assert!(stage.edge.log().contains("routes.yaml"), "{}", stage.edge.log());
}

/// Replaces the file at `path` in one step.
fn put(path: &std::path::Path, bytes: &[u8]) {
    let fresh = path.with_extension("fresh");
    std::fs::write(&fresh, bytes).unwrap();
    std::fs::rename(fresh, path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_geo_table_with_other_content_is_taken_though_it_was_built_at_the_same_time() {
    let Stage { edge, .. } = &Stage::new().await;
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/geo/tests/data/GeoLite2-Country-Test.mmdb");
    let (table, swedish) = (edge.folder().join("country.mmdb"), std::fs::read(data).unwrap());
    let mut danish = swedish.clone();
    let at = swedish.windows(3).position(|text| text == b"\x42SE").expect("the one code of Sweden");
    danish[at + 1..at + 3].copy_from_slice(b"DK");
    let place = || {
        let (status, told) = edge
            .ask("/explain?host=www.example.com&path=/&method=GET&client=89.160.20.112&seed=1")
            .expect("the admin socket answers");
        assert_eq!(status, 200, "{told}");
        serde_json::from_str::<serde_json::Value>(&told).unwrap()["request"]["place"].clone()
    };
    put(&table, &swedish);
    edge.reload(|text| format!("{text}geo: {{ tables: [country.mmdb] }}\n")).await;
    let (first, stamp) = (edge.generation(), edge.status()["generation"].to_string());
    assert_eq!(place(), "SE");
    put(&table, &danish);
    eventually("the other table", async || (edge.generation() == first + 1).then_some(())).await;
    assert_eq!(place(), "DK");
    put(&table, &swedish);
    eventually("the table as it was", async || (edge.generation() == first + 2).then_some(())).await;
    assert_eq!(place(), "SE");
    let again = edge.status()["generation"].to_string();
    assert_eq!(again.split('-').nth(1), stamp.split('-').nth(1), "equal tables have an equal hash");
}
