//! Answers: what is read, what is refused beside what is not, and what of it is written.

use super::{Parts, ResponseHead, parse, parse_with};
use crate::hpack::{Decoder, Encoder};
use crate::{Body, Edits, Gate, Known, Limits, Method, Persist, Progress, Refusal, Upgrade};
use std::time::Duration;

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// Reads an answer whole and byte by byte; both must come to the same.
fn read_head(raw: &[u8], method: Method) -> Result<(Progress, ResponseHead), Refusal> {
    let limits = Limits::default();
    let (mut whole, mut slow) = (ResponseHead::new(), ResponseHead::new());
    let outcome = parse(raw, &limits, method, &mut whole);
    let mut gate = Gate::default();
    let bytewise = (1..=raw.len())
        .map(|end| parse_with(&mut gate, &raw[..end], &limits, method, &mut slow))
        .find(|outcome| *outcome != Ok(Progress::Partial));
    assert_eq!(bytewise.unwrap_or(Ok(Progress::Partial)), outcome, "{}", raw.escape_ascii());
    if matches!(outcome, Ok(Progress::Complete { .. })) {
        let again = |head: &ResponseHead| written(head, &Edits::new(), head.body(), Persist::Keep);
        assert_eq!(again(&whole), again(&slow), "{}", raw.escape_ascii());
    }
    outcome.map(|progress| (progress, whole))
}

/// As [`read_head`], of a head and nothing behind it.
fn read_raw(raw: &[u8], method: Method) -> Result<ResponseHead, Refusal> {
    read_head(raw, method).map(|(progress, whole)| {
        assert_eq!(progress, Progress::Complete { head_len: raw.len() });
        whole
    })
}

fn check(method: Method, text: &str, expected: &str) {
    let head = read_raw(&crlf(text), method).unwrap_or_else(|refusal| panic!("{text:?}: {refusal}"));
    let keep = if head.keep_alive() { "keep" } else { "close" };
    assert_eq!(format!("{} {} {:?} {keep}", head.status(), head.reason(), head.body()), expected, "{text:?}");
}

fn refused(text: &str, refusal: Refusal, neighbour: &str) {
    assert_eq!(read_raw(&crlf(text), Method::Get).map(|head| head.status()), Err(refusal), "{text:?}");
    read_raw(&crlf(neighbour), Method::Get).unwrap_or_else(|refusal| panic!("{neighbour:?}: {refusal}"));
}

fn written(head: &ResponseHead, edits: &Edits, body: Body, persist: Persist) -> String {
    let mut out = Vec::new();
    head.write(edits, body, persist, &mut out);
    String::from_utf8_lossy(&out).replace("\r\n", "\n")
}

