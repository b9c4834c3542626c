//! What a backend's answer tells of its connection stops here, and it cannot speak in our name (RFC 9110, 7.6.1).

use super::answer::Judged::Gets;
use super::answer::Then::Stay;
use super::answer::answers;

/// An answer with these lines of fields.
fn with(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 5\r\n\r\nhello")
}

/// A chunked one with these lines of fields and of trailers.
fn trailing(fields: &str, trailers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{trailers}\r\n")
}

const BARE: &str = "HTTP/1.1 200 OK\ncontent-length: 5\n\nhello\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\nhello\n";
const SUMMED: &str = "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\nhello\ntrailer x-sum: 1\n";

answers! {
    what_the_backend_s_connection_is_for_stops_here {
        says: with("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n"), then: Stay,
        judged: Gets(BARE), neighbour: with("X-A: b\r\n"),
    }
    what_the_backend_s_connection_names_stops_here {
        says: with("Connection: x-hop, close\r\nX-Hop: 1\r\nx-hop: 2\r\n"), then: Stay,
        judged: Gets(BARE), neighbour: with("X-Hop: 1\r\n"),
    }
    an_upgrade_that_the_backend_offers_stops_here {
        says: with("Connection: Upgrade\r\nUpgrade: h2c\r\n"), then: Stay,
        judged: Gets(BARE), neighbour: with("X-Upgrade: h2c\r\n"),
    }
    rights_at_the_backend_s_proxy_stop_here {
        says: with("Proxy-Authenticate: Basic\r\nProxy-Authentication-Info: a\r\n"), then: Stay,
        judged: Gets(BARE), neighbour: with("WWW-Authenticate: Basic\r\n"),
    }
    a_ref_that_a_backend_claims_is_replaced {
        says: with("X-Nearside-Ref: evil\r\nX-Nearside-Gen: evil\r\nX-Nearside-Explain: evil\r\n"), then: Stay,
        judged: Gets(BARE), neighbour: with("X-Ref: 1\r\n"),
    }
    the_backend_s_connection_cannot_remove_what_we_add {
        says: with("Connection: x-nearside-ref, x-nearside-gen\r\n"), then: Stay,
        judged: Gets(BARE), neighbour: with(""),
    }
    the_backend_s_connection_cannot_remove_the_length {
        says: with("Connection: content-length\r\n"), then: Stay,
        judged: Gets(BARE), neighbour: with(""),
    }
    the_backend_s_connection_cannot_remove_a_cookie {
        says: with("Connection: set-cookie, cache-control\r\nSet-Cookie: a=b\r\nCache-Control: private\r\n"), then: Stay,
        judged: Gets("HTTP/1.1 200 OK\nset-cookie: a=b\ncache-control: private\ncontent-length: 5\n\nhello\n"),
        neighbour: with("Set-Cookie: a=b\r\n"),
    }
    a_length_from_a_backend_does_not_come_late {
        says: trailing("", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), then: Stay,
        judged: Gets(CHUNKED), neighbour: trailing("", "X-Sum: 1\r\n"),
    }
    a_cookie_from_a_backend_does_not_come_late {
        says: trailing("", "Set-Cookie: a=b\r\nX-Sum: 1\r\n"), then: Stay,
        judged: Gets(SUMMED), neighbour: trailing("", "X-Sum: 1\r\n"),
    }
    a_ref_from_a_backend_does_not_come_late {
        says: trailing("", "X-Nearside-Ref: evil\r\nX-Sum: 1\r\n"), then: Stay,
        judged: Gets(SUMMED), neighbour: trailing("", "X-Sum: 1\r\n"),
    }
    a_trailer_that_the_backend_s_connection_names_stops_here {
        says: trailing("Connection: x-hop\r\n", "X-Hop: 1\r\nX-Sum: 1\r\n"), then: Stay,
        judged: Gets(SUMMED), neighbour: trailing("", "X-Hop: 1\r\n"),
    }
}
