//! What costs a client little and the edge much, again and again (RFC 9113, 10.5): it is sent away, and who does as much
//! as a lawful client may is not.

use super::Client;
use crate::setting::stage;
use nearside_tests::frames::code::CALM;
use nearside_tests::frames::{code, flag, frame, get, headers, kind, line, reset, settings, window};
use nearside_tests::raw::Heard;

const END: u8 = flag::END_STREAM;

/// Pours it and is told to be calm; the port.
async fn poured(bytes: Vec<u8>) -> u16 {
    let Client { raw, port } = Client::begun(stage(), &[]).await;
    let mut reading = raw.pour(bytes);
    let mut farewell = None;
    while let Some(frame) = reading.next().await {
        if frame.kind == kind::GOAWAY {
            farewell = Some(frame.code());
        }
    }
    assert_eq!(farewell, Some(CALM));
    drop(reading.poured().await);
    port
}

/// Pours it, and is served as before.
async fn borne(bytes: Vec<u8>) {
    let Client { raw, port } = Client::begun(stage(), &[]).await;
    let raw = raw.pour(bytes).poured().await;
    Client { raw, port }.asks(10_001, "/after").await.unwrap();
}

/// Each a test of its own name: what is too much, and what is not.
macro_rules! floods {
    ($($name:ident { too_much: $too_much:expr, lawful: $lawful:expr $(,)? })*) => {
        $(#[tokio::test]
        async fn $name() {
            poured($too_much).await;
            borne($lawful).await;
        })*
    };
}

/// So many streams, each of them these frames.
fn streams(count: u32, of: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(|number| of(number * 2 + 1)).collect()
}

/// An upload that has begun.
fn upload(stream: u32) -> Vec<u8> {
    headers(0, stream, &line("POST", "/flood"))
}

/// Empty data of one upload, so often.
fn empty_data(times: usize, flags: u8, payload: &[u8]) -> Vec<u8> {
    [upload(1), frame(kind::DATA, flags, 1, payload).repeat(times), frame(kind::DATA, END, 1, b"x")].concat()
}

