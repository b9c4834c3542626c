//! Heads of HTTP/1 requests: what passes the gate is forwarded as the same request, with one framing and one host, and a
//! parser that has nothing in common with ours reads it so.

use nearside_http::request::{parse, parse_with};
use nearside_http::{Body, Edits, Gate, Known, Limits, Method, Persist, Progress, RequestHead};
use nearside_tests::wire::{Kind, Message};

pub(super) const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r\nhost: b",
    b"\r\ncontent-length: 3",
    b"\r\ncontent-length: +3",
    b"\r\ntransfer-encoding: chunked",
    b"\r\nTransfer-Encoding:\tchunked",
    b"\r\ntransfer-encoding: gzip, chunked",
    b"\r\nconnection: close, te",
    b"\r\nconnection: host, content-length",
    b"\r\ncontent_length: 3",
    b"\r\nexpect: 100-continue",
    b"\r\nupgrade: websocket",
    b"\r\n x: folded",
    b" HTTP/1.0",
    b"http://a/",
    b"user@",
    b"HEAD",
    b"OPTIONS *",
    b"CONNECT a:1",
];

/// The longest body that is made up for a head.
const BODY: u64 = 4_096;

pub(super) fn attack(bytes: &[u8]) {
    let mut head = RequestHead::new();
    let whole = parse(bytes, &Limits::default(), &mut head);
    let mut slow = RequestHead::new();
    assert_eq!(by_bytes(bytes, &mut slow), whole, "another verdict when it comes byte by byte");
    if matches!(whole, Ok(Progress::Complete { .. })) {
        assert_eq!(written(&head), written(&slow), "another head when it comes byte by byte");
        forwarded(&head);
    }
}

fn written(head: &RequestHead) -> Vec<u8> {
    let mut wire = Vec::new();
    head.write(&Edits::new(), head.body(), Persist::Keep, &mut wire);
    wire
}

/// The verdict when a byte comes at a time, as far as the first few hundred go.
fn by_bytes(bytes: &[u8], head: &mut RequestHead) -> Result<Progress, nearside_http::Refusal> {
    let mut gate = Gate::default();
    let begin = bytes.len().saturating_sub(300);
    for end in begin..bytes.len() {
        match parse_with(&mut gate, &bytes[..end], &Limits::default(), head) {
            Ok(Progress::Partial) => {}
            verdict => return verdict,
        }
    }
    parse_with(&mut gate, bytes, &Limits::default(), head)
}

fn forwarded(head: &RequestHead) {
    // Refused or answered before anything is forwarded: CONNECT, a path with two readings, no host at all (HTTP/1.0).
    if head.method() == Method::Connect
        || !nearside_core::path::is_plain(head.path())
        || head.host().is_empty()
    {
        return;
    }
    let mut wire = written(head);
    let mut body = Vec::new();
    match head.body() {
        Body::Length(length @ ..=BODY) => {
            body.resize(usize::try_from(length).unwrap(), b'x');
            wire.extend_from_slice(&body);
        }
        Body::Chunked => {
            body.push(b'x');
            wire.extend_from_slice(b"1\r\nx\r\n0\r\n\r\n");
        }
        Body::None => {}
        _ => return,
    }
    let told = || wire.escape_ascii().to_string();
    let read =
        Message::read_all(&wire, Kind::Request, true).unwrap_or_else(|fault| panic!("{fault:?}: {}", told()));
    let [request] = read.as_slice() else { panic!("{} requests: {}", read.len(), told()) };
    assert_eq!(request.line, format!("{} {} HTTP/1.1", head.method_text(), head.target()), "{}", told());
    assert_eq!(request.get("host"), Some(head.authority().as_str()), "{}", told());
    assert_eq!(request.body, body, "{}", told());
    nothing_invented(head, request);
}

/// Every field is one that came, or one that the writer adds; none belongs to the client's connection.
fn nothing_invented(head: &RequestHead, request: &Message) {
    for (name, value) in &request.fields {
        let own = match name.as_str() {
            "host" => true,
            "content-length" => matches!(head.body(), Body::Length(_)) || value == "0",
            "transfer-encoding" => head.body() == Body::Chunked && value == "chunked",
            "te" => value == "trailers" && head.accepts_trailers(),
            "connection" => value == "te" && head.accepts_trailers(),
            "upgrade" | "keep-alive" | "proxy-connection" => panic!("{name} is the client's connection's"),
            _ => false,
        };
        let came = || {
            head.fields().iter().any(|field| {
                let text: String = field.value.iter().copied().map(char::from).collect();
                field.name.eq_ignore_ascii_case(name.as_bytes())
                    && text == *value
                    && !field.is_hop_by_hop
                    && field.known != Known::ContentLength
            })
        };
        assert!(own || came(), "{name}: {value} came from nowhere");
    }
}
