//! Requests: what is read, what is refused beside what is not, and what of it is written.

use super::{Form, Parts, RequestHead, parse, parse_with};
use crate::{Body, Edits, Gate, Known, Limits, Persist, Progress, Refusal, Upgrade, Version};
use proptest::prelude::{Strategy, any, prop, proptest};

/// Line ends are written as `\n` in the tests and sent as the protocol wants them.
fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// Reads a head whole and byte by byte; both must come to the same.
fn read_head(raw: &[u8]) -> Result<(Progress, RequestHead), Refusal> {
    let limits = Limits::default();
    let mut whole = RequestHead::new();
    let outcome = parse(raw, &limits, &mut whole);
    let (mut gate, mut slow) = (Gate::default(), RequestHead::new());
    let bytewise = (1..=raw.len())
        .map(|end| parse_with(&mut gate, &raw[..end], &limits, &mut slow))
        .find(|outcome| *outcome != Ok(Progress::Partial));
    assert_eq!(bytewise.unwrap_or(Ok(Progress::Partial)), outcome, "{}", raw.escape_ascii());
    if matches!(outcome, Ok(Progress::Complete { .. })) {
        assert_eq!(summary(&whole), summary(&slow));
        assert_eq!(written_again(&whole), written_again(&slow), "{}", raw.escape_ascii());
    }
    outcome.map(|progress| (progress, whole))
}

/// As [`read_head`], of a head and nothing behind it.
fn read_raw(raw: &[u8]) -> Result<RequestHead, Refusal> {
    read_head(raw).map(|(progress, whole)| {
        assert_eq!(progress, Progress::Complete { head_len: raw.len() }, "{}", raw.escape_ascii());
        whole
    })
}

fn written_again(head: &RequestHead) -> Vec<u8> {
    let mut out = Vec::new();
    head.write(&Edits::new(), head.body(), Persist::Keep, &mut out);
    out
}

fn read(text: &str) -> RequestHead {
    read_raw(&crlf(text)).unwrap_or_else(|refusal| panic!("{text:?}: {refusal}"))
}

fn summary(head: &RequestHead) -> String {
    let mut text = format!("{} {} {}", head.method_text(), head.authority().as_str(), head.path());
    if let Some(query) = head.query() {
        text += &format!(" ?{query}");
    }
    text += &format!(" {:?}", head.body());
    for (set, word) in [
        (!head.keep_alive(), " close"),
        (head.expects_continue(), " expects"),
        (head.accepts_trailers(), " trailers"),
        (head.upgrade() == Upgrade::WebSocket, " websocket"),
        (head.upgrade() == Upgrade::Other, " other-upgrade"),
    ] {
        text += if set { word } else { "" };
    }
    text
}

fn check(text: &str, expected: &str) {
    assert_eq!(summary(&read(text)), expected, "{text:?}");
}

/// A head that is refused, and its nearest neighbour that is not.
fn refused(text: &str, refusal: Refusal, neighbour: &str) {
    assert_eq!(read_raw(&crlf(text)).map(|head| summary(&head)), Err(refusal), "{text:?}");
    read(neighbour);
}

/// As [`refused`], for fields under a fixed first line and host.
fn refused_fields(fields: &str, refusal: Refusal, neighbour: &str) {
    let whole = |fields: &str| format!("POST / HTTP/1.1\nHost: a\n{fields}\n\n");
    refused(&whole(fields), refusal, &whole(neighbour));
}

fn written(head: &RequestHead, edits: &Edits, persist: Persist) -> String {
    let mut out = Vec::new();
    head.write(edits, head.body(), persist, &mut out);
    String::from_utf8(out).unwrap().replace("\r\n", "\n")
}

#[test]
fn what_a_request_says_is_read() {
    check("GET / HTTP/1.1\nHost: a\n\n", "GET a / None");
    check("\nGET /x HTTP/1.1\nHost: a\n\n", "GET a /x None");
    check(
        "POST /p?q=1?2 HTTP/1.1\nhost:\tA.b.:8080 \ncontent-length: 12\n\n",
        "POST a.b:8080 /p ?q=1?2 Length(12)",
    );
    check("PUT /? HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked\n\n", "PUT a / ? Chunked");
    check("PURGE /p HTTP/1.1\nHost: [::1]:81\n\n", "PURGE [::1]:81 /p None");
    check("GET / HTTP/1.0\n\n", "GET  / None close");
    check("GET / HTTP/1.0\nConnection: keep-alive\n\n", "GET  / None");
    check("GET / HTTP/1.1\nHost: a\nConnection: x, Close\n\n", "GET a / None close");
    check("GET / HTTP/1.1\nHost: a\nTE: gzip, trailers\nConnection: te\n\n", "GET a / None trailers");
}

