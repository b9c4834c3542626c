//! How connections end (RFC 9113, 5.4, 6.8).

use super::Client;
use crate::setting::stage;
use nearside_tests::client::{HOST, connect};
use nearside_tests::edge::Setting;
use nearside_tests::frames::code::{NO_ERROR, PROTOCOL};
use nearside_tests::frames::{Frame, Raw, flag, frame, get, headers, kind, line};
use nearside_tests::raw::{Backend, Heard};
use std::sync::Arc;
use std::time::Duration;

/// A client that says farewell still gets what it has asked for.
#[tokio::test]
async fn a_client_that_leaves_gets_the_answers_that_it_has_asked_for() {
    let mut client = Client::begun(stage(), &[]).await;
    stage().backend.answer(
        client.port,
        Arc::new(|talk| {
            while talk.request().is_some() {
                talk.pause(Duration::from_millis(300));
                talk.send(nearside_tests::raw::OK);
            }
        }),
    );
    client.raw.send(&[get(1, "/a"), frame(kind::GOAWAY, 0, 0, &[0; 8])].concat()).await.unwrap();
    client.gets(1).await.unwrap();
    assert_eq!(client.of(1).await.unwrap().payload, "ok");
}

/// The farewell of an edge that was wronged names the last stream that was looked at: those above it may be repeated.
#[tokio::test]
async fn the_farewell_names_the_last_stream() {
    let mut client = Client::begun(stage(), &[]).await;
    client.asks(7, "/a").await.unwrap();
    client.raw.send(&frame(kind::PING, 0, 0, b"short")).await.unwrap();
    let farewell = client.raw.until(kind::GOAWAY).await.unwrap();
    assert_eq!(u32::from_be_bytes(farewell.payload[..4].try_into().unwrap()), 7);
    assert!(client.raw.until(kind::DATA).await.is_none());
}

/// What breaks a stream breaks no other: an answer that is under way beside it arrives.
#[tokio::test]
async fn a_stream_that_breaks_the_rules_leaves_its_neighbours_alone() {
    let mut client = Client::begun(stage(), &[]).await;
    let (wait, go) = std::sync::mpsc::channel::<()>();
    let go = std::sync::Mutex::new(go);
    stage().backend.answer(
        client.port,
        Arc::new(move |talk| {
            while talk.request().is_some() {
                go.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap_or_default();
                talk.send(nearside_tests::raw::OK);
            }
        }),
    );
    let broken = headers(flag::END_STREAM, 3, &[&line("GET", "/hostile")[..], &[("te", "gzip")]].concat());
    client.raw.send(&[get(1, "/a"), broken].concat()).await.unwrap();
    let reset = client.raw.until(kind::RESET).await.unwrap();
    assert_eq!((reset.stream, reset.code()), (3, PROTOCOL));
    wait.send(()).unwrap();
    client.gets(1).await.unwrap();
    let port = client.port;
    drop(client);
    let heard = stage().backend.all(port);
    assert_eq!(heard.iter().map(|one: &Heard| one.requests().unwrap().len()).sum::<usize>(), 1);
}

/// An early answer ends an upload without blame.
#[tokio::test]
async fn an_answer_that_does_not_want_the_upload_stops_it_without_blame() {
    let mut client = Client::begun(stage(), &[]).await;
    stage().backend.answer(
        client.port,
        Arc::new(|talk| {
            if talk.head() {
                talk.send(
                    b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                );
            }
        }),
    );
    client
        .raw
        .send(&[headers(0, 1, &line("POST", "/a")), frame(kind::DATA, 0, 1, b"x")].concat())
        .await
        .unwrap();
    let answer = client.of(1).await.unwrap();
    assert_eq!((answer.kind, answer.status()), (kind::HEADERS, Some(413)));
    let stop = client.raw.until(kind::RESET).await.unwrap();
    assert_eq!((stop.stream, stop.code()), (1, NO_ERROR));
}

/// An edge that shuts down announces it, takes what was on its way, ends what is under way, and names its last stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_announces_itself_and_lets_streams_end() {
    let backend = Backend::start();
    let text = format!(
        "version: 1\nregions: {{ frankfurt: {{}} }}\ndefaults: {{ probe: {{ interval: 1h }} }}\npools:\n  raw:\n    \
         connections: {{ proxy_protocol: v1 }}\n    backends: [{{ url: \"http://{}\", region: frankfurt }}]\n\
         routes:\n  - {{ host: {HOST}, pool: raw }}\n",
        backend.address
    );
    let mut edge = Setting::new().run(&text).await;
    let stream = connect(edge.authority.trusting(&[b"h2"]), edge.https, HOST).await.unwrap();
    let mut raw = Raw::new(stream);
    raw.begin(&[]).await.unwrap();
    raw.send(&[headers(0, 1, &line("POST", "/a")), frame(kind::DATA, 0, 1, b"x")].concat()).await.unwrap();
    raw.send(&frame(kind::PING, 0, 0, &[1; 8])).await.unwrap();
    raw.until(kind::PING).await.unwrap();
    edge.signal("TERM");
    let last = |farewell: &Frame| u32::from_be_bytes(farewell.payload[..4].try_into().unwrap());
    let announced = raw.until(kind::GOAWAY).await.unwrap();
    assert_eq!((announced.code(), last(&announced)), (NO_ERROR, (1 << 31) - 1));
    // What the client had sent before it could know is still taken.
    let ping = raw.until(kind::PING).await.unwrap();
    raw.send(&[get(3, "/b"), frame(kind::PING, flag::ACK, 0, &ping.payload)].concat()).await.unwrap();
    raw.send(&frame(kind::DATA, flag::END_STREAM, 1, b"y")).await.unwrap();
    let (mut ended, mut named) = (Vec::new(), None);
    while let Some(frame) = raw.next().await {
        if frame.kind == kind::GOAWAY {
            assert_eq!(frame.code(), NO_ERROR);
            named = Some(last(&frame));
        } else if frame.flags & flag::END_STREAM != 0 && frame.kind == kind::DATA {
            ended.push(frame.stream);
        }
    }
    ended.sort_unstable();
    assert_eq!((ended, named), (vec![1, 3], Some(3)));
    drop(raw);
    assert_eq!(edge.ended().await.code(), Some(0));
}
