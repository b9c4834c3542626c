//! Upgrades: what is asked of the backend is a WebSocket that its route allows, or nothing (RFC 9110, 7.8; RFC 6455, 4).

use crate::case::Judged::Arrives;
use crate::case::{cases, get};

const BARE: &str = "GET /a HTTP/1.1\nhost: www.example.com\n";

/// A question for a WebSocket with these lines of fields.
fn ask(fields: &str) -> String {
    get(&format!("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{fields}"))
}

/// What arrives of one that is no question.
const UNASKED: &str = "GET /a HTTP/1.1\nhost: www.example.com\nsec-websocket-version: 13\n";

cases! {
    http_2_in_the_clear_is_not_asked_for {
        send: get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n"),
        judged: Arrives(BARE),
        neighbour: get(""),
    }
    settings_of_http_2_that_nobody_named_end_here {
        send: get("HTTP2-Settings: AAMAAABkAARAAAAA\r\n"),
        judged: Arrives(BARE),
        neighbour: get(""),
    }
    an_upgrade_to_something_else_is_not_asked_for {
        send: get("Connection: Upgrade\r\nUpgrade: TLS/1.0, foo/2\r\n"),
        judged: Arrives(BARE),
        neighbour: get(""),
    }
    an_upgrade_that_connection_does_not_name_is_none {
        send: get("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
        judged: Arrives(UNASKED),
        neighbour: get(""),
    }
    a_websocket_has_a_key {
        send: ask(""),
        judged: Arrives(UNASKED),
        neighbour: get(""),
    }
    a_key_is_of_sixteen_bytes {
        send: ask("Sec-WebSocket-Key: dGhl\r\n"),
        judged: Arrives("GET /a HTTP/1.1\nhost: www.example.com\nsec-websocket-version: 13\nsec-websocket-key: dGhl\n"),
        neighbour: get(""),
    }
    a_websocket_has_one_key {
        send: ask("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
        judged: Arrives(
            "GET /a HTTP/1.1\nhost: www.example.com\nsec-websocket-version: 13\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n"
        ),
        neighbour: get(""),
    }
    a_websocket_is_asked_for_with_get {
        send: "POST /a HTTP/1.1\r\nHost: www.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n\r\n",
        judged: Arrives(
            "POST /a HTTP/1.1\nhost: www.example.com\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\ncontent-length: 0\n"
        ),
        neighbour: get(""),
    }
    a_websocket_is_asked_for_in_1_1 {
        send: "GET /a HTTP/1.0\r\nHost: www.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        judged: Arrives(
            "GET /a HTTP/1.1\nhost: www.example.com\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n"
        ),
        neighbour: get(""),
    }
    a_websocket_that_its_route_does_not_allow_is_not_asked_for {
        send: "GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        judged: Arrives("GET /a HTTP/1.1\nhost: localhost\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n"),
        neighbour: "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    }
}