#[test]
fn every_form_of_target_is_known() {
    check("GET http://A.b/p?q HTTP/1.1\nHost: a.b:80\n\n", "GET a.b /p ?q None");
    check("GET HTTPS://a:443 HTTP/1.1\nHost: a\n\n", "GET a:443 / None");
    check("GET http://a?q HTTP/1.1\nHost: a\n\n", "GET a / ?q None");
    check("OPTIONS http://a HTTP/1.1\nHost: a\n\n", "OPTIONS a * None");
    check("OPTIONS * HTTP/1.1\nHost: a\n\n", "OPTIONS a * None");
    let connect = read("CONNECT a:443 HTTP/1.1\nHost: a:443\n\n");
    assert_eq!(
        (connect.form(), connect.method(), connect.path()),
        (Form::Authority, crate::Method::Connect, "")
    );
    assert_eq!(read("TRACE / HTTP/1.1\nHost: a\n\n").method(), crate::Method::Trace);
}

#[test]
fn an_expectation_counts_only_with_a_body_and_in_http_1_1() {
    check(
        "PUT / HTTP/1.1\nHost: a\nContent-Length: 1\nExpect: 100-Continue\n\n",
        "PUT a / Length(1) expects",
    );
    check("PUT / HTTP/1.1\nHost: a\nContent-Length: 0\nExpect: 100-continue\n\n", "PUT a / Length(0)");
    check("PUT / HTTP/1.0\nContent-Length: 1\nExpect: 100-continue\n\n", "PUT  / Length(1) close");
    refused_fields("Expect: 200-ok", Refusal::Expectation, "Expect: 100-continue");
}

#[test]
fn an_upgrade_counts_only_where_it_may_be_asked_for() {
    let ask =
        |line: &str, fields: &str| format!("{line}\nHost: a\nConnection: keep-alive, Upgrade\n{fields}\n\n");
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let with_key = |upgrade: &str| format!("Upgrade: {upgrade}\n{key}");
    check(&ask("GET / HTTP/1.1", &with_key("WebSocket")), "GET a / None websocket");
    check(&ask("GET / HTTP/1.1", &with_key("h2c, websocket")), "GET a / None websocket");
    for none in [
        "",
        "\nSec-WebSocket-Key: dGhl",
        "\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ,=",
        &format!("\n{key}\n{key}"),
    ] {
        check(&ask("GET / HTTP/1.1", &format!("Upgrade: websocket{none}")), "GET a / None other-upgrade");
    }
    check(&ask("GET / HTTP/1.1", "Upgrade: h2c"), "GET a / None other-upgrade");
    check(&ask("POST / HTTP/1.1", &with_key("websocket")), "POST a / None other-upgrade");
    let with_body = format!("{}\nContent-Length: 3", with_key("websocket"));
    check(&ask("GET / HTTP/1.1", &with_body), "GET a / Length(3) other-upgrade");
    check(&ask("GET / HTTP/1.0", &with_key("websocket")), "GET a / None");
    check("GET / HTTP/1.1\nHost: a\nUpgrade: websocket\n\n", "GET a / None");
}

#[test]
fn first_lines_are_read_to_the_letter() {
    let whole = |line: &str| format!("{line}\nHost: a\n\n");
    for (line, refusal, neighbour) in [
        ("GET  / HTTP/1.1", Refusal::FirstLine, "GET / HTTP/1.1"),
        ("GET /  HTTP/1.1", Refusal::FirstLine, "GET / HTTP/1.1"),
        (" GET / HTTP/1.1", Refusal::FirstLine, "GET / HTTP/1.1"),
        ("GET / HTTP/1.1 ", Refusal::FirstLine, "GET / HTTP/1.1"),
        ("GET\t/ HTTP/1.1", Refusal::Method, "GET / HTTP/1.1"),
        ("GET /", Refusal::FirstLine, "GET / HTTP/1.0"),
        ("GET / x HTTP/1.1", Refusal::FirstLine, "GET /x HTTP/1.1"),
        ("GET / http/1.1", Refusal::FirstLine, "GET / HTTP/1.1"),
        ("GET / HTTP/1.10", Refusal::FirstLine, "GET / HTTP/1.1"),
        ("GET / HTTP/01.1", Refusal::FirstLine, "GET / HTTP/1.1"),
        ("GET / HTTP/1.2", Refusal::Version, "GET / HTTP/1.1"),
        ("GET / HTTP/2.0", Refusal::Version, "GET / HTTP/1.1"),
        ("GET / HTTP/0.9", Refusal::Version, "GET / HTTP/1.0"),
        ("G(T / HTTP/1.1", Refusal::Method, "G!T / HTTP/1.1"),
        ("GET * HTTP/1.1", Refusal::Target, "OPTIONS * HTTP/1.1"),
        ("GET x HTTP/1.1", Refusal::Target, "GET /x HTTP/1.1"),
        ("GET /a#b HTTP/1.1", Refusal::Target, "GET /a%23b HTTP/1.1"),
        ("GET /\u{e4} HTTP/1.1", Refusal::Target, "GET /%C3%A4 HTTP/1.1"),
        ("GET ftp://a/ HTTP/1.1", Refusal::Target, "GET http://a/ HTTP/1.1"),
        ("GET http:/a/ HTTP/1.1", Refusal::Target, "GET http://a/ HTTP/1.1"),
        ("GET http:///x HTTP/1.1", Refusal::Host, "GET http://a/x HTTP/1.1"),
        ("CONNECT /x HTTP/1.1", Refusal::Target, "CONNECT a:1 HTTP/1.1"),
    ] {
        refused(&whole(line), refusal, &whole(neighbour));
    }
}

