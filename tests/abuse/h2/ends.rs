//! How connections end (RFC 9113, 5.4, 6.8).

use super::Client;
use crate::setting::stage;
use nearside_tests::frames::code::{NO_ERROR, PROTOCOL};
use nearside_tests::frames::{flag, frame, get, headers, kind, line};
use nearside_tests::raw::Heard;
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