floods! {
    settings_again_and_again {
        too_much: settings(&[]).repeat(200),
        lawful: settings(&[]).repeat(50),
    }
    settings_that_change_all_windows_again_and_again {
        too_much: [upload(1), [settings(&[(4, 0)]), settings(&[(4, 1 << 20)])].concat().repeat(200)].concat(),
        lawful: [settings(&[(4, 0)]), settings(&[(4, 1 << 20)])].concat().repeat(20),
    }
    pings_again_and_again {
        too_much: frame(kind::PING, 0, 0, &[7; 8]).repeat(20_000),
        lawful: frame(kind::PING, 0, 0, &[7; 8]).repeat(1_000),
    }
    answers_to_pings_that_nobody_sent {
        too_much: frame(kind::PING, flag::ACK, 0, &[7; 8]).repeat(20_000),
        lawful: frame(kind::PING, flag::ACK, 0, &[7; 8]).repeat(1_000),
    }
    priorities_again_and_again {
        too_much: frame(kind::PRIORITY, 0, 9, &[0, 0, 0, 1, 9]).repeat(5_000),
        lawful: frame(kind::PRIORITY, 0, 9, &[0, 0, 0, 1, 9]).repeat(500),
    }
    updates_of_priority_again_and_again {
        too_much: frame(0x10, 0, 0, b"\0\0\0\x09u=1").repeat(5_000),
        lawful: frame(0x10, 0, 0, b"\0\0\0\x09u=1").repeat(500),
    }
    unknown_frames_again_and_again {
        too_much: frame(0xbe, 0, 0, &[]).repeat(5_000),
        lawful: frame(0xbe, 0, 0, &[]).repeat(500),
    }
    windows_again_and_again {
        too_much: window(0, 1).repeat(30_000),
        lawful: window(0, 1).repeat(1_000),
    }
    windows_of_a_stream_again_and_again {
        too_much: [upload(1), window(1, 1).repeat(30_000)].concat(),
        lawful: [upload(1), window(1, 1).repeat(1_000), frame(kind::DATA, END, 1, &[])].concat(),
    }
    empty_data_again_and_again {
        too_much: empty_data(20_000, 0, &[]),
        lawful: empty_data(50, 0, &[]),
    }
    data_of_nothing_but_padding_again_and_again {
        too_much: empty_data(20_000, flag::PADDED, &[3, 0, 0, 0]),
        lawful: empty_data(50, flag::PADDED, &[3, 0, 0, 0]),
    }
    heads_that_break_the_rules_again_and_again {
        too_much: streams(600, |stream| headers(END, stream, &[&line("GET", "/flood")[..], &[("te", "gzip")]].concat())),
        lawful: streams(100, |stream| headers(END, stream, &[&line("GET", "/flood")[..], &[("te", "gzip")]].concat())),
    }
    heads_that_only_the_edge_finds_wrong_again_and_again {
        too_much: streams(600, |stream| headers(END, stream, &[&line("GET", "/flood")[..], &[("x", " ")]].concat())),
        lawful: streams(100, |stream| headers(END, stream, &[&line("GET", "/flood")[..], &[("x", " ")]].concat())),
    }
    heads_that_depend_on_themselves_again_and_again {
        too_much: streams(600, |stream| [upload(stream), frame(kind::PRIORITY, 0, stream, &[&stream.to_be_bytes()[..], &[9]].concat())].concat()),
        lawful: streams(50, |stream| [upload(stream), frame(kind::PRIORITY, 0, stream, &[&stream.to_be_bytes()[..], &[9]].concat())].concat()),
    }
    windows_that_make_the_edge_reset_again_and_again {
        too_much: streams(600, |stream| [upload(stream), window(stream, (1 << 31) - 1)].concat()),
        lawful: streams(50, |stream| [upload(stream), window(stream, (1 << 31) - 1)].concat()),
    }
    bodies_that_make_the_edge_reset_again_and_again {
        too_much: streams(600, |stream| [headers(0, stream, &[&line("POST", "/flood")[..], &[("content-length", "0")]].concat()), frame(kind::DATA, 0, stream, b"x")].concat()),
        lawful: streams(50, |stream| [headers(0, stream, &[&line("POST", "/flood")[..], &[("content-length", "0")]].concat()), frame(kind::DATA, 0, stream, b"x")].concat()),
    }
    uploads_that_are_reset_again_and_again {
        too_much: streams(5_000, |stream| [upload(stream), frame(kind::DATA, 0, stream, b"x"), reset(stream)].concat()),
        lawful: streams(20, |stream| [upload(stream), frame(kind::DATA, 0, stream, b"x"), reset(stream)].concat()),
    }
    requests_that_are_reset_for_another_reason_each_time {
        too_much: streams(5_000, |stream| [get(stream, "/flood"), frame(kind::RESET, 0, stream, &(stream % 14).to_be_bytes())].concat()),
        lawful: streams(20, |stream| [get(stream, "/flood"), frame(kind::RESET, 0, stream, &code::NO_ERROR.to_be_bytes())].concat()),
    }
}

/// A page that is left takes its requests back, all at once, and may do so.
#[tokio::test]
async fn a_page_of_requests_that_is_left_at_once_is_borne() {
    let all = streams(120, |stream| get(stream, "/flood"));
    borne([all, streams(120, reset)].concat()).await;
    borne(streams(120, |stream| [get(stream, "/flood"), reset(stream)].concat())).await;
    poured(streams(600, |stream| [get(stream, "/flood"), reset(stream)].concat())).await;
}

/// The rapid reset of 2023: it ends after some hundreds, and so does what it costs the backend.
#[tokio::test]
async fn requests_that_are_reset_at_once() {
    let port = poured(streams(20_000, |stream| [get(stream, "/flood"), reset(stream)].concat())).await;
    let arrived: usize = stage().backend.all(port).iter().map(|heard: &Heard| heard.bytes.len()).sum();
    assert!(arrived < 1_000 * 1_000, "{arrived} bytes reached the backend");
    borne(streams(20, |stream| [get(stream, "/flood"), reset(stream)].concat())).await;
}

/// A client that changes its mind about one request in four is no attacker, however long it goes on.
#[tokio::test]
async fn requests_of_which_some_are_reset_go_on() {
    let mut client = Client::begun(stage(), &[]).await;
    for round in 0..200 {
        let first = round * 10 + 1;
        let cancelled = [get(first, "/flood"), reset(first)].concat();
        let kept: Vec<u8> = (1..5).flat_map(|number| get(first + number * 2, "/flood")).collect();
        client.raw.send(&[cancelled, kept].concat()).await.unwrap();
        client.gets(first + 8).await.unwrap();
    }
}