#[test]
fn there_is_exactly_one_host_and_the_target_agrees_with_it() {
    refused("GET / HTTP/1.1\n\n", Refusal::HostMissing, "GET / HTTP/1.0\n\n");
    let whole = |host: &str| format!("GET / HTTP/1.1\nHost: {host}\n\n");
    refused(&whole("a\nHost: a"), Refusal::HostTwice, &whole("a\nx-host: a"));
    refused(&whole("a\nhOST: b"), Refusal::HostTwice, &whole("a"));
    refused("GET / HTTP/1.0\nHost: a\nHost: b\n\n", Refusal::HostTwice, "GET / HTTP/1.0\nHost: a\n\n");
    for host in ["", "a,b", "u@a", "u:p@a", "a b", "a/b", "a:b", "a\tb", "a%00"] {
        refused(&whole(host), Refusal::Host, &whole("a:1"));
    }
    let absolute =
        |authority: &str, host: &str| format!("GET http://{authority}/ HTTP/1.1\nHost: {host}\n\n");
    refused(&absolute("a", "b"), Refusal::HostDisagrees, &absolute("a", "A."));
    refused(&absolute("a", "a:8080"), Refusal::HostDisagrees, &absolute("a", "a:80"));
    refused(&absolute("u@a", "a"), Refusal::Host, &absolute("a", "a"));
    refused("GET http://a/ HTTP/1.1\n\n", Refusal::HostMissing, &absolute("a", "a"));
}

#[test]
fn there_is_one_framing_or_none() {
    for (fields, refusal, neighbour) in [
        ("Content-Length: 5\nTransfer-Encoding: chunked", Refusal::TwoFramings, "Content-Length: 5"),
        ("Transfer-Encoding: chunked\nContent-Length: 0", Refusal::TwoFramings, "Transfer-Encoding: chunked"),
        ("Content-Length: 5\nContent-Length: 6", Refusal::ContentLengthTwice, "Content-Length: 6"),
        ("Content-Length: 5\ncontent-length: 5", Refusal::ContentLengthTwice, "Content-Length: 5"),
        ("Content-Length: 5, 5", Refusal::ContentLength, "Content-Length: 5"),
        ("Content-Length: +5", Refusal::ContentLength, "Content-Length: 5"),
        ("Content-Length: -0", Refusal::ContentLength, "Content-Length: 0"),
        ("Content-Length: 0x5", Refusal::ContentLength, "Content-Length: 05"),
        ("Content-Length: 5 5", Refusal::ContentLength, "Content-Length: 55"),
        ("Content-Length: 1_0", Refusal::ContentLength, "Content-Length: 10"),
        ("Content-Length: 5.0", Refusal::ContentLength, "Content-Length: 5"),
        ("Content-Length:", Refusal::ContentLength, "Content-Length:  5 "),
        ("Content-Length: \u{664}", Refusal::ContentLength, "Content-Length: 4"),
        (
            "Content-Length: 9223372036854775808",
            Refusal::ContentLength,
            "Content-Length: 9223372036854775807",
        ),
        ("Content-Length: 18446744073709551621", Refusal::ContentLength, "Content-Length: 5"),
        (
            "Content-Length: 00000000000000000005",
            Refusal::ContentLength,
            "Content-Length: 0000000000000000005",
        ),
        (
            "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
            Refusal::TransferEncoding,
            "Transfer-Encoding: chunked",
        ),
        ("Transfer-Encoding: chunked, chunked", Refusal::TransferEncoding, "Transfer-Encoding: chunked"),
        ("Transfer-Encoding:", Refusal::TransferEncoding, "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: ,chunked", Refusal::TransferEncoding, "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: gzip, chunked", Refusal::Coding, "Transfer-Encoding:chunked"),
        ("Transfer-Encoding: chunked, identity", Refusal::Coding, "Transfer-Encoding: \tchunked\t"),
        ("Transfer-Encoding: identity", Refusal::Coding, "Content-Encoding: identity"),
        ("Transfer-Encoding: xchunked", Refusal::Coding, "Transfer-Encoding: CHUNKED"),
        ("Transfer-Encoding: \"chunked\"", Refusal::Coding, "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked;q=1", Refusal::Coding, "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: \u{b}chunked", Refusal::FieldValue, "Transfer-Encoding: chunked"),
        (
            "Transfer-Encoding: chunked\nTransfer-Encoding: x",
            Refusal::TransferEncoding,
            "Transfer-Encoding: chunked",
        ),
    ] {
        refused_fields(fields, refusal, neighbour);
    }
    refused(
        "POST / HTTP/1.0\nTransfer-Encoding: chunked\n\n",
        Refusal::TransferEncoding,
        "POST / HTTP/1.0\nContent-Length: 1\n\n",
    );
}

