//! SETTINGS and the client's first words (RFC 9113, 3.4, 6.5).

use super::Judged::Connection;
use super::{Client, cases};
use crate::setting::stage;
use nearside_tests::frames::code::{FLOW_CONTROL, PROTOCOL};
use nearside_tests::frames::{PREFACE, frame, get, kind, settings};

cases! {
    pushing_that_is_neither_on_nor_off {
        send: settings(&[(2, 2)]),
        judged: Connection(&[PROTOCOL]),
        neighbour: [settings(&[(2, 0)]), get(1, "/lawful")].concat(),
    }
    a_first_window_beyond_the_largest {
        send: settings(&[(4, 1 << 31)]),
        judged: Connection(&[FLOW_CONTROL]),
        neighbour: [settings(&[(4, (1 << 31) - 1)]), get(1, "/lawful")].concat(),
    }
    frames_smaller_than_the_smallest {
        send: settings(&[(5, 16_383)]),
        judged: Connection(&[PROTOCOL]),
        neighbour: [settings(&[(5, 16_384)]), get(1, "/lawful")].concat(),
    }
    frames_larger_than_the_largest {
        send: settings(&[(5, 1 << 24)]),
        judged: Connection(&[PROTOCOL]),
        neighbour: [settings(&[(5, (1 << 24) - 1)]), get(1, "/lawful")].concat(),
    }
    tunnels_that_are_neither_on_nor_off {
        send: settings(&[(8, 2)]),
        judged: Connection(&[PROTOCOL]),
        neighbour: [settings(&[(8, 1)]), get(1, "/lawful")].concat(),
    }
    an_answer_to_settings_that_nobody_sent {
        send: frame(kind::SETTINGS, 1, 0, &[]),
        judged: Connection(&[PROTOCOL]),
        neighbour: [settings(&[(0xfa, 7), (3, 0), (6, 1)]), get(1, "/lawful")].concat(),
    }
}

/// Sends these first words, with a hostile request in them: the connection ends, and nothing reaches the backend.
async fn sent_away(bytes: &[u8]) {
    let stage = stage();
    let mut client = Client::silent(stage).await;
    client.raw.send(bytes).await.unwrap();
    while let Some(frame) = client.raw.next().await {
        assert!(matches!(frame.kind, kind::SETTINGS | kind::WINDOW | kind::GOAWAY), "{frame:?}");
    }
    let port = client.port;
    drop(client);
    assert!(stage.backend.all(port).is_empty(), "something reached the backend");
    let mut lawful = Client::silent(stage).await;
    lawful.raw.send(&[PREFACE, &settings(&[]), &get(1, "/lawful")].concat()).await.unwrap();
    lawful.gets(1).await.unwrap();
}

#[tokio::test]
async fn a_first_line_of_another_protocol() {
    sent_away(b"GET /hostile HTTP/1.1\r\nhost: www.example.com\r\n\r\n").await;
}

#[tokio::test]
async fn a_first_line_that_is_almost_right() {
    sent_away(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r ".to_vec(), settings(&[]), get(1, "/hostile")].concat())
        .await;
}

#[tokio::test]
async fn a_request_before_the_first_settings() {
    sent_away(&[PREFACE, &get(1, "/hostile"), &settings(&[])].concat()).await;
}

#[tokio::test]
async fn a_ping_before_the_first_settings() {
    sent_away(&[PREFACE, &frame(kind::PING, 0, 0, &[0; 8]), &settings(&[]), &get(1, "/hostile")].concat())
        .await;
}

/// Our own SETTINGS and windows are what large uploads at a distance need, and no more.
#[tokio::test]
async fn the_windows_of_uploads_are_those_that_are_promised() {
    let mut client = Client::silent(stage()).await;
    client.raw.send(&[PREFACE, &settings(&[])].concat()).await.unwrap();
    let ours = client.raw.until(kind::SETTINGS).await.unwrap();
    let value = |name: u16| {
        let found = ours.payload.chunks(6).find(|raw| raw[..2] == name.to_be_bytes());
        found.map(|raw| u32::from_be_bytes(raw[2..6].try_into().unwrap()))
    };
    assert_eq!(value(4), Some(1 << 20), "a stream");
    assert_eq!((value(3), value(6)), (Some(128), Some(64 << 10)), "streams, and bytes of a head");
    let window = client.raw.until(kind::WINDOW).await.unwrap();
    let more = u32::from_be_bytes(window.payload[..4].try_into().unwrap());
    assert_eq!((window.stream, 65_535 + more), (0, 4 << 20), "the connection");
}
