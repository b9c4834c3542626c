//! The PROXY protocol before a request: read to the letter, and the request behind it served, or the connection ended.
//! The input is what a trusted load balancer sends first.

use crate::edge::{send, site};
use nearside_tests::wire::{Kind, Message};

pub(super) const WORDS: &[&[u8]] = &[
    b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n",
    b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n",
    b"\x21\x11\x00\x0c",
    b"\x20\x00\x00\x00",
    b"\x21\x21\x00\x24",
    b"\xff\xff",
    b"65536",
    b"256.1.1.1",
    b"GET / HTTP/1.1\r\nhost: answer.example.com\r\n\r\n",
];

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: answer.example.com\r\nconnection: close\r\n\r\n";

pub(super) fn attack(bytes: &[u8]) {
    let (answer, _) = send(site().introduced(), &[bytes, REQUEST].concat());
    if answer.is_empty() {
        return;
    }
    let read = Message::read_all(&answer, Kind::Answer("GET"), true);
    let answers = read.unwrap_or_else(|fault| panic!("{fault:?}: {}", answer.escape_ascii()));
    let lawful = |answer: &Message| matches!(answer.status(), 200 | 400..=599);
    assert!(answers.iter().all(lawful), "{answers:?}");
    let is_header = bytes.starts_with(b"PROXY ") || bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n");
    assert!(is_header, "served without an introduction");
}