#[test]
fn field_lines_are_read_to_the_letter() {
    for (fields, refusal, neighbour) in [
        ("x: a\n b", Refusal::Fold, "x: a b"),
        ("x: a\n\tb: c", Refusal::Fold, "x: a\nb: c"),
        ("x: a\n ", Refusal::Fold, "x: a "),
        ("x : a", Refusal::SpaceBeforeColon, "x: a"),
        ("Content-Length\t: 5", Refusal::SpaceBeforeColon, "Content-Length:\t5"),
        ("Transfer-Encoding : chunked", Refusal::SpaceBeforeColon, "Transfer-Encoding: chunked"),
        ("x", Refusal::FieldName, "x:"),
        (": x", Refusal::FieldName, "x: x"),
        ("x y: z", Refusal::FieldName, "x-y: z"),
        ("x(: y", Refusal::FieldName, "x: y("),
        ("\u{e4}: y", Refusal::FieldName, "a: \u{e4}"),
        ("x: a\u{7f}", Refusal::FieldValue, "x: a~"),
        ("x: \u{1}", Refusal::FieldValue, "x: \t1"),
    ] {
        refused_fields(fields, refusal, neighbour);
    }
    refused("GET / HTTP/1.1\n Host: a\n\n", Refusal::Fold, "GET / HTTP/1.1\nHost: a\n\n");
}

#[test]
fn line_ends_other_than_crlf_and_nul_never_reach_the_tokeniser() {
    for (raw, refusal) in [
        (&b"GET / HTTP/1.1\nHost: a\n\n"[..], Refusal::BareLf),
        (b"GET / HTTP/1.1\r\nHost: a\nContent-Length: 1\r\n\r\n", Refusal::BareLf),
        (b"GET / HTTP/1.1\r\nHost: a\r\nx: y\rz\r\n\r\n", Refusal::BareCr),
        (b"GET / HTTP/1.1\r\nHost: a\r\nx: y\r\r\n\r\n", Refusal::BareCr),
        (b"GET / HTTP/1.1\r\nHost: a\r\nx: \0\r\n\r\n", Refusal::Nul),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Nul),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", Refusal::BareLf),
        (b"\x16\x03\x01\x00\xa5\x01\x00", Refusal::Nul),
    ] {
        assert_eq!(read_raw(raw).map(|head| summary(&head)), Err(refusal), "{}", raw.escape_ascii());
    }
}

#[test]
fn heads_may_reach_their_limits_and_not_pass_them() {
    let fields = |count: usize| format!("Host: a\n{}\n", "x: y\n".repeat(count - 1));
    let whole = |fields: &str| format!("GET / HTTP/1.1\n{fields}");
    refused(&whole(&fields(101)), Refusal::TooManyFields, &whole(&fields(100)));
    let line = |length: usize| format!("GET /{} HTTP/1.1\nHost: a\n\n", "x".repeat(length - 14));
    refused(&line(8193), Refusal::LineTooLong, &line(8192));
    let nominations = |count: usize| whole(&format!("Host: a\nConnection: {}\n\n", "x,".repeat(count)));
    refused(&nominations(33), Refusal::TooManyFields, &nominations(32));
    assert_eq!(
        [Refusal::LineTooLong, Refusal::TooManyFields, Refusal::Coding].map(Refusal::status),
        [414, 431, 501]
    );
}

