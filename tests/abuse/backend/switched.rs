//! 101 that nobody asked for: no tunnel comes of it.

use super::answer::Judged::BadGateway;
use super::answer::Then::Stay;
use super::answer::answers;
use crate::setting::stage;
use nearside_tests::raw::{Client, Talk};
use std::sync::Arc;

const LAWFUL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

answers! {
    a_switch_to_a_websocket_out_of_nowhere {
        says: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        then: Stay, judged: BadGateway, neighbour: LAWFUL,
    }
    a_switch_to_http_2_out_of_nowhere {
        says: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        then: Stay, judged: BadGateway, neighbour: LAWFUL,
    }
    a_switch_to_nothing {
        says: "HTTP/1.1 101 Switching Protocols\r\n\r\n", then: Stay, judged: BadGateway, neighbour: LAWFUL,
    }
    a_switch_before_an_answer {
        says: format!("HTTP/1.1 101 Switching Protocols\r\n\r\n{LAWFUL}"),
        then: Stay, judged: BadGateway, neighbour: LAWFUL,
    }
}

/// A question for a WebSocket with the key of RFC 6455, 1.3.
const ASK: &[u8] =
    b"GET /a HTTP/1.1\r\nHost: www.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What the client gets that asks for a WebSocket when the backend says this, and whether what it sends then arrives.
fn asked(says: &'static [u8]) -> (u16, bool) {
    let stage = stage();
    let mut client = Client::to(stage.plain);
    let port = client.port();
    stage.backend.answer(
        port,
        Arc::new(move |talk: &mut Talk| {
            talk.head();
            talk.send(says);
            talk.hear_out();
        }),
    );
    client.send(ASK);
    let status = client.answer("GET").unwrap().status();
    client.send(b"\x81\x80abcd");
    client.finish();
    let tunnel = status == 101;
    let heard = stage.backend.wait(port, |heard| {
        heard.iter().any(|one| if tunnel { one.bytes.ends_with(b"\x81\x80abcd") } else { one.ended })
    });
    assert_eq!(heard.len(), 1, "{heard:?}");
    (status, heard[0].bytes.ends_with(b"\x81\x80abcd"))
}

/// The switch that was asked for.
const RIGHT: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// `wrong` makes no tunnel, and the right answer does.
fn check(wrong: &'static [u8]) {
    assert_eq!(asked(wrong), (502, false), "{}", wrong.escape_ascii());
    assert_eq!(asked(RIGHT), (101, true));
}

#[test]
fn a_switch_proves_that_the_key_was_read() {
    check(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
    );
}

#[test]
fn a_switch_without_a_proof_is_none() {
    check(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

#[test]
fn a_switch_says_to_what() {
    check(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
}

#[test]
fn a_switch_is_to_what_was_asked_for() {
    check(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
}

#[test]
fn a_switch_is_to_one_protocol() {
    check(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
}

#[test]
fn a_switch_says_so_in_connection() {
    check(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
}

#[test]
fn a_refusal_to_switch_reaches_the_client_and_makes_no_tunnel() {
    let (status, arrived) = asked(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((status, arrived), (426, false));
    assert_eq!(asked(RIGHT), (101, true));
}
