//! Hop by hop: what belongs to the client's connection ends here, and `Connection` cannot take away what it may not name
//! (RFC 9110, 7.6.1).

use crate::case::Judged::Arrives;
use crate::case::{cases, get, post};

const BARE: &str = "GET /a HTTP/1.1\nhost: www.example.com\n";

cases! {
    what_the_connection_is_for_ends_here {
        send: get("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-A: b\r\n"),
    }
    what_connection_names_ends_here {
        send: get("Connection: X-Hop\r\nX-Hop: 1\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Hop: 1\r\n"),
    }
    what_connection_names_after_its_own_words_ends_here {
        send: get("Connection: keep-alive ,, x-hop\t,close\r\nX-HOP: 1\r\nx-hop: 2\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Hop: 1\r\n"),
    }
    what_a_second_connection_names_ends_here {
        send: get("Connection: keep-alive\r\nX-Hop: 1\r\nConnection: x-hop\r\n"),
        judged: Arrives(BARE),
        neighbour: get("X-Hop: 1\r\n"),
    }
    connection_cannot_remove_the_host {
        send: get("Connection: host\r\n"),
        judged: Arrives(BARE),
        neighbour: get(""),
    }
    connection_cannot_remove_the_address {
        send: get("Connection: x-forwarded-for, x-forwarded-host, x-forwarded-proto\r\n"),
        judged: Arrives(BARE),
        neighbour: get(""),
    }
    connection_cannot_remove_what_we_add {
        send: get("Connection: x-nearside-ref, x-nearside-pop, x-nearside-place, via, cdn-loop, traceparent\r\n"),
        judged: Arrives(BARE),
        neighbour: get(""),
    }
    connection_cannot_remove_the_length {
        send: post("Connection: content-length\r\nContent-Length: 5\r\n", "hello"),
        judged: Arrives("POST /a HTTP/1.1\nhost: www.example.com\ncontent-length: 5\n\nhello\n"),
        neighbour: post("Content-Length: 5\r\n", "hello"),
    }
    connection_cannot_remove_the_coding {
        send: post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        judged: Arrives("POST /a HTTP/1.1\nhost: www.example.com\ntransfer-encoding: chunked\n\nhello\n"),
        neighbour: post("Content-Length: 5\r\n", "hello"),
    }
    connection_cannot_remove_who_somebody_is {
        send: get("Connection: authorization, cookie\r\nAuthorization: Basic eDp5\r\nCookie: a=b\r\n"),
        judged: Arrives("GET /a HTTP/1.1\nhost: www.example.com\nauthorization: Basic eDp5\ncookie: a=b\n"),
        neighbour: get("Cookie: a=b\r\n"),
    }
    connection_cannot_remove_what_a_route_sets {
        send: "GET /set HTTP/1.1\r\nHost: www.example.com\r\nConnection: x-tenant\r\n\r\n",
        judged: Arrives("GET /set HTTP/1.1\nhost: www.example.com\nx-tenant: good\n"),
        neighbour: "GET /set HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
    }
    codings_that_the_client_takes_are_its_own {
        send: get("TE: gzip, trailers;q=0.5\r\nConnection: te\r\n"),
        judged: Arrives(BARE),
        neighbour: get("TE: trailers\r\nConnection: te\r\n"),
    }
    trailers_that_the_client_takes_are_said_anew {
        send: get("TE: trailers, deflate\r\nConnection: te\r\n"),
        judged: Arrives("GET /a HTTP/1.1\nhost: www.example.com\nte: trailers\nconnection: te\n"),
        neighbour: get("TE: trailers\r\nConnection: te\r\n"),
    }
    rights_at_this_proxy_end_here {
        send: get("Proxy-Authorization: Basic eDp5\r\nProxy-Authenticate: Basic\r\n"),
        judged: Arrives(BARE),
        neighbour: get("Authorization: Basic eDp5\r\n"),
    }
    a_connection_that_closes_says_so_to_us_alone {
        send: get("Connection: close\r\n"),
        judged: Arrives(BARE),
        neighbour: get(""),
    }
}