#[test]
fn twins_of_names_that_rules_speak_of_are_dropped() {
    let head = read(
        "GET / HTTP/1.1\nHost: a\nContent_Length: 5\nX_Forwarded_For: b\nx_own: 1\nTransfer.Encoding: chunked\nx: y\n\n",
    );
    let names: Vec<_> = head.fields().iter().map(|field| field.name).collect();
    assert_eq!(names, [&b"Host"[..], b"x_own", b"x"]);
    assert_eq!(written(&head, &Edits::new(), Persist::Keep), "GET / HTTP/1.1\nHost: a\nx_own: 1\nx: y\n\n");
}

#[test]
fn fields_of_the_connection_stop_here() {
    let head = read(
        "GET /p HTTP/1.1\nA: 1\nB:2\nHost: H.\nConnection: close, X-Named, host, x-forwarded-for, content-length, via\n\
         Keep-Alive: 5\nx-named: 3\nProxy-Connection: x\nTE: trailers\nUpgrade: h2c\nHTTP2-Settings: x\n\
         X-Forwarded-For: 1.1.1.1\nVia: 1.1 x\nX-Nearside-Ref: forged\nX-Nearside-New: forged\nTrailer: x\n\
         Proxy-Authorization: x\nExpect: 100-continue\nC:  4 \n\n",
    );
    assert_eq!(
        written(&head, &Edits::new(), Persist::Keep),
        "GET /p HTTP/1.1\nhost: h\nA: 1\nB:2\nX-Forwarded-For: 1.1.1.1\nVia: 1.1 x\nC:  4 \n\
         te: trailers\nconnection: te\n\n"
    );
    let edits = Edits::new();
    let forwarded: Vec<_> =
        head.forwarded(&edits).map(|(name, value)| [name, b"=", value].concat()).collect();
    assert_eq!(forwarded.join(&b' '), b"A=1 B=2 X-Forwarded-For=1.1.1.1 Via=1.1 x Trailer=x C=4 te=trailers");
}

#[test]
fn edits_replace_remove_and_append() {
    let head = read(
        "POST /a/b HTTP/1.1\nHost: h\nX-Forwarded-For: 9.9.9.9\nVia: 1.0 x\nX_Tenant: evil\nx-tenant: evil\nx-debug: 1\nCookie: c\nContent-Length: 3\n\n",
    );
    let mut edits = Edits::new();
    edits.set(Known::XForwardedFor, b"1.1.1.1");
    edits.append(Known::Via, b"1.1 us");
    edits.set_name("x-tenant", b"ours").unwrap();
    edits.remove_name("X-Debug");
    edits.remove(Known::Cookie);
    edits.set(Known::Host, b"internal:81");
    edits.target(b"/b").unwrap();
    assert_eq!(
        written(&head, &edits, Persist::Close),
        "POST /b HTTP/1.1\nhost: internal:81\nVia: 1.0 x\ncontent-length: 3\nconnection: close\n\
         x-forwarded-for: 1.1.1.1\nvia: 1.1 us\nx-tenant: ours\n\n"
    );
}

#[test]
fn the_host_that_was_judged_is_written_once_whatever_is_edited() {
    let host = |text: &str, edit: &dyn Fn(&mut Edits)| {
        let mut edits = Edits::new();
        edit(&mut edits);
        written(&read(text), &edits, Persist::Keep)
    };
    let usual = "GET /a HTTP/1.1\nX: 1\nHost: a:80\nY: 2\n\n";
    assert_eq!(host(usual, &|_| {}), usual);
    let anew = "GET /a HTTP/1.1\nhost: a:80\nX: 1\nY: 2\n\n";
    assert_eq!(host(usual, &|edits| edits.remove(Known::Host)), anew);
    for (text, first) in [("Host: A:80", "host: a:80"), ("Host: a.:80", "host: a:80"), ("HOST:a", "HOST:a")] {
        let text = format!("GET /a HTTP/1.1\n{text}\n\n");
        assert_eq!(host(&text, &|_| {}), format!("GET /a HTTP/1.1\n{first}\n\n"));
    }
    let absolute = "GET http://a/b HTTP/1.1\nHost: a\n\n";
    assert_eq!(host(absolute, &|_| {}), "GET /b HTTP/1.1\nhost: a\n\n");
    assert_eq!(host("GET /a HTTP/1.0\nHost: a\n\n", &|_| {}), "GET /a HTTP/1.1\nhost: a\n\n");
    let new_target = host(usual, &|edits| edits.target(b"/b").unwrap());
    assert_eq!(new_target, "GET /b HTTP/1.1\nhost: a:80\nX: 1\nY: 2\n\n");
    let new_host = host(usual, &|edits| edits.set(Known::Host, b"b"));
    assert_eq!(new_host, "GET /a HTTP/1.1\nhost: b\nX: 1\nY: 2\n\n");
}

