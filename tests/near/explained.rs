//! Why a request went where it went: the header, `explain --live` and the record say the same.

use crate::setting::{AMERICAN, GERMAN, Scene};
use nearside_tests::{Edge, client, eventually};
use serde_json::Value;
use std::collections::BTreeMap;

/// A decision in the words of the header: what was chosen, and each loser with its reason.
fn in_words(told: &Value) -> String {
    let choice = &told["choice"];
    let mut losers: BTreeMap<&str, &str> = BTreeMap::new();
    for event in told["steps"].as_array().unwrap().iter().flat_map(|step| step["events"].as_array().unwrap())
    {
        if let Some(backend) = event["backend"].as_str() {
            match event["reason"].as_str() {
                Some(reason) => losers.insert(backend, reason),
                None => losers.remove(backend),
            };
        }
    }
    let chosen = match choice["forward"].as_str() {
        Some(backend) => format!("{backend} {}", choice["reason"].as_str().unwrap()),
        None => choice["refuse"].as_str().unwrap().to_owned(),
    };
    let order =
        ["fra", "dub", "iad"].into_iter().filter_map(|name| Some(format!(", {name} {}", losers.get(name)?)));
    chosen + &order.collect::<String>()
}

fn live(edge: &Edge, path: &str, client: &str, seed: u64) -> Value {
    let query = format!("/explain?host=www.example.com&path={path}&method=GET&client={client}&seed={seed}");
    let (status, body) = edge.ask(&query).unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_are_explained_as_they_were_decided() {
    let scene = Scene::start("{ from: header, trusted: [\"127.0.0.0/8\"] }").await;
    let edge = &scene.edge;
    let (client, mut told) = (client::reqwest(edge, true), BTreeMap::new());
    for number in 0_u32..1000 {
        let address = [GERMAN, AMERICAN, "192.0.2.77"][number as usize % 3];
        let path = if number % 4 == 0 { "/free/a" } else { "/" };
        let request = client.get(client::url(edge, path)).header("x-forwarded-for", address);
        let answer = request.header("x-nearside-explain", "1").send().await.unwrap();
        let text = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (header, reference) = (text("x-nearside-explain").unwrap(), text("x-nearside-ref").unwrap());
        let served_by = text("x-sample-name");
        let chosen = header.split(' ').next().unwrap();
        assert_eq!(
            served_by.as_deref().unwrap_or("refused.residency"),
            chosen.trim_end_matches(','),
            "{header}"
        );
        answer.bytes().await.unwrap();
        // The ref is the seed. What is in flight may take a moment to be counted out.
        let seed = u64::from_str_radix(&reference, 16).unwrap();
        eventually(&header, async || (in_words(&live(edge, path, address, seed)) == header).then_some(()))
            .await;
        told.insert(reference, (header, served_by));
    }
    let records =
        eventually("all records", async || Some(edge.records()).filter(|all| all.len() >= 1000)).await;
    for record in records {
        let Some((header, served_by)) = told.get(record["ref"].as_str().unwrap()) else { continue };
        let reason = record["reason"].as_str().unwrap();
        let expected =
            served_by.as_ref().map_or_else(|| reason.to_owned(), |name| format!("{name} {reason}"));
        assert_eq!(header.split(", ").next(), Some(expected.as_str()));
        assert_eq!(record["backend"].as_str(), served_by.as_deref());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_is_not_told() {
    let scene = Scene::start("{ from: header, trusted: [\"127.0.0.0/8\"] }").await;
    scene
        .edge
        .reload(|text| text.replace("debug_from: [\"127.0.0.0/8\"]", "debug_from: [\"10.0.0.0/8\"]"))
        .await;
    let url = client::url(&scene.edge, "/");
    let request = client::reqwest(&scene.edge, false).get(url).header("x-forwarded-for", AMERICAN);
    let answer = request.header("x-nearside-explain", "1").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get("x-nearside-explain"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_the_running_pop() {
    let scene = Scene::start("{}").await;
    let output = scene.edge.call(&["explain", "--host", "www.example.com", "--client", GERMAN, "--live"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("from 203.0.113.9 (DE)") && said.contains("excluded.residency"), "{said}");
    let mut elsewhere = std::process::Command::new(nearside_tests::program());
    elsewhere.args(["explain", "--host", "www.example.com", "--live", "--state-dir", "elsewhere"]);
    let error =
        String::from_utf8(elsewhere.current_dir(scene.edge.folder()).output().unwrap().stderr).unwrap();
    assert!(error.contains("no nearside runs") && error.contains("--state-dir"), "{error}");
}
