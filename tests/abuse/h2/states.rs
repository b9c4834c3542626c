//! The life of streams: what may come when, and which numbers they have (RFC 9113, 5.1).

use super::Judged::{Connection, CutStream};
use super::{Client, cases, post, upload};
use crate::setting::stage;
use nearside_tests::frames::code::{PROTOCOL, REFUSED, STREAM_CLOSED};
use nearside_tests::frames::{flag, frame, get, headers, kind, line, reset, window};

const END: u8 = flag::END_STREAM;
/// A stream that has ended may be an error of the stream or of the connection, by what is remembered of it.
const OVER: &[u32] = &[STREAM_CLOSED, PROTOCOL];

cases! {
    data_of_a_stream_that_never_began {
        send: frame(kind::DATA, END, 1, b"/hostile"),
        judged: Connection(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, END, 1, b"x")].concat(),
    }
    a_reset_of_a_stream_that_never_began {
        send: reset(1),
        judged: Connection(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, END, 1, b"x")].concat(),
    }
    a_window_of_a_stream_that_never_began {
        send: window(1, 10),
        judged: Connection(&[PROTOCOL]),
        neighbour: [post(&[]), window(1, 10), frame(kind::DATA, END, 1, b"x")].concat(),
    }
    data_behind_the_end_of_a_stream {
        send: [get(1, "/before"), frame(kind::DATA, END, 1, b"/hostile")].concat(),
        judged: Connection(OVER),
        neighbour: [post(&[]), frame(kind::DATA, 0, 1, b"x"), frame(kind::DATA, END, 1, b"y")].concat(),
    }
    a_head_behind_the_end_of_a_stream {
        send: [get(1, "/before"), get(1, "/hostile")].concat(),
        judged: Connection(OVER),
        neighbour: get(1, "/lawful"),
    }
    a_second_head_on_an_upload {
        send: [upload(&[]), headers(0, 1, &line("POST", "/hostile"))].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("x-sum", "1")])].concat(),
    }
    trailers_that_do_not_end_their_stream {
        send: [upload(&[]), frame(kind::DATA, 0, 1, b"x"), headers(0, 1, &[("x-sum", "1")])].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, 0, 1, b"x"), headers(END, 1, &[("x-sum", "1")])].concat(),
    }
    a_stream_with_an_even_number {
        send: get(2, "/hostile"),
        judged: Connection(&[PROTOCOL]),
        neighbour: get(1, "/lawful"),
    }
    a_stream_with_a_lower_number_than_the_last {
        send: [get(5, "/before"), get(3, "/hostile")].concat(),
        judged: Connection(OVER),
        neighbour: [get(1, "/lawful"), get(5, "/lawful")].concat(),
    }
    a_priority_that_depends_on_itself {
        send: [upload(&[]), frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 1, 9])].concat(),
        judged: CutStream(&[PROTOCOL]),
        neighbour: [frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 3, 9]), get(1, "/lawful")].concat(),
    }
}

/// More streams than were offered are not looked at, and the others go on.
#[tokio::test]
async fn a_stream_beyond_those_that_were_offered_is_refused() {
    let stage = stage();
    let mut client = Client::begun(stage, &[]).await;
    let opened: Vec<u8> = (0..129).flat_map(|n| headers(0, n * 2 + 1, &line("POST", "/waiting"))).collect();
    client.raw.send(&opened).await.unwrap();
    let refused = client.raw.until(kind::RESET).await.unwrap();
    assert_eq!((refused.stream, refused.code()), (257, REFUSED));
    client.raw.send(&frame(kind::DATA, END, 1, b"x")).await.unwrap();
    client.gets(1).await.unwrap();
    client.asks(259, "/after").await.unwrap();
}

/// Frames that were on their way when a stream was reset are no fault.
#[tokio::test]
async fn what_comes_for_a_stream_that_was_reset_here_is_forgiven() {
    let stage = stage();
    let mut client = Client::begun(stage, &[]).await;
    client
        .raw
        .send(&headers(0, 1, &[&line("POST", "/hostile")[..], &[("te", "gzip")]].concat()))
        .await
        .unwrap();
    let reset = client.raw.until(kind::RESET).await.unwrap();
    assert_eq!((reset.stream, reset.code()), (1, PROTOCOL));
    let late = [frame(kind::DATA, 0, 1, b"x"), window(1, 5), frame(kind::DATA, END, 1, b"y")].concat();
    client.raw.send(&late).await.unwrap();
    client.asks(3, "/after").await.unwrap();
}