#[test]
fn the_framing_written_is_the_one_asked_for() {
    let get = read("GET / HTTP/1.1\nHost: a\nTrailer: x\n\n");
    let post = read("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTrailer: x\n\n");
    let framed = |head: &RequestHead, body| {
        let mut out = Vec::new();
        head.write(&Edits::new(), body, Persist::Keep, &mut out);
        String::from_utf8(out).unwrap().replace("\r\n", "\n").split_once("Host: a\n").unwrap().1.to_owned()
    };
    assert_eq!(framed(&get, Body::None), "\n");
    assert_eq!(framed(&post, Body::Chunked), "Trailer: x\ntransfer-encoding: chunked\n\n");
    assert_eq!(framed(&post, Body::Length(7)), "content-length: 7\n\n");
    assert_eq!(framed(&post, Body::None), "content-length: 0\n\n");
    let socket =
        read("GET / HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: websocket\nSec-WebSocket-Key: k\n\n");
    assert_eq!(
        written(&socket, &Edits::new(), Persist::Upgrade),
        "GET / HTTP/1.1\nHost: a\nSec-WebSocket-Key: k\nconnection: upgrade\nupgrade: websocket\n\n"
    );
}

/// The pseudo-headers of a request, and whether its stream ends with its head.
#[derive(Clone, Copy, Debug)]
struct Line {
    method: &'static str,
    scheme: Option<&'static str>,
    authority: Option<&'static str>,
    path: Option<&'static str>,
    protocol: Option<&'static str>,
    end: bool,
}

fn read_parts(head: &mut RequestHead, line: &Line, fields: &[(&str, &str)]) -> Result<(), Refusal> {
    let mut parts = Parts::begin(head, &Limits::default());
    // In this order, which no rule asks for.
    let pseudo = [(":path", line.path), (":authority", line.authority), (":scheme", line.scheme)];
    let last = [(":protocol", line.protocol), (":method", Some(line.method))];
    let pseudo = pseudo.into_iter().chain(last).filter_map(|(name, value)| Some((name, value?)));
    for (name, value) in pseudo.chain(fields.iter().copied()) {
        parts.take(name.as_bytes(), value.as_bytes())?;
    }
    parts.end(line.end)
}

fn from_parts(line: &Line, fields: &[(&str, &str)]) -> Result<RequestHead, Refusal> {
    let mut head = RequestHead::new();
    read_parts(&mut head, line, fields).map(|()| head)
}

const GET: Line = Line {
    method: "GET",
    scheme: Some("https"),
    authority: Some("A.b"),
    path: Some("/p?q"),
    protocol: None,
    end: true,
};

#[test]
fn parts_become_the_same_head() {
    let head = from_parts(
        &GET,
        &[
            ("cookie", "a=1"),
            ("x", "y"),
            ("cookie", "b=2"),
            ("te", "trailers"),
            ("x_forwarded_for", "evil"),
            ("host", "a.b"),
        ],
    );
    let head = head.unwrap();
    assert_eq!((summary(&head).as_str(), head.version()), ("GET a.b /p ?q None trailers", Version::Http2));
    assert_eq!(
        written(&head, &Edits::new(), Persist::Keep),
        "GET /p?q HTTP/1.1\nhost: a.b\nx: y\ncookie: a=1; b=2\nte: trailers\nconnection: te\n\n"
    );
    let open = Line { method: "POST", end: false, ..GET };
    assert_eq!(from_parts(&open, &[]).unwrap().body(), Body::Chunked);
    assert_eq!(from_parts(&open, &[("content-length", "5")]).unwrap().body(), Body::Length(5));
    assert_eq!(from_parts(&Line { authority: None, ..GET }, &[("host", "c")]).unwrap().host(), "c");
    let asterisk = Line { method: "OPTIONS", path: Some("*"), ..GET };
    assert_eq!(from_parts(&asterisk, &[]).unwrap().path(), "*");
}

