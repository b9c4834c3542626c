//! Backends of HTTP/2 that break its rules (RFC 9113), piece by piece: what a client of HTTP/1 gets, also when the head of
//! an answer has reached it before the answer breaks.

use super::frames::{head, say};
use crate::setting::stage;
use nearside_tests::frames::{block, flag, frame, kind, reset};
use nearside_tests::raw::{Client, Talk};
use nearside_tests::wire::Fault;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the client gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Got {
    /// Five bytes, whole.
    Whole,
    /// The beginning, visibly not the whole.
    Cut,
    /// Our 502.
    BadGateway,
}

/// What a client of HTTP/1 gets when the backend says this, and once the client has the head, or before where there is
/// none to wait for, the rest.
fn got(first: &[u8], rest: &[u8], ends: bool) -> Got {
    let stage = stage();
    let mut client = Client::to(stage.plain);
    let go = Arc::new(AtomicBool::new(rest.is_empty()));
    let (first, rest, gone) = (first.to_vec(), rest.to_vec(), Arc::clone(&go));
    stage.backend.answer(
        client.port(),
        Arc::new(move |talk: &mut Talk| {
            say(talk, &first);
            while !gone.load(Ordering::SeqCst) {
                talk.pause(Duration::from_millis(1));
            }
            talk.send(&rest);
            if ends {
                talk.finish();
            }
            talk.hear_out();
        }),
    );
    client.send(b"GET /h2/a HTTP/1.1\r\nHost: www.example.com\r\n\r\n");
    client.begun();
    go.store(true, Ordering::SeqCst);
    let answer = loop {
        match client.answer("GET") {
            Ok(interim) if interim.status() < 200 => {}
            other => break other,
        }
    };
    match answer {
        Ok(answer) if answer.status() == 200 && answer.body == b"hello" && answer.trailers.is_empty() => {
            Got::Whole
        }
        Ok(answer) if answer.status() == 502 && answer.get("proxy-status").is_some() => Got::BadGateway,
        Err(Fault::Partial) => {
            let rest = client.rest().unwrap();
            assert!(rest.starts_with(b"HTTP/1.1 200 "), "{}", rest.escape_ascii());
            Got::Cut
        }
        other => panic!("{other:?}"),
    }
}

/// A head with these fields besides its status.
fn ok(fields: &[(&str, &str)]) -> Vec<u8> {
    head(&[&[(":status", "200")], fields].concat())
}

/// The last five bytes of an answer.
fn hello() -> Vec<u8> {
    frame(kind::DATA, flag::END_STREAM, 1, b"hello")
}

/// This is no answer, and a lawful one is whole.
fn refused(says: &[Vec<u8>]) {
    assert_eq!(got(&says.concat(), &[], false), Got::BadGateway);
    assert_eq!(got(&[ok(&[]), hello()].concat(), &[], false), Got::Whole);
}

/// An answer with this head and then this is cut, and not whole if it comes at once; and a lawful one is whole.
fn cut(head: &[u8], rest: &[u8], ends: bool) {
    assert_eq!(got(head, rest, ends), Got::Cut);
    assert_ne!(got(&[head, rest].concat(), &[], ends), Got::Whole);
    assert_eq!(got(&ok(&[]), &hello(), ends), Got::Whole);
}

#[test]
fn a_flood_of_interim_answers_is_no_answer() {
    refused(&[head(&[(":status", "103")]).repeat(17), ok(&[]), hello()]);
}

#[test]
fn an_answer_without_a_status_is_none() {
    refused(&[head(&[("x-a", "b")]), hello()]);
}

#[test]
fn an_answer_with_two_statuses_is_none() {
    refused(&[ok(&[(":status", "200")]), hello()]);
}

#[test]
fn a_name_in_upper_case_is_none() {
    refused(&[ok(&[("X-A", "b")]), hello()]);
}

#[test]
fn a_field_of_a_connection_is_none() {
    refused(&[ok(&[("connection", "close")]), hello()]);
}

#[test]
fn data_before_a_head_is_no_answer() {
    refused(&[hello()]);
}

#[test]
fn a_head_above_64_kib_of_http_2_is_refused() {
    let value = "b".repeat(1000);
    let fields: Vec<(&str, &str)> = (0..70).map(|_| ("x-a", value.as_str())).collect();
    refused(&[ok(&fields), hello()]);
}

#[test]
fn a_push_that_nobody_takes_ends_the_connection() {
    let promise = [&2_u32.to_be_bytes()[..], &block(&[(":method", "GET"), (":path", "/")])].concat();
    refused(&[frame(kind::PUSH, flag::END_HEADERS, 1, &promise), ok(&[]), hello()]);
}

#[test]
fn fewer_data_than_announced_are_cut() {
    cut(&ok(&[("content-length", "6")]), &hello(), false);
}

#[test]
fn more_data_than_announced_are_cut() {
    cut(&ok(&[("content-length", "4")]), &[frame(kind::DATA, 0, 1, b"hell"), hello()].concat(), false);
}

#[test]
fn a_stream_that_is_reset_is_cut() {
    cut(&ok(&[]), &[frame(kind::DATA, 0, 1, b"hell"), reset(1)].concat(), false);
}

#[test]
fn a_connection_that_ends_within_a_stream_is_cut() {
    cut(&ok(&[]), &frame(kind::DATA, 0, 1, b"hell"), true);
}

#[test]
fn data_behind_a_head_that_has_no_body_are_no_answer() {
    let head = head(&[(":status", "204")]);
    assert_eq!(got(&[head, hello()].concat(), &[], false), Got::BadGateway);
    assert_eq!(got(&ok(&[]), &hello(), false), Got::Whole);
}

#[test]
fn a_stream_that_is_reset_before_its_answer_is_none() {
    refused(&[reset(1)]);
}

#[test]
fn pseudo_headers_in_trailers_are_not_forwarded() {
    let trailers = frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(&[(":path", "/")]));
    assert_eq!(got(&ok(&[]), &[frame(kind::DATA, 0, 1, b"hello"), trailers].concat(), false), Got::Whole);
}
