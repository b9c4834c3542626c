//! The pin of a session in a cookie: believed if and only if the fleet has sealed it. The input is the cookie's value.

use crate::edge::{send, site};
use nearside_tests::wire::{Kind, Message};
use std::fs;

/// Bytes of a message that a pin holds.
const BYTES: usize = 42;

pub(super) const WORDS: &[&[u8]] = &[b"AAAA", b"=", b"-", b"_", b";", b"pin=", b"\"", b" ", b",", b"%"];

pub(super) fn attack(bytes: &[u8]) {
    let site = site();
    let seal = site.seal();
    if let Some(message) = seal.open::<BYTES>(bytes) {
        assert_eq!(seal.close(&message).as_bytes(), bytes, "two texts for one message");
        let known =
            fs::read_dir(crate::smoke::folder(crate::find("pin").unwrap())).into_iter().flatten().flatten();
        let ours = known.filter_map(|entry| fs::read(entry.path()).ok()).any(|text| text == bytes);
        assert!(ours, "forged");
    }
    let request = [
        b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\ncookie: pin=",
        bytes,
        b"\r\n\r\n",
    ];
    let (answer, port) = send(site.introduced(), &request.concat());
    let read = Message::read_all(&answer, Kind::Answer("GET"), true);
    let answers = read.unwrap_or_else(|fault| panic!("{fault:?}: {}", answer.escape_ascii()));
    assert!(!answers.is_empty(), "no answer");
    for heard in site.backend.all(port) {
        for request in
            heard.requests().unwrap_or_else(|fault| panic!("{fault:?}: {}", heard.bytes.escape_ascii()))
        {
            let cookies = request.all("cookie").join("; ");
            assert!(
                !cookies.split("; ").any(|cookie| cookie.starts_with("pin=")),
                "the pin reached the backend"
            );
        }
    }
}