#[test]
fn an_extended_connect_to_a_web_socket_is_the_get_that_asks_for_one() {
    let connect = Line { method: "CONNECT", protocol: Some("websocket"), end: false, ..GET };
    let head = from_parts(&connect, &[("sec-websocket-version", "13")]).unwrap();
    assert_eq!(summary(&head), "GET a.b /p ?q None websocket");
    assert_eq!(
        written(&head, &Edits::new(), Persist::Upgrade),
        "GET /p?q HTTP/1.1\nhost: a.b\nsec-websocket-version: 13\nconnection: upgrade\nupgrade: websocket\n\n"
    );
    let length = from_parts(&connect, &[("content-length", "5")]).map(|head| summary(&head));
    assert_eq!(length, Err(Refusal::ContentLength));
    let other = from_parts(&Line { protocol: Some("connect-udp"), ..connect }, &[]).unwrap();
    assert_eq!((other.method(), other.upgrade()), (crate::Method::Connect, Upgrade::None));
    let anywhere = Line { protocol: None, scheme: None, path: None, ..connect };
    assert_eq!(from_parts(&anywhere, &[]).unwrap().method(), crate::Method::Connect);
}

#[test]
fn parts_are_refused_by_the_rules_of_http_2() {
    for (fields, refusal) in [
        (&[("connection", "x")][..], Refusal::ConnectionField),
        (&[("keep-alive", "x")], Refusal::ConnectionField),
        (&[("proxy-connection", "x")], Refusal::ConnectionField),
        (&[("upgrade", "websocket")], Refusal::ConnectionField),
        (&[("transfer-encoding", "chunked")], Refusal::ConnectionField),
        (&[("te", "gzip")], Refusal::ConnectionField),
        (&[("X-Upper", "x")], Refusal::FieldName),
        (&[(":path", "/x")], Refusal::FieldName),
        (&[(":status", "200")], Refusal::FieldName),
        (&[("x", "y"), (":unknown", "x")], Refusal::FieldName),
        (&[("Host", "a.b")], Refusal::FieldName),
        (&[("x\u{e4}", "y")], Refusal::FieldName),
        (&[("", "x")], Refusal::FieldName),
        (&[("x y", "x")], Refusal::FieldName),
        (&[("x", "a\r\nb: c")], Refusal::FieldValue),
        (&[("x", "a\0")], Refusal::FieldValue),
        (&[("x", " a")], Refusal::FieldValue),
        (&[("host", "other")], Refusal::HostDisagrees),
        (&[("host", "a.b"), ("host", "a.b")], Refusal::HostTwice),
        (&[("content-length", "5")], Refusal::ContentLength),
        (&[("content-length", "+0")], Refusal::ContentLength),
        (&[("content-length", "0"), ("content-length", "0")], Refusal::ContentLengthTwice),
        (&[("expect", "x")], Refusal::Expectation),
        (&[("x", "y"); 101], Refusal::TooManyFields),
    ] {
        assert_eq!(from_parts(&GET, fields).map(|head| summary(&head)), Err(refusal), "{fields:?}");
    }
    for (parts, refusal) in [
        (Line { method: "G T", ..GET }, Refusal::Method),
        (Line { path: Some(""), ..GET }, Refusal::Target),
        (Line { path: Some("http://a.b/"), ..GET }, Refusal::Target),
        (Line { path: Some("/a b"), ..GET }, Refusal::Target),
        (Line { path: Some("/ HTTP/1.1\r\nx: y"), ..GET }, Refusal::Target),
        (Line { path: Some("*"), ..GET }, Refusal::Target),
        (Line { scheme: None, ..GET }, Refusal::Target),
        (Line { scheme: Some("ftp"), ..GET }, Refusal::Target),
        (Line { authority: Some("u@a"), ..GET }, Refusal::Host),
        (Line { authority: None, ..GET }, Refusal::HostMissing),
        (Line { path: None, ..GET }, Refusal::Target),
        (Line { authority: Some(""), ..GET }, Refusal::Target),
        (Line { authority: Some("a/b"), ..GET }, Refusal::Target),
        (Line { authority: Some("a\r\nb: c"), ..GET }, Refusal::Target),
        (Line { protocol: Some("websocket"), ..GET }, Refusal::FieldName),
        (Line { method: "CONNECT", ..GET }, Refusal::Target),
        (Line { method: "CONNECT", path: None, ..GET }, Refusal::Target),
        (Line { method: "CONNECT", protocol: Some("websocket"), path: None, ..GET }, Refusal::Target),
        (Line { method: "CONNECT", authority: None, scheme: None, path: None, ..GET }, Refusal::HostMissing),
    ] {
        assert_eq!(from_parts(&parts, &[]).map(|head| summary(&head)), Err(refusal), "{parts:?}");
    }
}

