//! What clients that break or bend the rules get.

use super::kit::{END_HEADERS, END_STREAM, Raw, client, field, frame, get, headers};
use ::h2::Reason;
use nearside_http::h2::kind;

/// Sends requests with these heads, one stream each, and says what comes for the first.
async fn first(fields: &[(&str, &str)], flags: u8) -> (u8, Vec<u8>) {
    let (mut raw, _edge) = Raw::client().await;
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    raw.send(&frame(kind::HEADERS, flags | END_HEADERS, 1, &block)).await;
    loop {
        let frame = raw.next().await.unwrap();
        if frame.stream == 1 {
            return (frame.kind, frame.payload.to_vec());
        }
    }
}

const GET: [(&str, &str); 3] = [(":method", "GET"), (":scheme", "http"), (":path", "/seen")];

async fn reset(fields: &[(&str, &str)], flags: u8) {
    let protocol_error = u32::from(Reason::PROTOCOL_ERROR).to_be_bytes().to_vec();
    assert_eq!(first(fields, flags).await, (kind::RESET, protocol_error), "{fields:?}");
}

async fn refused(fields: &[(&str, &str)]) {
    let (kind, block) = first(fields, END_STREAM).await;
    // 0x8c is `:status: 400` of the static table.
    assert_eq!((kind, block.first()), (kind::HEADERS, Some(&0x8c)), "{fields:?}");
}

#[tokio::test]
async fn heads_that_break_the_rules_of_http2_reset_their_stream() {
    let a = (":authority", "a");
    for further in [
        [a, ("connection", "close")],
        [a, ("te", "gzip")],
        [a, ("host", "b")],
        [a, ("content-length", "+1")],
        [a, ("content-length", "4")],
        [("host", "a"), ("host", "a")],
    ] {
        reset(&[&GET[..], &further].concat(), END_STREAM).await;
    }
}

#[tokio::test]
async fn names_that_no_field_has_reset_their_stream_and_the_next_is_served() {
    let (mut raw, _edge) = Raw::client().await;
    let broken = headers(END_STREAM, 1, "/seen", &[("x-kept", "1"), ("X-Upper", "1")]);
    raw.send(&[broken, headers(END_STREAM, 3, "/seen", &[])].concat()).await;
    assert_eq!(raw.code(kind::RESET).await, Reason::PROTOCOL_ERROR);
    assert_eq!(raw.until(kind::HEADERS).await.stream, 3);
}

#[tokio::test]
async fn heads_that_name_no_host_are_answered() {
    refused(&GET).await;
    refused(&[&GET[..], &[(":authority", "user@a")]].concat()).await;
    refused(&[&GET[..], &[(":authority", "a"), ("host", "a,b")]].concat()).await;
}

