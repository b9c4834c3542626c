//! Records after the handshake (RFC 8446, 5 and 6).

use super::{Secured, arrived, ask, passes, port, shake, stage};
use nearside_tests::client::HOST;
use nearside_tests::raw::Heard;
use nearside_tests::wire::{Fault, find};
use std::io::{Read, Write};
use std::net::Shutdown;

fn secured() -> Secured {
    let stage = stage();
    shake(stage.edge.https, stage.config(&[b"http/1.1"]), HOST).unwrap()
}

const HALF: &[u8] = b"POST / HTTP/1.1\r\nhost: www.example.com\r\ncontent-length: 8\r\n\r\nhalf";

/// Sends half an upload, cuts it by `cut`, and sees that what arrived is no whole request.
fn cut_by(cut: impl FnOnce(&mut Secured)) {
    let mut stream = secured();
    let port = port(&stream.sock);
    stream.write_all(HALF).unwrap();
    let begun = |heard: &[Heard]| heard.iter().any(|one| find(&one.bytes, b"half").is_some());
    assert!(begun(&stage().backend.wait(port, begun)));
    cut(&mut stream);
    let over = |heard: &[Heard]| heard.first().is_some_and(|one| one.ended);
    let heard = stage().backend.wait(port, over);
    assert_eq!(heard[0].requests(), Err(Fault::Partial), "{heard:?}");
    passes();
}

#[test]
fn an_upload_that_is_cut_without_a_farewell_never_looks_whole() {
    cut_by(|stream| stream.sock.shutdown(Shutdown::Both).unwrap());
}

#[test]
fn an_upload_that_is_cut_with_a_farewell_never_looks_whole() {
    cut_by(|stream| {
        stream.conn.send_close_notify();
        stream.conn.complete_io(&mut stream.sock).unwrap_or_default();
        stream.sock.shutdown(Shutdown::Write).unwrap();
    });
}

#[test]
fn a_record_that_was_tampered_with_ends_the_connection() {
    cut_by(|stream| {
        stream.conn.writer().write_all(b"rest").unwrap();
        let mut record = Vec::new();
        stream.conn.write_tls(&mut record).unwrap();
        *record.last_mut().unwrap() ^= 1;
        stream.sock.write_all(&record).unwrap();
        let error = stream.read(&mut [0; 1]).unwrap_err();
        assert!(error.to_string().contains("BadRecordMac"), "{error}");
    });
}

#[test]
fn a_record_that_is_sent_twice_ends_the_connection() {
    cut_by(|stream| {
        stream.conn.writer().write_all(b"re").unwrap();
        let mut record = Vec::new();
        stream.conn.write_tls(&mut record).unwrap();
        stream.sock.write_all(&record.repeat(2)).unwrap();
        let error = stream.read(&mut [0; 1]).unwrap_err();
        assert!(error.to_string().contains("BadRecordMac"), "{error}");
    });
}

#[test]
fn plain_text_behind_the_handshake_ends_the_connection() {
    cut_by(|stream| {
        stream.sock.write_all(b"rest\r\nGET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 1]).is_err());
    });
}

#[test]
fn a_record_beyond_the_largest_ends_the_connection() {
    cut_by(|stream| {
        let record = [&[23, 3, 3, 0x41, 0x01][..], &[7; 0x4101]].concat();
        drop(stream.sock.write_all(&record));
        let error = stream.read(&mut [0; 1]).unwrap_err();
        assert!(error.to_string().contains("alert") || error.to_string().contains("reset"), "{error}");
    });
}

#[test]
fn an_alert_in_clear_does_not_end_an_upload_as_if_it_were_whole() {
    cut_by(|stream| {
        stream.sock.write_all(&[21, 3, 3, 0, 2, 1, 0]).unwrap();
        stream.sock.shutdown(Shutdown::Write).unwrap();
    });
}

#[test]
fn new_keys_again_and_again_end_the_connection() {
    let mut stream = secured();
    let mut keys = Vec::new();
    for _ in 0..1_000 {
        stream.conn.refresh_traffic_keys().unwrap();
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut keys).unwrap();
        }
    }
    stream.sock.write_all(&keys).unwrap_or_default();
    // The edge has had enough of them long before the last.
    stream.write_all(b"GET / HTTP/1.1\r\nhost: www.example.com\r\n\r\n").unwrap_or_default();
    assert!(!matches!(stream.read(&mut [0; 1]), Ok(1..)), "it is served");
    let mut lawful = secured();
    for _ in 0..5 {
        lawful.conn.refresh_traffic_keys().unwrap();
    }
    assert_eq!(ask(&mut lawful, HOST).unwrap(), 200);
}

#[test]
fn a_request_in_records_of_one_byte_is_served() {
    let mut stream = secured();
    let port = port(&stream.sock);
    for byte in b"GET / HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
        stream.flush().unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(stream);
    assert_eq!(arrived(port), 1);
}
