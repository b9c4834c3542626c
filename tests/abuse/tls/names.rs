//! Names: of the hello, of the certificate, and of requests (RFC 6066, 3; RFC 9110, 7.4).

use super::{OTHER, arrived, ask, hello, passes, port, said, says, shake, stage};
use nearside_tests::client::{HOST, connect};
use nearside_tests::frames::{Raw, flag, headers, kind};
use rustls::ClientConfig;
use std::sync::Arc;

/// What a request for `host` gets on a connection that was made for `sni`, and how often it arrives.
fn asked(sni: &str, host: &str) -> (u16, usize) {
    let stage = stage();
    let mut stream = shake(stage.edge.https, stage.config(&[b"http/1.1"]), sni).unwrap();
    let port = port(&stream.sock);
    let status = ask(&mut stream, host).unwrap();
    drop(stream);
    (status, arrived(port))
}

fn http1() -> ClientConfig {
    stage().config(&[b"http/1.1"])
}

#[test]
fn a_host_of_another_certificate_is_misdirected() {
    assert_eq!(asked(HOST, OTHER), (421, 0));
    assert_eq!(asked(OTHER, HOST), (421, 0));
    assert_eq!(asked(OTHER, OTHER), (200, 1));
}

#[test]
fn a_host_without_any_certificate_is_misdirected() {
    assert_eq!(asked(HOST, "unknown.example.net"), (421, 0));
    assert_eq!(asked(HOST, HOST), (200, 1));
}

#[test]
fn another_host_of_the_same_certificate_is_served() {
    assert_eq!(asked(HOST, "localhost"), (200, 1));
    assert_eq!(asked("a.shop.example.com", "b.shop.example.com"), (200, 1));
}

#[test]
fn a_host_two_labels_below_a_wildcard_is_misdirected() {
    assert_eq!(asked("a.shop.example.com", "b.a.shop.example.com"), (421, 0));
    assert_eq!(asked("a.shop.example.com", "A.Shop.Example.com:443"), (200, 1));
}

#[test]
fn a_name_that_no_host_should_have_is_held_to_its_certificate_too() {
    let stage = stage();
    // Where such a name gets a certificate at all, it opens no other.
    if let Ok(mut stream) = shake(stage.edge.https, http1(), "_a.shop.example.com") {
        assert_eq!(ask(&mut stream, OTHER).unwrap(), 421);
    }
    assert_eq!(asked("a.shop.example.com", "_a.shop.example.com"), (200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misdirected_stream_leaves_its_neighbours_alone() {
    let stage = tokio::task::block_in_place(stage);
    let config = Arc::new(stage.config(&[b"h2"]));
    let mut raw = Raw::new(connect(config, stage.edge.https, HOST).await.unwrap());
    raw.begin(&[]).await.unwrap();
    let to = |stream, host| {
        let line = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", "/")];
        headers(flag::END_STREAM, stream, &line)
    };
    raw.send(&to(1, OTHER)).await.unwrap();
    let answer = raw.until(kind::HEADERS).await.unwrap();
    assert_eq!((answer.stream, answer.status()), (1, Some(421)));
    raw.send(&to(3, HOST)).await.unwrap();
    let answer = raw.until(kind::HEADERS).await.unwrap();
    assert_eq!((answer.stream, answer.status()), (3, Some(200)));
}

#[test]
fn a_name_without_a_certificate_gets_an_alert() {
    assert_eq!(said(&hello(http1(), "www.example.org")), Some(says::UNRECOGNIZED_NAME));
    passes();
}

#[test]
fn a_client_that_names_no_host_gets_an_alert() {
    let mut config = http1();
    config.enable_sni = false;
    assert_eq!(said(&hello(config, HOST)), Some(says::UNRECOGNIZED_NAME));
    passes();
}

#[test]
fn an_address_is_no_name() {
    assert_eq!(said(&hello(http1(), "127.0.0.1")), Some(says::UNRECOGNIZED_NAME));
    passes();
}

/// The hello of a client that asks for a name as long as ours, with this in its place.
fn asking_for(name: &[u8; HOST.len()]) -> Vec<u8> {
    let mut bytes = hello(http1(), HOST);
    let at = bytes.windows(HOST.len()).position(|part| part == HOST.as_bytes()).unwrap();
    bytes[at..at + HOST.len()].copy_from_slice(name);
    bytes
}

#[test]
fn a_name_with_a_nul_gets_an_alert() {
    assert!(said(&asking_for(b"www.example.co\0")).is_some());
    passes();
}

#[test]
fn a_name_with_a_dot_at_its_end_gets_an_alert() {
    assert!(said(&asking_for(b"www.example.co.")).is_some());
    passes();
}

#[test]
fn a_name_with_a_star_gets_an_alert() {
    assert!(said(&asking_for(b"*.shop.example.")).is_some());
    passes();
}

#[test]
fn a_name_in_upper_case_is_the_same_name() {
    assert_eq!(asked("WWW.Example.COM", "www.EXAMPLE.com"), (200, 1));
}
