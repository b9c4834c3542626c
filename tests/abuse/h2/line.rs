//! Pseudo-headers (RFC 9113, 8.3 and 8.5; RFC 8441).

use super::Judged::{Answered, Stream};
use super::{cases, hostile, lawful};
use nearside_tests::client::HOST;
use nearside_tests::frames::code::PROTOCOL;
use nearside_tests::frames::{block, field, flag, frame, get, headers, kind, line};

const END: u8 = flag::END_STREAM;
const BAD: super::Judged = Stream(&[PROTOCOL]);

/// A request with just these fields.
fn just(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(END, 1, fields)
}

/// A request to this authority.
fn to(authority: &str, path: &str) -> Vec<u8> {
    just(&[(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path)])
}

/// A request whose path is these bytes.
fn path(bytes: &[u8]) -> Vec<u8> {
    let head = block(&[(":method", "GET"), (":scheme", "https"), (":authority", HOST)]);
    frame(kind::HEADERS, END | flag::END_HEADERS, 1, &[head, field(":path", bytes)].concat())
}

cases! {
    a_head_without_a_method {
        send: just(&[(":scheme", "https"), (":authority", HOST), (":path", "/hostile")]),
        judged: BAD,
        neighbour: get(1, "/lawful"),
    }
    a_head_without_a_scheme {
        send: just(&[(":method", "GET"), (":authority", HOST), (":path", "/hostile")]),
        judged: BAD,
        neighbour: get(1, "/lawful"),
    }
    a_head_without_a_path {
        send: just(&[(":method", "GET"), (":scheme", "https"), (":authority", HOST), ("x", "/hostile")]),
        judged: BAD,
        neighbour: get(1, "/"),
    }
    an_empty_path {
        send: [path(b"")].concat(),
        judged: BAD,
        neighbour: path(b"/"),
    }
    two_methods {
        send: just(&[(":method", "GET"), (":method", "POST"), (":scheme", "https"), (":authority", HOST), (":path", "/hostile")]),
        judged: BAD,
        neighbour: get(1, "/lawful"),
    }
    two_paths {
        send: just(&[&line("GET", "/hostile")[..], &[(":path", "/lawful")]].concat()),
        judged: BAD,
        neighbour: get(1, "/lawful"),
    }
    two_authorities {
        send: hostile(&[(":authority", HOST)]),
        judged: BAD,
        neighbour: lawful(&[("host", HOST)]),
    }
    two_schemes {
        send: hostile(&[(":scheme", "https")]),
        judged: BAD,
        neighbour: lawful(&[]),
    }
    a_pseudo_header_that_nobody_knows {
        send: hostile(&[(":version", "2")]),
        judged: BAD,
        neighbour: lawful(&[("version", "2")]),
    }
    the_pseudo_header_of_an_answer {
        send: hostile(&[(":status", "200")]),
        judged: BAD,
        neighbour: lawful(&[("status", "200")]),
    }
    a_pseudo_header_behind_a_field {
        send: just(&[(":method", "GET"), (":scheme", "https"), (":authority", HOST), ("x", "y"), (":path", "/hostile")]),
        judged: BAD,
        neighbour: lawful(&[("x", "y")]),
    }
    a_path_that_does_not_begin_with_a_slash {
        send: path(b"hostile?/hostile"),
        judged: BAD,
        neighbour: path(b"/lawful?/lawful"),
    }
    a_whole_url_as_a_path {
        send: path(b"https://www.example.com/hostile"),
        judged: BAD,
        neighbour: path(b"/https:/www.example.com/lawful"),
    }
    an_asterisk_that_is_not_for_options {
        send: path(b"*"),
        judged: BAD,
        neighbour: headers(END, 1, &line("OPTIONS", "/lawful")),
    }
    a_path_with_a_line_of_its_own {
        send: path(b"/hostile HTTP/1.1\r\nx: y"),
        judged: BAD,
        neighbour: path(b"/lawful%20HTTP/1.1"),
    }
    a_path_with_a_space {
        send: path(b"/hostile x"),
        judged: BAD,
        neighbour: path(b"/lawful%20x"),
    }
    a_path_with_a_nul {
        send: path(b"/hostile\0x"),
        judged: BAD,
        neighbour: path(b"/lawfulx"),
    }
    a_path_with_a_tab {
        send: path(b"/hostile\tx"),
        judged: BAD,
        neighbour: path(b"/lawful,x"),
    }
    a_path_that_climbs {
        send: path(b"/a/../hostile"),
        judged: Answered(400),
        neighbour: path(b"/a/..lawful"),
    }
    a_path_that_climbs_in_escapes {
        send: path(b"/a/%2e%2e/hostile"),
        judged: Answered(400),
        neighbour: path(b"/a/%20/lawful"),
    }
    a_scheme_that_is_no_web_site {
        send: just(&[(":method", "GET"), (":scheme", "ftp"), (":authority", HOST), (":path", "/hostile")]),
        judged: BAD,
        neighbour: get(1, "/lawful"),
    }
    an_authority_with_a_user {
        send: to("user@www.example.com", "/hostile"),
        judged: Answered(400),
        neighbour: to("www.example.com:443", "/lawful"),
    }
    an_authority_with_a_path {
        send: to("www.example.com/hostile", "/hostile"),
        judged: BAD,
        neighbour: to("WWW.Example.com", "/lawful"),
    }
    an_authority_with_a_line_of_its_own {
        send: to("www.example.com\r\nx: y", "/hostile"),
        judged: BAD,
        neighbour: to("www.example.com.", "/lawful"),
    }
    an_authority_of_nobody {
        send: to("", "/hostile"),
        judged: BAD,
        neighbour: just(&[(":method", "GET"), (":scheme", "https"), (":path", "/lawful"), ("host", HOST)]),
    }
    an_authority_with_two_names {
        send: to("www.example.com,evil.example.com", "/hostile"),
        judged: Answered(400),
        neighbour: to("www.example.com", "/lawful"),
    }
    no_host_at_all {
        send: just(&[(":method", "GET"), (":scheme", "https"), (":path", "/hostile")]),
        judged: Answered(400),
        neighbour: just(&[(":method", "GET"), (":scheme", "https"), (":path", "/lawful"), ("host", HOST)]),
    }
    a_host_that_is_not_the_authority {
        send: hostile(&[("host", "localhost")]),
        judged: BAD,
        neighbour: lawful(&[("host", "WWW.example.com:443")]),
    }
    two_hosts {
        send: just(&[(":method", "GET"), (":scheme", "https"), (":path", "/hostile"), ("host", HOST), ("host", HOST)]),
        judged: BAD,
        neighbour: just(&[(":method", "GET"), (":scheme", "https"), (":path", "/lawful"), ("host", HOST)]),
    }
    a_method_that_is_no_token {
        send: headers(END, 1, &line("GET /hostile HTTP/1.1\r\nx:", "/hostile")),
        judged: BAD,
        neighbour: headers(END, 1, &line("PURGE", "/lawful")),
    }
    a_tunnel_to_anywhere {
        send: headers(0, 1, &[(":method", "CONNECT"), (":authority", "www.example.com:443")]),
        judged: Answered(405),
        neighbour: get(1, "/lawful"),
    }
    a_tunnel_with_a_path {
        send: headers(0, 1, &line("CONNECT", "/hostile")),
        judged: BAD,
        neighbour: get(1, "/lawful"),
    }
    a_tunnel_of_another_protocol {
        send: headers(0, 1, &[&line("CONNECT", "/hostile")[..], &[(":protocol", "connect-udp")]].concat()),
        judged: Answered(405),
        neighbour: get(1, "/lawful"),
    }
    the_protocol_of_a_tunnel_without_one {
        send: hostile(&[(":protocol", "websocket")]),
        judged: BAD,
        neighbour: lawful(&[("protocol", "websocket")]),
    }
    a_trace {
        send: headers(END, 1, &line("TRACE", "/hostile")),
        judged: Answered(405),
        neighbour: headers(END, 1, &line("OPTIONS", "/lawful")),
    }
    a_url_above_the_limit {
        send: path(format!("/hostile?{}", "x".repeat(9_000)).as_bytes()),
        judged: Answered(414),
        neighbour: path(format!("/lawful?{}", "x".repeat(8_000)).as_bytes()),
    }
}
