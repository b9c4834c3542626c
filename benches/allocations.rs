//! What a request does over and over allocates nothing, once its buffers have grown.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use nearside_benches::{HEAD, Mixed, lawful};
use nearside_core::place::{Country, Place};
use nearside_core::{Choice, Facts, Input, Now, Tried, decide};
use nearside_geo::{Spec, Tables};
use nearside_http::hpack::{Decoder, Encoder};
use nearside_http::request::Parts;
use nearside_http::{
    Body, Edits, Known, Limits, Method, Persist, RequestHead, ResponseHead, request, response,
};

/// Allocations of a hundred runs, after one that lets buffers grow.
fn allocations(mut run: impl FnMut()) -> u64 {
    run();
    allocation_counter::measure(|| (0..100).for_each(|_| run())).count_total
}

#[test]
fn a_decision_allocates_nothing() {
    let (generation, tried) = (lawful(1000, 4, 100).unwrap(), Tried::default());
    let facts = Facts {
        place: Place::of(Country::parse("DE").unwrap()),
        url_bytes: 20,
        header_bytes: 500,
        body_bytes: Some(0),
        ..Facts::new("h900.example.com", "/p3/items/42", "GET", "192.0.2.1:4000".parse().unwrap())
    };
    let count = allocations(|| {
        let now = Now::from_millis(0);
        let input =
            Input { facts: &facts, tried: &tried, generation: &generation, evidence: &Mixed, now, seed: 7 };
        assert!(matches!(decide(&input, &mut ()), Choice::Forward(_)));
    });
    assert_eq!(count, 0);
}

#[test]
fn a_head_is_read_and_written_without_allocating() {
    let (mut head, mut edits, mut out) = (RequestHead::new(), Edits::new(), Vec::with_capacity(4096));
    let count = allocations(|| {
        request::parse(HEAD, &Limits::default(), &mut head).unwrap();
        edits.clear();
        edits.set(Known::XForwardedFor, b"192.0.2.1");
        edits.append(Known::Via, b"1.1 nearside");
        out.clear();
        head.write(&edits, Body::None, Persist::Keep, &mut out);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_request_and_an_answer_of_http2_are_unpacked_and_packed_without_allocating() {
    let asked =
        [(":method", "GET"), (":scheme", "https"), (":authority", "www.example.com"), (":path", "/a/b?c=d")];
    let fields = [("user-agent", "curl/8"), ("accept", "*/*"), ("cookie", "a=b"), ("x-own", "1")];
    let mut block = Vec::new();
    let mut client = Encoder::default();
    for (name, value) in asked.into_iter().chain(fields) {
        client.field(Known::classify(name.as_bytes()), name.as_bytes(), value.as_bytes(), &mut block);
    }
    let (mut decoder, mut encoder) = (Decoder::default(), Encoder::default());
    let (mut head, mut edits, mut out) = (RequestHead::new(), Edits::new(), Vec::with_capacity(4096));
    let mut answer = ResponseHead::new();
    let told = b"HTTP/1.1 200 OK\r\nDate: Mon, 21 Oct 2013 20:13:21 GMT\r\nContent-Type: text/html\r\nX-Own: 1\r\n\r\n";
    response::parse(told, &Limits::default(), Method::Get, &mut answer).unwrap();
    let count = allocations(|| {
        let mut parts = Parts::begin(&mut head, &Limits::default());
        decoder.decode(&block, |name, value| parts.take(name, value).unwrap()).unwrap();
        parts.end(true).unwrap();
        edits.clear();
        edits.set(Known::XNearsideRef, b"0123456789abcdef");
        out.clear();
        answer.pack(&edits, (200, Some(1024)), &mut encoder, &mut out);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_place_is_found_without_allocating() {
    let data =
        |name| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/geo/tests/data").join(name);
    let files = [data("GeoLite2-ASN-Test.mmdb"), data("GeoLite2-City-Test.mmdb")];
    let now = std::time::SystemTime::now();
    let from_files = Tables::load(Spec { files: &files, ..Spec::default() }, None, now).unwrap();
    let embedded = Tables::load(Spec::default(), None, now).unwrap();
    let count = allocations(|| {
        for address in ["89.160.20.112", "2a02:cf40::1", "127.0.0.1"] {
            let address = address.parse().unwrap();
            std::hint::black_box((
                from_files.place(address),
                embedded.place(address),
                from_files.find(address),
            ));
        }
    });
    assert_eq!(count, 0);
}
