//! Flow control (RFC 9113, 5.2 and 6.9).

use super::Judged::{Connection, CutConnection, CutStream};
use super::{Client, cases, post, upload};
use crate::setting::stage;
use nearside_tests::frames::code::{FLOW_CONTROL, PROTOCOL};
use nearside_tests::frames::{flag, frame, get, headers, kind, line, settings, window};
use std::sync::Arc;

const END: u8 = flag::END_STREAM;
const LARGEST: u32 = (1 << 31) - 1;

cases! {
    a_window_of_the_connection_that_grows_by_nothing {
        send: window(0, 0),
        judged: Connection(&[PROTOCOL]),
        neighbour: [window(0, 1), get(1, "/lawful")].concat(),
    }
    a_window_of_a_stream_that_grows_by_nothing {
        send: [upload(&[]), window(1, 0)].concat(),
        judged: CutConnection(&[PROTOCOL]),
        neighbour: [post(&[]), window(1, 1), frame(kind::DATA, END, 1, b"x")].concat(),
    }
    a_window_of_the_connection_beyond_the_largest {
        send: [window(0, LARGEST), window(0, LARGEST)].concat(),
        judged: Connection(&[FLOW_CONTROL]),
        neighbour: [window(0, LARGEST - 65_535), get(1, "/lawful")].concat(),
    }
    a_window_of_a_stream_beyond_the_largest {
        send: [upload(&[]), window(1, LARGEST)].concat(),
        judged: CutStream(&[FLOW_CONTROL]),
        neighbour: [post(&[]), window(1, LARGEST - 65_535), frame(kind::DATA, END, 1, b"x")].concat(),
    }
    settings_that_take_a_window_beyond_the_largest {
        send: [upload(&[]), window(1, LARGEST - 65_535), settings(&[(4, 65_536)])].concat(),
        judged: CutConnection(&[FLOW_CONTROL]),
        neighbour: [post(&[]), window(1, 10), settings(&[(4, 65_536)]), frame(kind::DATA, END, 1, b"x")].concat(),
    }
}

/// Asks for tunnels on these streams, which nobody grants, and fills their windows: what is sent on them is not read.
async fn filled(streams: &[u32]) -> Client {
    let mut client = Client::begun(stage(), &[]).await;
    stage().backend.answer(client.port, Arc::new(|talk| talk.hear_out()));
    for stream in streams {
        let tunnel = [&line("CONNECT", "/a")[..], &[(":protocol", "websocket")]].concat();
        let data = frame(kind::DATA, 0, *stream, &[b'x'; 16_384]).repeat(64);
        client.raw.send(&[headers(0, *stream, &tunnel), data].concat()).await.unwrap();
    }
    client
}

#[tokio::test]
async fn data_beyond_the_window_of_its_stream() {
    let mut client = filled(&[1]).await;
    client.raw.send(&frame(kind::DATA, 0, 1, b"x")).await.unwrap();
    let reset = client.of(1).await.unwrap();
    assert_eq!((reset.kind, reset.code()), (kind::RESET, FLOW_CONTROL));
    let mut lawful = filled(&[1]).await;
    lawful.raw.send(&frame(kind::PING, 0, 0, &[7; 8])).await.unwrap();
    assert!(lawful.raw.until(kind::PING).await.is_some());
}

#[tokio::test]
async fn data_beyond_the_window_of_the_connection() {
    let mut client = filled(&[1, 3, 5, 7]).await;
    drop(
        client.raw.send(&[headers(0, 9, &line("POST", "/a")), frame(kind::DATA, 0, 9, b"x")].concat()).await,
    );
    super::ended(&mut client, &[FLOW_CONTROL]).await.unwrap();
    let mut lawful = filled(&[1, 3, 5, 7]).await;
    lawful.raw.send(&get(9, "/a")).await.unwrap();
    lawful.raw.send(&frame(kind::PING, 0, 0, &[7; 8])).await.unwrap();
    assert!(lawful.raw.until(kind::PING).await.is_some());
}

/// A client whose window is closed gets no byte, and what is opened is used to the byte.
#[tokio::test]
async fn no_more_is_sent_than_windows_allow() {
    let mut client = Client::begun(stage(), &[(4, 0)]).await;
    client.asks(1, "/a").await.unwrap();
    client.raw.send(&frame(kind::PING, 0, 0, &[1; 8])).await.unwrap();
    let pong = client.raw.next().await.unwrap();
    assert_eq!(pong.kind, kind::PING, "nothing came before it: {pong:?}");
    for (at, byte) in b"ok".iter().enumerate() {
        client.raw.send(&window(1, 1)).await.unwrap();
        let data = client.of(1).await.unwrap();
        assert_eq!((data.kind, &data.payload[..]), (kind::DATA, &[*byte][..]), "byte {at}");
    }
}

/// A window that SETTINGS make negative holds back until it is positive again.
#[tokio::test]
async fn a_window_that_became_negative_is_made_up_for() {
    let mut client = Client::begun(stage(), &[(4, 1)]).await;
    client.asks(1, "/a").await.unwrap();
    assert_eq!(client.of(1).await.unwrap().payload, "o");
    client
        .raw
        .send(&[settings(&[(4, 0)]), window(1, 1), frame(kind::PING, 0, 0, &[1; 8])].concat())
        .await
        .unwrap();
    let pong = loop {
        let frame = client.raw.next().await.unwrap();
        assert_ne!(frame.kind, kind::DATA, "the window is closed");
        if frame.kind == kind::PING {
            break frame;
        }
    };
    assert_eq!(pong.flags, flag::ACK);
    client.raw.send(&window(1, 1)).await.unwrap();
    assert_eq!(client.of(1).await.unwrap().payload, "k");
}

/// The windows of an upload open again as the backend takes it.
#[tokio::test]
async fn an_upload_larger_than_its_windows_goes_through_as_they_open() {
    let mut client = Client::begun(stage(), &[]).await;
    let size = 6 << 20;
    client.raw.send(&headers(0, 1, &line("POST", "/large"))).await.unwrap();
    let (mut stream_window, mut connection_window, mut sent) = (1_usize << 20, 4_usize << 20, 0);
    while sent < size {
        let piece = (size - sent).min(stream_window).min(connection_window).min(16_384);
        if piece == 0 {
            let more = client.raw.until(kind::WINDOW).await.unwrap();
            let by = u32::from_be_bytes(more.payload[..4].try_into().unwrap()) as usize;
            if more.stream == 0 {
                connection_window += by
            } else {
                stream_window += by
            }
            continue;
        }
        client.raw.send(&frame(kind::DATA, 0, 1, &vec![b'x'; piece])).await.unwrap();
        (stream_window, connection_window, sent) =
            (stream_window - piece, connection_window - piece, sent + piece);
    }
    client.raw.send(&frame(kind::DATA, END, 1, &[])).await.unwrap();
    client.gets(1).await.unwrap();
    let port = client.port;
    drop(client);
    let heard = stage().backend.all(port);
    assert_eq!(heard[0].requests().unwrap()[0].body.len(), size);
}
