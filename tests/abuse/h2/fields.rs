//! Fields (RFC 9113, 8.2), and what becomes of them in HTTP/1.

use super::Judged::{Answered, Stream};
use super::{Client, cases, hostile, lawful};
use crate::setting::stage;
use nearside_tests::client::HOST;
use nearside_tests::frames::code::PROTOCOL;
use nearside_tests::frames::{block, field, flag, frame, headers, kind, line};
use nearside_tests::raw::Heard;
use nearside_tests::wire::Message;

const BAD: super::Judged = Stream(&[PROTOCOL]);

/// A request for `path` with a field of these bytes.
fn with(path: &str, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = [block(&line("GET", path)), field(name, value)].concat();
    frame(kind::HEADERS, flag::END_STREAM | flag::END_HEADERS, 1, &payload)
}

cases! {
    a_name_in_upper_case {
        send: with("/hostile", "X-Upper", "1"),
        judged: BAD,
        neighbour: with("/lawful", "x-upper", "1"),
    }
    a_name_with_a_space {
        send: with("/hostile", "x y", "1"),
        judged: BAD,
        neighbour: with("/lawful", "x-y", "1"),
    }
    a_name_with_a_colon {
        send: with("/hostile", "x:y", "1"),
        judged: BAD,
        neighbour: with("/lawful", "x-y", "1:"),
    }
    a_name_of_nothing {
        send: with("/hostile", "", "1"),
        judged: BAD,
        neighbour: with("/lawful", "x", ""),
    }
    a_name_with_a_line_of_its_own {
        send: with("/hostile", "x: y\r\nz", "1"),
        judged: BAD,
        neighbour: with("/lawful", "x-y-z", "1"),
    }
    a_name_with_a_nul {
        send: with("/hostile", "x\0", "1"),
        judged: BAD,
        neighbour: with("/lawful", "x0", "1"),
    }
    a_name_beyond_ascii {
        send: with("/hostile", b"x\xe4", "1"),
        judged: BAD,
        neighbour: with("/lawful", "x", "\u{e4}"),
    }
    a_value_with_a_line_feed {
        send: with("/hostile", "x", "a\nb"),
        judged: BAD,
        neighbour: with("/lawful", "x", "a\tb"),
    }
    a_value_with_a_carriage_return {
        send: with("/hostile", "x", "a\rb"),
        judged: BAD,
        neighbour: with("/lawful", "x", "a b"),
    }
    a_value_with_another_request {
        send: with("/hostile", "x", "y\r\n\r\nGET /hostile HTTP/1.1\r\nhost: a\r\n\r\n"),
        judged: BAD,
        neighbour: with("/lawful", "x", "y    GET /lawful HTTP/1.1  host: a"),
    }
    a_value_with_a_nul {
        send: with("/hostile", "x", "a\0b"),
        judged: BAD,
        neighbour: with("/lawful", "x", "a0b"),
    }
    a_value_that_begins_with_a_space {
        send: with("/hostile", "x", " a"),
        judged: BAD,
        neighbour: with("/lawful", "x", "a a"),
    }
    a_value_that_ends_in_a_tab {
        send: with("/hostile", "x", "a\t"),
        judged: BAD,
        neighbour: with("/lawful", "x", "a\ta"),
    }
    the_connection_field {
        send: hostile(&[("connection", "close")]),
        judged: BAD,
        neighbour: lawful(&[("x-connection", "close")]),
    }
    the_field_that_keeps_alive {
        send: hostile(&[("keep-alive", "timeout=5")]),
        judged: BAD,
        neighbour: lawful(&[]),
    }
    the_connection_field_of_proxies {
        send: hostile(&[("proxy-connection", "keep-alive")]),
        judged: BAD,
        neighbour: lawful(&[]),
    }
    a_transfer_coding {
        send: hostile(&[("transfer-encoding", "chunked")]),
        judged: BAD,
        neighbour: lawful(&[("content-encoding", "gzip")]),
    }
    an_upgrade {
        send: hostile(&[("upgrade", "websocket")]),
        judged: BAD,
        neighbour: lawful(&[("upgrade-insecure-requests", "1")]),
    }
    a_te_beyond_trailers {
        send: hostile(&[("te", "gzip")]),
        judged: BAD,
        neighbour: lawful(&[("te", "trailers")]),
    }
    a_te_with_more_than_trailers {
        send: hostile(&[("te", "trailers, chunked")]),
        judged: BAD,
        neighbour: lawful(&[("te", "trailers")]),
    }
    a_hundred_and_one_fields {
        send: headers(flag::END_STREAM, 1, &[&line("GET", "/hostile")[..], &[("x", "y"); 101]].concat()),
        judged: Answered(431),
        neighbour: headers(flag::END_STREAM, 1, &[&line("GET", "/lawful")[..], &[("x", "y"); 99]].concat()),
    }
    an_expectation_that_nobody_meets {
        send: hostile(&[("expect", "200-ok")]),
        judged: Answered(417),
        neighbour: lawful(&[("expect", "100-continue")]),
    }
}

/// What arrives of a request with these fields behind its pseudo-headers.
async fn arrives(fields: &[(&str, &str)]) -> Message {
    let mut client = Client::begun(stage(), &[]).await;
    let fields = [&line("GET", "/a")[..], fields].concat();
    client.raw.send(&headers(flag::END_STREAM, 1, &fields)).await.unwrap();
    client.gets(1).await.unwrap();
    let port = client.port;
    drop(client);
    let heard = stage().backend.all(port);
    heard.first().map(Heard::requests).unwrap().unwrap().remove(0)
}

#[tokio::test]
async fn crumbs_of_a_cookie_arrive_as_one() {
    let request = arrives(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3; d=4")]).await;
    assert_eq!(request.all("cookie"), ["a=1; b=2; c=3; d=4"]);
}

#[tokio::test]
async fn the_authority_arrives_as_the_only_host() {
    let request = arrives(&[("host", HOST)]).await;
    assert_eq!(request.all("host"), [HOST]);
    assert_eq!((request.all(":authority"), request.line.as_str()), (Vec::new(), "GET /a HTTP/1.1"));
}

#[tokio::test]
async fn what_only_the_edge_may_say_is_not_believed() {
    let forged = [
        "x-nearside-ref",
        "x-nearside-probe",
        "x-nearside-place",
        "x-forwarded-for",
        "x-real-ip",
        "forwarded",
    ];
    let fields: Vec<_> = forged.iter().map(|name| (*name, "forged")).collect();
    let request = arrives(&fields).await;
    assert!(!request.text().contains("forged"), "{}", request.text());
    assert_eq!(request.all("x-forwarded-proto"), ["https"]);
}

#[tokio::test]
async fn names_with_an_underscore_do_not_pass_as_those_that_are_trusted() {
    let request = arrives(&[("content_length", "9"), ("x_forwarded_for", "forged"), ("x_own", "kept")]).await;
    assert!(
        !request.text().contains("forged") && request.all("content_length").is_empty(),
        "{}",
        request.text()
    );
    assert_eq!(request.all("x_own"), ["kept"]);
}
