//! Hellos that come in pieces, slowly, broken, or never (RFC 8446, 4.1.2 and 5.1).

use super::{alert, arrived, ask, dial, hello, passes, port, said, says, stage};
use nearside_tests::client::HOST;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

fn lawful() -> Vec<u8> {
    hello(stage().config(&[b"http/1.1"]), HOST)
}

/// Passes what it writes through `send`, until the hello has gone.
struct Pieces<F> {
    stream: TcpStream,
    send: Option<F>,
}

impl<F: FnOnce(&mut TcpStream, &[u8])> Write for Pieces<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.send.take() {
            Some(send) => {
                send(&mut self.stream, bytes);
                Ok(bytes.len())
            }
            None => self.stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

impl<F> Read for Pieces<F> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.stream.read(bytes)
    }
}

/// A client whose hello is sent by `send` is served.
fn served(send: impl FnOnce(&mut TcpStream, &[u8])) {
    let stage = stage();
    let config = Arc::new(stage.config(&[b"http/1.1"]));
    let client = ClientConnection::new(config, ServerName::try_from(HOST).unwrap()).unwrap();
    let io = Pieces { stream: dial(stage.edge.https), send: Some(send) };
    let mut stream = StreamOwned::new(client, io);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_hello_that_comes_byte_by_byte_is_read() {
    served(|stream, bytes| bytes.iter().for_each(|byte| stream.write_all(&[*byte]).unwrap()));
}

#[test]
fn a_hello_in_many_small_records_is_read() {
    served(|stream, bytes| {
        for piece in bytes[5..].chunks(64) {
            let length = u8::try_from(piece.len()).unwrap();
            stream.write_all(&[&[22, 3, 1, 0, length][..], piece].concat()).unwrap();
        }
    });
}

/// A client that sends `bytes` and then nothing, and waits, is left.
fn left(bytes: &[u8]) {
    let mut stream = dial(stage().edge.https);
    let port = port(&stream);
    stream.write_all(bytes).unwrap();
    alert(&mut stream);
    drop(stream);
    assert_eq!(arrived(port), 0);
    passes();
}

#[test]
fn a_client_that_says_nothing_is_left() {
    left(&[]);
}

#[test]
fn a_client_that_stops_in_the_head_of_a_record_is_left() {
    left(&lawful()[..3]);
}

#[test]
fn a_client_that_stops_within_its_hello_is_left() {
    let bytes = lawful();
    left(&bytes[..bytes.len() / 2]);
}

#[test]
fn a_client_that_never_finishes_its_handshake_is_left() {
    left(&lawful());
}

#[test]
fn a_hello_that_drips_is_not_waited_for() {
    let mut stream = dial(stage().edge.https);
    let bytes = lawful();
    let mut sent = 0;
    for byte in &bytes {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(sent < bytes.len(), "all of it was waited for");
    passes();
}

#[test]
fn http_without_tls_is_left() {
    let mut stream = dial(stage().edge.https);
    let port = port(&stream);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: www.example.com\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/"), "{}", answer.escape_ascii());
    drop(stream);
    assert_eq!(arrived(port), 0);
    passes();
}

#[test]
fn a_hello_of_ssl_2_is_left() {
    left(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80\x05\x00\x80\x06\x00\x40\x07\x00\xc00123456789abcdef");
}

#[test]
fn a_record_beyond_the_largest_gets_an_alert() {
    let bytes = [&[22, 3, 1, 0xff, 0xff][..], &[1; 20_000]].concat();
    assert!(matches!(said(&bytes), Some(says::RECORD_OVERFLOW | says::DECODE_ERROR)));
    passes();
}

#[test]
fn a_hello_of_megabytes_is_not_gathered() {
    // The head of a hello of 16 MB, and record after record of it.
    let first = [&[22, 3, 1, 0x40, 0][..], &[1, 0xff, 0xff, 0xff], &[3; 16_380]].concat();
    let more = [&[22, 3, 1, 0x40, 0][..], &[3; 16_384]].concat();
    said(&[first, more.repeat(100)].concat());
    passes();
}

#[test]
fn empty_records_are_no_progress() {
    said(&[22, 3, 1, 0, 0].repeat(10_000));
    passes();
}

#[test]
fn warnings_before_the_hello_are_no_progress() {
    said(&[21, 3, 1, 0, 2, 1, 90].repeat(10_000));
    passes();
}

#[test]
fn data_before_the_hello_is_refused() {
    left(b"\x17\x03\x03\x00\x05hello");
}

#[test]
fn another_message_than_a_hello_is_refused() {
    left(&[22, 3, 1, 0, 4, 20, 0, 0, 0]);
}

#[test]
fn a_hello_whose_lengths_do_not_agree_gets_an_alert() {
    let mut bytes = lawful();
    let session = 9 + 2 + 32;
    let suites = session + 1 + usize::from(bytes[session]);
    bytes[suites] = 0xff;
    assert_eq!(said(&bytes), Some(says::DECODE_ERROR));
    passes();
}

#[test]
fn a_hello_with_an_odd_tail_gets_an_alert() {
    let mut bytes = lawful();
    bytes.push(0);
    // Both lengths, of record and of message, count the byte that belongs to nothing.
    for at in [4, 8] {
        bytes[at] = bytes[at].wrapping_add(1);
    }
    assert!(bytes[4] != 0 && bytes[8] != 0, "no carry");
    assert_eq!(said(&bytes), Some(says::DECODE_ERROR));
    passes();
}

#[test]
fn a_second_hello_in_place_of_the_end_of_the_handshake_is_refused() {
    let bytes = lawful();
    said(&[&bytes[..], &bytes].concat());
    passes();
}

#[test]
fn changes_of_cipher_without_end_are_refused() {
    said(&[&lawful()[..], &[20, 3, 3, 0, 1, 1].repeat(10_000)].concat());
    passes();
}

#[test]
fn noise_is_left() {
    let noise: Vec<u8> =
        (0..4_000_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    said(&noise);
    let mut stream = super::shake(stage().edge.https, stage().config(&[]), HOST).unwrap();
    assert_eq!(ask(&mut stream, HOST).unwrap(), 200);
}
