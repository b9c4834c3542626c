//! Who is believed about a client's address.

use crate::setting::{AMERICAN, GERMAN, Scene};
use nearside_tests::client::{self, HOST};
use nearside_tests::{Edge, eventually};
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The region that answers a client whom `said` names; else the status.
async fn region(edge: &Edge, said: &[(&str, &str)]) -> String {
    let mut request = client::reqwest(edge, true).get(client::url(edge, "/"));
    for (name, value) in said {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let region = answer.headers().get("x-sample-region").map(|value| value.to_str().unwrap().to_owned());
    region.unwrap_or_else(|| answer.status().as_u16().to_string())
}

fn unbelieved(edge: &Edge) -> u64 {
    let (_, text) = edge.ask("/metrics").unwrap();
    let lines = text.lines().filter(|line| line.starts_with("nearside_clients_unbelieved_total"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trusted_hop_says_leads_the_request_and_is_held_to_law() {
    let scene = Scene::start("{ from: header, trusted: [\"127.0.0.0/8\"] }").await;
    let edge = &scene.edge;
    for _ in 0..8 {
        let european = region(edge, &[("x-forwarded-for", GERMAN)]).await;
        assert!(["frankfurt", "dublin"].contains(&european.as_str()), "{european}");
    }
    assert_eq!(region(edge, &[("x-forwarded-for", AMERICAN)]).await, "virginia");
    // What a client wrote before the hop did stands on the left, and counts for nothing.
    let spoofed = format!("{AMERICAN}, {GERMAN}");
    assert_ne!(region(edge, &[("x-forwarded-for", &spoofed)]).await, "virginia");
    // Nothing is known of the hop itself, and law may hold.
    assert_eq!(region(edge, &[]).await, "503");
    let record = eventually("the record", async || {
        edge.records().into_iter().find(|record| record["client"] == AMERICAN)
    })
    .await;
    assert_eq!((&record["peer"], &record["region"]), (&"127.0.0.1".into(), &"virginia".into()), "{record}");
    assert_eq!(unbelieved(edge), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_who_it_is_changes_nothing_and_is_counted() {
    for client_ip in ["{}", "{ from: header, trusted: [\"10.0.0.0/8\"] }"] {
        let scene = Scene::start(client_ip).await;
        for said in
            [("x-forwarded-for", AMERICAN), ("forwarded", "for=198.51.100.7"), ("x-real-ip", AMERICAN)]
        {
            assert_eq!(region(&scene.edge, &[said]).await, "503", "{said:?}");
        }
        assert_eq!(unbelieved(&scene.edge), 2, "{client_ip}");
    }
}

/// The region that answers a connection that begins with `header`; `None` when it is closed.
async fn introduced(edge: &Edge, header: &str) -> Option<String> {
    let mut stream = TcpStream::connect(edge.https).await.unwrap();
    stream.write_all(header.as_bytes()).await.unwrap();
    let tls = TlsConnector::from(Arc::new(edge.door().tls(&[b"http/1.1"])));
    let mut stream = tls.connect(ServerName::try_from(HOST).unwrap(), stream).await.ok()?;
    stream
        .write_all(format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n").as_bytes())
        .await
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let region = answer.lines().find_map(|line| line.strip_prefix("x-sample-region: ")).map(str::to_owned);
    Some(region.unwrap_or_else(|| answer.split(' ').nth(1).unwrap_or_default().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_balancer_names_the_client_by_the_proxy_protocol() {
    let scene = Scene::start("{ from: proxy_protocol, trusted: [\"127.0.0.1\"] }").await;
    let header = |client: &str| format!("PROXY TCP4 {client} 192.0.2.1 4711 443\r\n");
    assert_eq!(introduced(&scene.edge, &header(AMERICAN)).await.as_deref(), Some("virginia"));
    assert_ne!(introduced(&scene.edge, &header(GERMAN)).await.as_deref(), Some("virginia"));
    assert_eq!(introduced(&scene.edge, "PROXY UNKNOWN\r\n").await.as_deref(), Some("503"));
    assert_eq!(introduced(&scene.edge, "").await, None, "a listed balancer has to name the client");
    assert_eq!(unbelieved(&scene.edge), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_of_anyone_else_is_sent_away_and_counted() {
    let scene = Scene::start("{ from: proxy_protocol, trusted: [\"10.0.0.0/8\"] }").await;
    let header = format!("PROXY TCP4 {AMERICAN} 192.0.2.1 4711 443\r\n");
    assert_eq!(introduced(&scene.edge, &header).await, None);
    assert_eq!(unbelieved(&scene.edge), 1);
    // Without one it is served as what it is, of which nothing is known.
    assert_eq!(introduced(&scene.edge, "").await.as_deref(), Some("503"));
}
