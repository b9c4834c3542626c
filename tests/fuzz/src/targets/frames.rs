//! Frames of HTTP/2 behind a preface: the connection ends, what is answered is frames, and what reached the backend is whole
//! requests, each with one framing and one host.

use crate::edge::site;
use nearside_tests::wire::Fault;

pub(super) const WORDS: &[&[u8]] = &[
    // SETTINGS, its ACK, PING, WINDOW_UPDATE, GOAWAY, RST_STREAM, PRIORITY, DATA that ends stream 1.
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x00\x00\x00\x04\x01\x00\x00\x00\x00",
    b"\x00\x00\x08\x06\x00\x00\x00\x00\x00xxxxxxxx",
    b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\xff\xff",
    b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08",
    b"\x00\x00\x05\x02\x00\x00\x00\x00\x01\x00\x00\x00\x00\x10",
    b"\x00\x00\x01\x00\x01\x00\x00\x00\x01x",
    // HEADERS of stream 3 and 5: a GET to the backend, a POST that goes on.
    b"\x00\x00\x14\x01\x05\x00\x00\x00\x03\x82\x86\x84\x01\x0fwww.example.com",
    b"\x00\x00\x14\x01\x04\x00\x00\x00\x05\x83\x86\x84\x01\x0fwww.example.com",
    // A CONTINUATION, fields: content-length 1, te, connection, a cookie crumb, a name in capitals, an LF.
    b"\x00\x00\x00\x09\x04\x00\x00\x00\x03",
    b"\x0f\x0d\x011",
    b"\x00\x02te\x08trailers",
    b"\x00\x0aconnection\x05close",
    b"\x0f\x11\x03a=b",
    b"\x00\x01X\x01y",
    b"\x00\x01x\x03y\nz",
    b"\x00\x11transfer-encoding\x07chunked",
];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) fn attack(bytes: &[u8]) {
    let site = site();
    let (answer, port) = site.frames(&[PREFACE, bytes].concat());
    let mut rest = answer.as_slice();
    while let [a, b, c, _, _, _, _, _, _, tail @ ..] = rest {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        rest = tail.get(length..).unwrap_or_else(|| panic!("a frame is cut: {}", answer.escape_ascii()));
    }
    assert!(rest.is_empty(), "a frame is cut: {}", answer.escape_ascii());
    for heard in site.backend.all(port) {
        match heard.requests() {
            // What the client cut, the backend sees cut.
            Ok(_) | Err(Fault::Partial) => {}
            Err(fault) => panic!("{fault:?} reached the backend: {}", heard.bytes.escape_ascii()),
        }
    }
}