#[test]
fn the_body_is_framed_by_method_status_and_fields() {
    check(Method::Get, "HTTP/1.1 200 OK\nContent-Length: 5\n\n", "200 OK Length(5) keep");
    check(Method::Get, "HTTP/1.1 200 Fine\nTransfer-Encoding: chunked\n\n", "200 Fine Chunked keep");
    check(Method::Get, "HTTP/1.1 200\n\n", "200 OK UntilClose close");
    check(Method::Get, "HTTP/1.0 200 OK\nContent-Length: 5\n\n", "200 OK Length(5) close");
    check(
        Method::Get,
        "HTTP/1.0 200 OK\nContent-Length: 5\nConnection: Keep-Alive\n\n",
        "200 OK Length(5) keep",
    );
    check(Method::Get, "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: close\n\n", "200 OK Length(5) close");
    check(Method::Head, "HTTP/1.1 200 OK\nContent-Length: 5\n\n", "200 OK None keep");
    check(Method::Head, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", "200 OK None keep");
    check(Method::Get, "HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n", "304 Not Modified None keep");
    check(Method::Get, "HTTP/1.1 204 No Content\nContent-Length: 0\n\n", "204 No Content None keep");
    check(Method::Get, "HTTP/1.1 103 Early Hints\nLink: x\n\n", "103 Early Hints None keep");
}

#[test]
fn an_answer_without_body_that_announces_one_ends_the_connection() {
    check(Method::Get, "HTTP/1.1 204 No Content\nContent-Length: 3\n\n", "204 No Content None close");
    check(
        Method::Get,
        "HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n\n",
        "204 No Content None close",
    );
    check(Method::Get, "HTTP/1.1 100 Continue\nContent-Length: 3\n\n", "100 Continue None close");
}

#[test]
fn a_backend_is_read_to_the_letter() {
    let whole = |fields: &str| format!("HTTP/1.1 200 OK\n{fields}\n\n");
    for (fields, refusal, neighbour) in [
        ("Content-Length: 5\nContent-Length: 5", Refusal::ContentLengthTwice, "Content-Length: 5"),
        ("Content-Length: +5", Refusal::ContentLength, "Content-Length: 5"),
        ("Content-Length: -5", Refusal::ContentLength, "Content-Length: 5"),
        (
            "Content-Length: 99999999999999999999",
            Refusal::ContentLength,
            "Content-Length: 999999999999999999",
        ),
        ("Content-Length: 5\nTransfer-Encoding: chunked", Refusal::TwoFramings, "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: gzip", Refusal::Coding, "Content-Encoding: gzip"),
        (
            "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
            Refusal::TransferEncoding,
            "Transfer-Encoding: chunked",
        ),
        ("x : y", Refusal::SpaceBeforeColon, "x: y"),
        ("x: y\n z", Refusal::Fold, "x: y z"),
        ("x: \u{1}", Refusal::FieldValue, "x: y"),
        ("x\ny: z", Refusal::FieldName, "x:\ny: z"),
    ] {
        refused(&whole(fields), refusal, &whole(neighbour));
    }
    let old = "HTTP/1.0 200 OK\n";
    refused(&format!("{old}Transfer-Encoding: chunked\n\n"), Refusal::TransferEncoding, &format!("{old}\n"));
    for (line, refusal) in [
        ("HTTP/2.0 200 OK", Refusal::Version),
        ("ICY 200 OK", Refusal::Version),
        ("HTTP/1.1 099 Low", Refusal::Status),
        ("HTTP/1.1 600 High", Refusal::Status),
        ("HTTP/1.1 20 OK", Refusal::Status),
        ("HTTP/1.1 +20 OK", Refusal::Status),
        ("HTTP/1.1  200 OK", Refusal::Status),
        ("\nHTTP/1.1 200 OK", Refusal::FirstLine),
    ] {
        refused(&format!("{line}\n\n"), refusal, "HTTP/1.1 599 High\n\n");
    }
    assert_eq!(read_raw(b"HTTP/1.1 200 OK\n\n", Method::Get).map(|head| head.status()), Err(Refusal::BareLf));
    assert_eq!(
        read_raw(b"HTTP/1.1 200 OK\r\nx: \0\r\n\r\n", Method::Get).map(|head| head.status()),
        Err(Refusal::Nul)
    );
}

#[test]
fn what_a_backend_says_of_its_connection_is_read() {
    let timeout = |fields: &str| {
        read_raw(&crlf(&format!("HTTP/1.1 204 x\n{fields}\n\n")), Method::Get).unwrap().keep_alive_timeout()
    };
    assert_eq!(timeout("Keep-Alive: max=9, Timeout=5"), Some(Duration::from_secs(5)));
    assert_eq!(timeout("Keep-Alive: timeout=+5"), None);
    assert_eq!(timeout("x: y"), None);
    let switch =
        |fields: &str| read_raw(&crlf(&format!("HTTP/1.1 101 x\n{fields}\n\n")), Method::Get).unwrap();
    assert_eq!(switch("Connection: upgrade\nUpgrade: WebSocket").upgrade(), Upgrade::WebSocket);
    assert_eq!(switch("Connection: upgrade\nUpgrade: h2c").upgrade(), Upgrade::Other);
    assert_eq!(switch("Connection: upgrade\nUpgrade: websocket, h2c").upgrade(), Upgrade::Other);
    assert_eq!(
        switch("Connection: upgrade\nUpgrade: websocket\nUpgrade: websocket").upgrade(),
        Upgrade::Other
    );
    assert_eq!(switch("Upgrade: websocket").upgrade(), Upgrade::None);
    assert!(!switch("x: y").is_interim());
}

#[test]
fn an_answer_is_written_with_the_framing_of_the_clients_side() {
    let head = read_raw(
        &crlf("HTTP/1.1 200 Fine\nDate: now\nConnection: x-named\nx-named: 1\nKeep-Alive: timeout=5\nServer: s\nX-Nearside-Explain: forged\nTrailer: t\n\n"),
        Method::Get,
    )
    .unwrap();
    let mut edits = Edits::new();
    edits.set(Known::XNearsideRef, b"r");
    edits.set(Known::Server, b"ours");
    assert_eq!(
        written(&head, &edits, Body::Chunked, Persist::Keep),
        "HTTP/1.1 200 Fine\nDate: now\nTrailer: t\ntransfer-encoding: chunked\nx-nearside-ref: r\nserver: ours\n\n"
    );
    assert_eq!(
        written(&head, &Edits::new(), Body::UntilClose, Persist::Keep),
        "HTTP/1.1 200 Fine\nDate: now\nServer: s\nconnection: close\n\n"
    );
    assert_eq!(
        written(&head, &Edits::new(), Body::Length(3), Persist::KeepAlive),
        "HTTP/1.1 200 Fine\nDate: now\nServer: s\ncontent-length: 3\nconnection: keep-alive\n\n"
    );
    let (mut block, mut packed) = (Vec::new(), Vec::new());
    head.pack(&edits, (207, Some(12)), &mut Encoder::default(), &mut block);
    let read = |name: &[u8], value: &[u8]| packed.push([name, b"=", value].concat());
    Decoder::default().decode(&block, read).unwrap();
    let expected = b":status=207 date=now trailer=t x-nearside-ref=r server=ours content-length=12";
    assert_eq!(packed.join(&b' '), expected);
}

#[test]
fn a_length_that_is_said_as_we_would_say_it_goes_on_as_it_came() {
    let length = |said: &str, length, edits: &Edits| {
        let head = read_raw(&crlf(&format!("HTTP/1.1 200 OK\n{said}\n\n")), Method::Get).unwrap();
        let written = written(&head, edits, Body::Length(length), Persist::Keep);
        written.strip_prefix("HTTP/1.1 200 OK\n").unwrap().trim_end().to_owned()
    };
    let none = Edits::new();
    assert_eq!(length("A: b\nContent-Length: 50\nC: d", 50, &none), "A: b\nContent-Length: 50\nC: d");
    assert_eq!(length("Content-Length: 0", 0, &none), "Content-Length: 0");
    assert_eq!(length("Content-Length: 050", 50, &none), "content-length: 50");
    assert_eq!(length("Content-Length: 00", 0, &none), "content-length: 0");
    assert_eq!(length("Content-Length: 50", 49, &none), "content-length: 49");
    let mut removed = Edits::new();
    removed.remove(Known::ContentLength);
    assert_eq!(length("Content-Length: 50", 50, &removed), "content-length: 50");
}

#[test]
fn only_answers_that_may_tell_a_length_without_a_body_do() {
    let line = |method, text: &str| {
        let head = read_raw(&crlf(text), method).unwrap();
        written(&head, &Edits::new(), Body::Length(9), Persist::Keep)
            .lines()
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    };
    let head = read_raw(&crlf("HTTP/1.1 200 OK\nContent-Length: 5\n\n"), Method::Head).unwrap();
    assert!(written(&head, &Edits::new(), head.body(), Persist::Keep).contains("content-length: 5\n"));
    assert_eq!(line(Method::Get, "HTTP/1.1 304 x\nContent-Length: 5\n\n"), "content-length: 5");
    assert_eq!(line(Method::Get, "HTTP/1.1 204 x\nContent-Length: 0\n\n"), "");
    assert_eq!(line(Method::Head, "HTTP/1.1 204 x\nContent-Length: 5\n\n"), "");
    assert_eq!(line(Method::Get, "HTTP/1.1 100 x\n\n"), "");
}

#[test]
fn parts_become_the_same_head() {
    let read = |status, end, fields: &[(&str, &str)]| {
        let mut head = ResponseHead::new();
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        head.read_parts(Parts { status, method: Method::Get, end }, fields, &Limits::default()).map(|()| head)
    };
    let head = read(200, false, &[("x", "y"), ("content-length", "5")]).unwrap();
    assert_eq!(
        written(&head, &Edits::new(), head.body(), Persist::Keep),
        "HTTP/1.1 200 OK\nx: y\ncontent-length: 5\n\n"
    );
    assert_eq!(read(200, false, &[]).unwrap().body(), Body::Chunked);
    assert_eq!(read(200, true, &[]).unwrap().body(), Body::Length(0));
    assert_eq!(read(304, true, &[("content-length", "5")]).unwrap().announced_length(), Some(5));
    for (status, fields, refusal) in [
        (200, ("connection", "close"), Refusal::ConnectionField),
        (200, ("X-Upper", "x"), Refusal::FieldName),
        (200, ("x", "a\nb"), Refusal::FieldValue),
        (200, ("content-length", "5"), Refusal::ContentLength),
        (101, ("x", "y"), Refusal::Status),
        (999, ("x", "y"), Refusal::Status),
    ] {
        assert_eq!(read(status, true, &[fields]).map(|head| head.status()), Err(refusal), "{fields:?}");
    }
}

#[test]
fn an_answer_of_our_own_starts_empty() {
    let mut head = ResponseHead::new();
    head.begin(421, Method::Get);
    let mut edits = Edits::new();
    edits.set(Known::ContentType, b"text/plain");
    assert_eq!(
        written(&head, &edits, Body::Length(2), Persist::Close),
        "HTTP/1.1 421 Misdirected Request\ncontent-length: 2\nconnection: close\ncontent-type: text/plain\n\n"
    );
}

#[test]
fn an_answer_reads_the_same_whole_and_in_pieces_whatever_byte_stands_where() {
    let usual = crlf("HTTP/1.1 200 OK\nServer: a\nX-Own_1:  v w \nVia:\nConnection: keep-alive\n\n");
    for at in 0..usual.len() {
        for byte in *b"\0\t\n\r :;/?#_-aA1\x7f\x80" {
            let mut head = usual.clone();
            head[at] = byte;
            drop(read_head(&head, Method::Get));
        }
    }
}