#[tokio::test]
async fn the_neighbours_of_what_is_refused_pass() {
    for further in [
        vec![(":authority", "a")],
        vec![(":authority", "a"), ("te", "trailers")],
        vec![(":authority", "a"), ("host", "A.:80")],
        vec![(":authority", "a"), ("content-length", "0")],
        vec![("host", "a")],
    ] {
        let (kind, block) = first(&[&GET[..], &further].concat(), END_STREAM).await;
        assert_eq!((kind, block.first()), (kind::HEADERS, Some(&0x88)), "{further:?}");
    }
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_malformed() {
    for (length, data) in [("5", "four"), ("3", "four")] {
        let (mut raw, edge) = Raw::client().await;
        let head = headers(0, 1, "/size", &[("content-length", length)]);
        raw.send(&[head, frame(kind::DATA, END_STREAM, 1, data.as_bytes())].concat()).await;
        assert_eq!(raw.code(kind::RESET).await, Reason::PROTOCOL_ERROR);
        assert!(edge.site.next().await.starts_with("/size: the request is malformed"));
    }
}

async fn flooded(bytes: &[u8], times: usize) {
    let (mut raw, edge) = Raw::client().await;
    // The edge stops reading when it has had enough, so that sending may fail; what it says then stays readable.
    let all = bytes.repeat(times);
    drop(tokio::io::AsyncWriteExt::write_all(&mut raw.io, &all).await);
    assert_eq!(raw.code(kind::GOAWAY).await, Reason::ENHANCE_YOUR_CALM);
    drop(raw);
    edge.task.await.unwrap();
}

#[tokio::test]
async fn floods_of_cheap_frames_end_the_connection() {
    flooded(&frame(kind::SETTINGS, 0, 0, &[]), 200).await;
    flooded(&frame(kind::PING, 0, 0, &[0; 8]), 20_000).await;
    flooded(&frame(0x2, 0, 9, &[0, 0, 0, 0, 1]), 2_000).await;
    flooded(&frame(0xbe, 0, 0, b"grease"), 2_000).await;
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let (mut raw, edge) = Raw::client().await;
    for stream in (1..1_000).step_by(2) {
        let reset = frame(kind::RESET, 0, stream, &8_u32.to_be_bytes());
        let bytes = [headers(END_STREAM, stream, "/gone", &[]), reset].concat();
        if tokio::io::AsyncWriteExt::write_all(&mut raw.io, &bytes).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.code(kind::GOAWAY).await, Reason::ENHANCE_YOUR_CALM);
    drop(raw);
    edge.task.await.unwrap();
}

#[tokio::test]
async fn endless_continuation_ends_the_connection() {
    let (mut raw, _edge) = Raw::client().await;
    let block = field(":method", "GET");
    let head = frame(kind::HEADERS, END_STREAM, 1, &block);
    let more = frame(kind::CONTINUATION, 0, 1, &[]).repeat(20);
    raw.send(&[head, more].concat()).await;
    assert_eq!(raw.code(kind::GOAWAY).await, Reason::ENHANCE_YOUR_CALM);
}

#[tokio::test]
async fn a_block_that_cannot_be_read_ends_the_connection() {
    let (mut raw, _edge) = Raw::client().await;
    raw.send(&frame(kind::HEADERS, END_STREAM | END_HEADERS, 1, &[0xbe])).await;
    assert_eq!(raw.code(kind::GOAWAY).await, Reason::COMPRESSION_ERROR);
}

#[tokio::test]
async fn trailers_with_pseudo_headers_reset_their_stream() {
    let (mut raw, edge) = Raw::client().await;
    let trailers = frame(kind::HEADERS, END_STREAM | END_HEADERS, 1, &field(":path", "/other"));
    raw.send(&[headers(0, 1, "/size", &[]), frame(kind::DATA, 0, 1, b"x"), trailers].concat()).await;
    assert_eq!(raw.code(kind::RESET).await, Reason::PROTOCOL_ERROR);
    assert!(edge.site.next().await.starts_with("/size: the request is malformed"));
}

#[tokio::test]
async fn a_burst_of_requests_that_are_taken_back_is_borne() {
    let (mut raw, _edge) = Raw::client().await;
    let burst = |first: u32| -> Vec<u8> {
        let pair = |stream| {
            [headers(END_STREAM, stream, "/gone", &[]), frame(kind::RESET, 0, stream, &[0, 0, 0, 8])]
        };
        (0..100).flat_map(|number| pair(first + number * 2).concat()).collect()
    };
    raw.send(&[burst(1), burst(201), headers(END_STREAM, 401, "/seen", &[])].concat()).await;
    assert_eq!(raw.until(kind::HEADERS).await.stream, 401);
}

#[tokio::test]
async fn heads_above_the_limits_are_answered() {
    for (name, value, times) in [("x", 1, 101), ("x-long", 40_000, 2), ("x-long", 70_000, 1)] {
        let (mut requests, _edge) = client().await;
        let mut request = get("/seen");
        for _ in 0..times {
            request.headers_mut().append(name, "v".repeat(value).parse().unwrap());
        }
        let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(answer.status(), 431);
    }
}