#[test]
fn a_head_that_is_used_again_forgets_the_request_before() {
    let mut head = RequestHead::new();
    let first = crlf(
        "POST http://a/p?q HTTP/1.1\nHost: a\nTE: trailers\nExpect: 100-continue\nContent-Length: 4\n\n",
    );
    parse(&first, &Limits::default(), &mut head).unwrap();
    parse(&crlf("GET / HTTP/1.0\n\n"), &Limits::default(), &mut head).unwrap();
    assert_eq!((summary(&head).as_str(), head.fields().len(), head.scheme()), ("GET  / None close", 0, None));
    for crumb in ["a=1", "b=2"] {
        read_parts(&mut head, &GET, &[("cookie", crumb)]).unwrap();
        assert_eq!(head.fields().get(Known::Cookie), Some(crumb.as_bytes()));
    }
}

/// Lawful fields that rules are about, with few that are not lawful together.
fn lines() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    prop::collection::vec(
        prop::sample::select(vec![
            ("Connection", "close"),
            ("Connection", "x-own, cookie, te, via, host, content-length"),
            ("Connection", "upgrade"),
            ("Upgrade", "websocket"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("content_length", "6"),
            ("Transfer_Encoding", "x"),
            ("x-own", ""),
            ("x_own", " a\tb "),
            ("X-Forwarded-For", "1.1.1.1"),
            ("TE", "trailers"),
            ("Via", "1.1 x"),
            ("Cookie", "a=b"),
            ("Keep-Alive", "timeout=5"),
            ("X-Nearside-Ref", "forged"),
            ("Trailer", "x-own"),
            ("Expect", "100-continue"),
            ("Host", "second"),
        ]),
        0..7,
    )
}

proptest! {
    #[test]
    fn what_is_written_parses_again_to_the_same_request(lines in lines(), method in "GET|POST|PUT|X", path in "/[a-z?%2/]{0,9}") {
        let fields: String = lines.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let raw = crlf(&format!("{method} {path} HTTP/1.1\nHost: H.example:81\n{fields}\n"));
        let mut head = RequestHead::new();
        if parse(&raw, &Limits::default(), &mut head).is_ok() {
            let mut edits = Edits::new();
            edits.set(Known::XNearsideRef, b"ours");
            let mut out = Vec::new();
            head.write(&edits, head.body(), Persist::Keep, &mut out);
            let again = read_raw(&out).expect("what we write is lawful");
            let same = |head: &RequestHead| (head.method_text().to_owned(), head.authority().clone(), head.target().to_owned());
            assert_eq!(same(&again), same(&head));
            match (head.body(), again.body()) {
                (Body::None, Body::Length(0)) => assert!(matches!(method.as_str(), "POST" | "PUT")),
                (before, after) => assert_eq!(before, after),
            }
            let count = |known| again.fields().all(known).count();
            assert_eq!(count(Known::Host), 1);
            assert!(count(Known::ContentLength) + count(Known::TransferEncoding) <= 1);
            assert_eq!(again.fields().all(Known::XNearsideRef).collect::<Vec<_>>(), [b"ours"]);
            for gone in [Known::Upgrade, Known::KeepAlive] {
                assert_eq!(count(gone), 0);
            }
        }
    }

    #[test]
    fn no_bytes_panic_and_what_is_taken_holds_no_line_end(noise in prop::collection::vec(any::<u8>(), 0..40), at in 0_usize..70) {
        let mut raw = crlf("POST /path?query HTTP/1.1\nHost: a.example\nContent-Length: 5\nx-own: 1\n\n");
        let at = at.min(raw.len());
        raw.splice(at..(at + noise.len() / 2).min(raw.len()), noise);
        let mut head = RequestHead::new();
        if let Ok(Progress::Complete { head_len }) = parse(&raw, &Limits::default(), &mut head) {
            assert!(head_len <= raw.len() && head.path().starts_with('/'));
            for field in head.fields().iter() {
                assert!(!field.value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0 | 0x7f)));
                assert_eq!(&head.fields().buffer()[field.value_range()], field.value);
            }
        }
    }
}

#[test]
fn a_head_reads_the_same_whole_and_in_pieces_whatever_byte_stands_where() {
    let usual = crlf("GET /a?b HTTP/1.1\nHost: a\nX-Own_1:  v w \nVia:\nConnection: te\n\n");
    for at in 0..usual.len() {
        for byte in *b"\0\t\n\r :;/?#_-aA1\x7f\x80" {
            let mut head = usual.clone();
            head[at] = byte;
            drop(read_head(&head));
        }
    }
}
