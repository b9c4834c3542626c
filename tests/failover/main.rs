//! Backends die: no GET fails, no POST arrives twice, judged by the backends' own ledgers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod hangs;
mod warm;

use nearside_sample::{Arrival, repeated_ids};
use nearside_tests::edge::Setting;
use nearside_tests::load::{Load, Outcome};
use nearside_tests::{Process, QUICK, backend, client};
use std::collections::BTreeSet;

/// No GET failed; a POST failed only if its bytes were at a killed backend; nothing arrived twice that must not.
fn judge(outcomes: &[Outcome], killed: &[Arrival], survived: &[Arrival]) {
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is_fine()).collect();
    let gets: Vec<_> = failed.iter().filter(|outcome| !outcome.post).collect();
    assert!(gets.is_empty(), "{} of {} requests were GETs that failed: {gets:?}", gets.len(), outcomes.len());
    let at_killed: BTreeSet<&str> = killed.iter().filter_map(|arrival| arrival.id.as_deref()).collect();
    for post in &failed {
        assert!(at_killed.contains(post.id.as_str()), "a POST failed that no killed backend had: {post:?}");
    }
    let posts = killed.iter().chain(survived).filter(|arrival| arrival.method == "POST");
    assert_eq!(repeated_ids(posts), Vec::<&str>::new(), "POSTs that arrived twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_killed_in_one_moment_loses_no_get() {
    let setting = Setting::new();
    let [one, two, standby] = [
        Process::start(setting.folder(), "fra-a", "frankfurt").await,
        Process::start(setting.folder(), "fra-b", "frankfurt").await,
        Process::start(setting.folder(), "iad-a", "virginia").await,
    ];
    let text = format!(
        "{QUICK}pools:\n  web:\n    backends:\n\
         \x20     - {{ id: fra-a, url: \"http://{}\", region: frankfurt }}\n\
         \x20     - {{ id: fra-b, url: \"http://{}\", region: frankfurt }}\n\
         \x20     - {{ id: iad-a, url: \"http://{}\", region: virginia, priority: 2 }}\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n",
        one.address, two.address, standby.address
    );
    let edge = setting.run(&text).await;
    let load = Load::start(&edge, 100);
    load.more(150).await;
    let died = backend::kill(&[&one, &two]);
    load.more(250).await;
    let mut outcomes = load.end().await;
    // A POST that was on its way just then may have been lost in a socket that nobody read again.
    outcomes.retain(|outcome| outcome.is_fine() || !outcome.post || !outcome.was_under_way(&died));
    let killed = [one.requests(), two.requests()].concat();
    judge(&outcomes, &killed, &standby.requests());
    assert!(one.requests().len() > 20 && two.requests().len() > 20, "the first tier shared the load before");
    assert!(standby.requests().len() > 200, "the standby carried the load after");
    let last = outcomes.iter().rfind(|outcome| outcome.is_fine()).unwrap();
    assert_eq!(last.region.as_deref(), Some("virginia"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_goes_on_to_the_next_for_any_method() {
    let setting = Setting::new();
    let standby = Process::start(setting.folder(), "iad-a", "virginia").await;
    // Nobody listens on the first; its probes are too slow to say so in time.
    let text = format!(
        "version: 1\nregions: {{ frankfurt: {{}}, virginia: {{}} }}\npools:\n  web:\n    backends:\n\
         \x20     - {{ id: fra-a, url: \"http://127.0.0.1:{}\", region: frankfurt }}\n\
         \x20     - {{ id: iad-a, url: \"http://{}\", region: virginia, priority: 2 }}\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n",
        nearside_tests::port(),
        standby.address
    );
    let edge = setting.run(&text).await;
    let client = client::reqwest(&edge, true);
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let request = client.request(method.parse().unwrap(), client::url(&edge, "/digest")).body("body");
        let answer = request.header("x-ledger-id", method).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{method}");
    }
    let arrivals = standby.requests();
    assert_eq!(arrivals.len(), 4);
    assert_eq!(repeated_ids(&arrivals), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_comes_back_is_used_again() {
    let setting = Setting::new();
    let first = Process::start(setting.folder(), "fra-a", "frankfurt").await;
    let standby = Process::start(setting.folder(), "iad-a", "virginia").await;
    let text = format!(
        "{QUICK}  failback: {{ hold: 0s, ramp: 0s }}\npools:\n  web:\n    backends:\n\
         \x20     - {{ id: fra-a, url: \"http://{}\", region: frankfurt }}\n\
         \x20     - {{ id: iad-a, url: \"http://{}\", region: virginia, priority: 2 }}\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n",
        first.address, standby.address
    );
    let edge = setting.run(&text).await;
    let client = client::reqwest(&edge, false);
    let region = async || {
        let answer = client.get(client::url(&edge, "/")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.headers()["x-sample-region"].to_str().unwrap().to_owned()
    };
    assert_eq!(region().await, "frankfurt");
    let sick =
        reqwest::Client::new().post(format!("http://{}/control/health/503", first.address)).send().await;
    assert!(sick.unwrap().status().is_success());
    nearside_tests::eventually("failover", async || (region().await == "virginia").then_some(())).await;
    let well =
        reqwest::Client::new().post(format!("http://{}/control/health/200", first.address)).send().await;
    assert!(well.unwrap().status().is_success());
    nearside_tests::eventually("failback", async || (region().await == "frankfurt").then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_everything_refuses_the_client_is_told() {
    let setting = Setting::new();
    let text = format!(
        "{QUICK}pools:\n  web:\n    backends: [{{ url: \"http://127.0.0.1:{}\", region: frankfurt }}]\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n",
        nearside_tests::port()
    );
    let edge = setting.run(&text).await;
    let answer = client::reqwest(&edge, true).get(client::url(&edge, "/")).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    assert!(answer.headers()["proxy-status"].to_str().unwrap().contains("failed.connect"));
}
