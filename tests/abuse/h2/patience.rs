//! Clients that wait for nothing, and are not waited for: with deadlines of a second or two.

use super::Client;
use crate::setting::{Stage, apart};
use nearside_tests::client::HOST;
use nearside_tests::edge::Setting;
use nearside_tests::frames::code::NO_ERROR;
use nearside_tests::frames::{PREFACE, block, flag, frame, get, headers, kind, line, settings};
use nearside_tests::raw::{Backend, Heard};
use nearside_tests::wire::Fault;
use std::sync::OnceLock;
use std::time::Duration;

/// A stage that has little patience.
fn hasty() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| apart(set_up))
}

async fn set_up() -> Stage {
    let backend = Backend::start();
    let mut setting = Setting::new();
    let plain = setting.listen_plain();
    let file = format!(
        "version: 1
fleet: {{ name: nearside-test }}
regions: {{ frankfurt: {{}} }}
defaults:
  probe: {{ interval: 1h }}
  timeouts: {{ client_header: 2s, client_idle: 2s, body_idle: 2s }}
pools:
  raw:
    connections: {{ proxy_protocol: v1 }}
    backends: [{{ id: raw, url: \"http://{}\", region: frankfurt }}]
routes:
  - {{ host: {HOST}, pool: raw }}
",
        backend.address
    );
    let edge = setting.run_for_good(&file).await;
    Stage { edge, plain, backend }
}

/// The connection ends in order: every farewell says that nothing is wrong, and no stream is answered.
async fn left(client: &mut Client) {
    while let Some(frame) = client.raw.next().await {
        assert!(matches!(frame.kind, kind::SETTINGS | kind::PING | kind::WINDOW | kind::GOAWAY), "{frame:?}");
        assert!(frame.kind != kind::GOAWAY || frame.code() == NO_ERROR, "{frame:?}");
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_left() {
    left(&mut Client::silent(hasty()).await).await;
}

#[tokio::test]
async fn a_client_that_stops_in_its_first_line_is_left() {
    let mut client = Client::silent(hasty()).await;
    client.raw.send(&PREFACE[..20]).await.unwrap();
    left(&mut client).await;
}

#[tokio::test]
async fn a_client_without_streams_is_told_to_go() {
    let mut client = Client::begun(hasty(), &[]).await;
    client.asks(1, "/a").await.unwrap();
    let farewell = client.raw.until(kind::GOAWAY).await.unwrap();
    assert_eq!(farewell.code(), NO_ERROR);
    left(&mut client).await;
}

#[tokio::test]
async fn pings_keep_no_connection_that_has_no_streams() {
    let mut client = Client::begun(hasty(), &[]).await;
    let is_told = loop {
        if client.raw.send(&frame(kind::PING, 0, 0, &[7; 8])).await.is_err() {
            break false;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        match client.raw.next().await {
            Some(frame) if frame.kind == kind::GOAWAY => break frame.code() == NO_ERROR,
            Some(_) => {}
            None => break false,
        }
    };
    assert!(is_told, "the connection ended without a word");
}

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let mut client = Client::begun(hasty(), &[]).await;
    let half = block(&line("GET", "/hostile"));
    client.raw.send(&frame(kind::HEADERS, flag::END_STREAM, 1, &half[..half.len() / 2])).await.unwrap();
    left(&mut client).await;
    let port = client.port;
    drop(client);
    assert!(hasty().backend.all(port).is_empty());
}

/// An upload that stops is answered or reset; what has arrived of it cannot be taken for whole.
async fn stops_after(data: &[u8]) {
    let mut client = Client::begun(hasty(), &[]).await;
    client.raw.send(&[headers(0, 1, &line("POST", "/hostile")), data.to_vec()].concat()).await.unwrap();
    let end = client.of(1).await.unwrap();
    let is_told = end.kind == kind::RESET || end.kind == kind::HEADERS && end.status() == Some(408);
    assert!(is_told, "{end:?} {:?}", end.status());
    client.asks(3, "/after").await.unwrap();
    let port = client.port;
    drop(client);
    let heard = hasty().backend.all(port);
    let cut = |heard: &Heard| heard.requests().is_ok() || heard.requests() == Err(Fault::Partial);
    assert!(heard.iter().all(cut), "{heard:?}");
    let whole: Vec<_> = heard.iter().filter_map(|heard| heard.requests().ok()).flatten().collect();
    assert!(whole.iter().all(|request| request.line.contains("/after")), "{whole:?}");
}

#[tokio::test]
async fn an_upload_that_never_begins_is_not_waited_for() {
    stops_after(&[]).await;
}

#[tokio::test]
async fn an_upload_that_stops_is_not_waited_for() {
    stops_after(&frame(kind::DATA, 0, 1, b"half")).await;
}

#[tokio::test]
async fn an_upload_of_empty_pieces_is_not_waited_for() {
    let mut client = Client::begun(hasty(), &[]).await;
    client.raw.send(&headers(0, 1, &line("POST", "/hostile"))).await.unwrap();
    // Far fewer than a flood, and yet they are no progress.
    for _ in 0..30 {
        drop(client.raw.send(&frame(kind::DATA, 0, 1, &[])).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let end = client.of(1).await.unwrap();
    let is_told = matches!(end.kind, kind::RESET | kind::GOAWAY) || end.status() == Some(408);
    assert!(is_told, "{end:?}");
}

#[tokio::test]
async fn a_window_that_never_opens_is_not_waited_for() {
    let mut client = Client::begun(hasty(), &[(4, 0)]).await;
    client.asks(1, "/a").await.unwrap();
    let end = client.of(1).await.unwrap();
    assert_eq!(end.kind, kind::RESET, "{end:?}");
}

#[tokio::test]
async fn an_upload_that_is_slow_and_goes_on_is_waited_for() {
    let mut client = Client::begun(hasty(), &[]).await;
    client.raw.send(&headers(0, 1, &line("POST", "/slow"))).await.unwrap();
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        client.raw.send(&frame(kind::DATA, 0, 1, &[b'x'; 1_000])).await.unwrap();
    }
    client.raw.send(&frame(kind::DATA, flag::END_STREAM, 1, b"x")).await.unwrap();
    client.gets(1).await.unwrap();
}

#[tokio::test]
async fn a_request_right_behind_the_first_words_is_served() {
    let mut client = Client::silent(hasty()).await;
    client.raw.send(&[PREFACE, &settings(&[]), &get(1, "/a")].concat()).await.unwrap();
    client.gets(1).await.unwrap();
}
