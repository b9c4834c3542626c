//! What clients offer: versions, suites, groups, and the protocol of what follows (RFC 7301; RFC 8446, 4).

use super::{arrived, ask, hello, passes, port, said, says, shake, stage};
use nearside_tests::client::HOST;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, NamedGroup, RootCertStore};
use std::io::{Read, Write};
use std::sync::Arc;

/// A client of just these groups and versions.
fn with(
    groups: &[&'static dyn SupportedKxGroup],
    version: &'static rustls::SupportedProtocolVersion,
) -> ClientConfig {
    let provider = CryptoProvider { kx_groups: groups.to_vec(), ..aws_lc_rs::default_provider() };
    let mut roots = RootCertStore::empty();
    let authority = stage().edge.door().authority;
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[version]);
    builder.unwrap().with_root_certificates(roots).with_no_client_auth()
}

/// The group that a client with these gets.
fn agreed(groups: &[&'static dyn SupportedKxGroup]) -> NamedGroup {
    let stage = stage();
    let mut stream = shake(stage.edge.https, with(groups, &rustls::version::TLS13), HOST).unwrap();
    let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(ask(&mut stream, HOST).unwrap(), 200);
    group
}

#[test]
fn the_hybrid_key_exchange_is_preferred() {
    let all = [aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::X25519MLKEM768];
    assert_eq!(agreed(&[all[1], all[0]]), NamedGroup::X25519MLKEM768);
    assert_eq!(agreed(&[all[1]]), NamedGroup::X25519MLKEM768);
    assert_eq!(agreed(&[all[0]]), NamedGroup::X25519);
}

#[test]
fn a_client_whose_first_guess_is_not_spoken_is_asked_again() {
    assert_eq!(agreed(&[aws_lc_rs::kx_group::SECP384R1, aws_lc_rs::kx_group::X25519]), NamedGroup::secp384r1);
    assert_eq!(agreed(&[aws_lc_rs::kx_group::SECP256R1]), NamedGroup::secp256r1);
}

#[test]
fn a_client_without_a_group_that_is_spoken_gets_an_alert() {
    let mut bytes = hello(with(&[aws_lc_rs::kx_group::X25519], &rustls::version::TLS13), HOST);
    // The group of the list, and of the share that goes with it, becomes one that nobody speaks.
    for at in 0..=bytes.len() - 4 {
        if bytes[at..at + 4] == [0, 2, 0, 0x1d] || bytes[at..at + 4] == [0, 0x1d, 0, 32] {
            let group = if bytes[at + 1] == 2 { at + 2 } else { at };
            bytes[group..group + 2].copy_from_slice(&[0x7a, 0x7a]);
        }
    }
    assert_eq!(said(&bytes), Some(says::HANDSHAKE_FAILURE));
    passes();
}

/// The hello of a client that speaks TLS 1.2 at most.
fn old() -> Vec<u8> {
    hello(with(&[aws_lc_rs::kx_group::X25519], &rustls::version::TLS12), HOST)
}

/// The same of a client that speaks this version at most, and has never heard of a list of versions.
fn older(version: [u8; 2]) -> Option<u8> {
    let mut bytes = old();
    bytes[9..11].copy_from_slice(&version);
    let list = [0, 0x2b, 0, 3, 2, 3, 3];
    if let Some(at) = bytes.windows(list.len()).position(|part| part == list) {
        bytes[at..at + 2].copy_from_slice(&[0x7a, 0x7a]);
    }
    said(&bytes)
}

#[test]
fn a_client_of_tls_1_1_gets_an_alert() {
    assert_eq!(older([3, 2]), Some(says::PROTOCOL_VERSION));
    let config = with(&[aws_lc_rs::kx_group::X25519], &rustls::version::TLS12);
    assert_eq!(ask(&mut shake(stage().edge.https, config, HOST).unwrap(), HOST).unwrap(), 200);
}

#[test]
fn a_client_of_ssl_3_gets_an_alert() {
    assert_eq!(older([3, 0]), Some(says::PROTOCOL_VERSION));
    passes();
}

/// A TLS 1.2 client that offers nothing but this suite.
fn suite(suite: [u8; 2]) -> Option<u8> {
    let mut bytes = old();
    let session = 9 + 2 + 32;
    let suites = session + 1 + usize::from(bytes[session]);
    let length = usize::from(u16::from_be_bytes([bytes[suites], bytes[suites + 1]]));
    bytes[suites + 2..suites + 2 + length].chunks_mut(2).for_each(|one| one.copy_from_slice(&suite));
    said(&bytes)
}

#[test]
fn a_suite_without_forward_secrecy_gets_an_alert() {
    assert_eq!(suite([0, 0x9c]), Some(says::HANDSHAKE_FAILURE), "RSA with AES-128-GCM");
    passes();
}

#[test]
fn a_suite_without_authenticated_encryption_gets_an_alert() {
    assert_eq!(suite([0xc0, 0x09]), Some(says::HANDSHAKE_FAILURE), "ECDHE-ECDSA with AES-128-CBC");
    passes();
}

#[test]
fn an_unknown_protocol_gets_an_alert() {
    for unknown in [&[&b"spdy/3"[..]][..], &[b"http/1.0", b"h3"], &[b"h2c"], &[b"H2"]] {
        // In TLS 1.3 the alert is told under the keys of the handshake.
        let refused = shake(stage().edge.https, stage().config(unknown), HOST).map(drop).unwrap_err();
        assert!(refused.to_string().contains("NoApplicationProtocol"), "{unknown:?}: {refused}");
        let mut old = with(&[aws_lc_rs::kx_group::X25519], &rustls::version::TLS12);
        old.alpn_protocols = unknown.iter().map(|name| name.to_vec()).collect();
        assert_eq!(said(&hello(old, HOST)), Some(says::NO_PROTOCOL), "{unknown:?}");
    }
    passes();
}

#[test]
fn a_protocol_beside_unknown_ones_is_spoken() {
    let stage = stage();
    let chosen = |offered: &[&[u8]]| {
        let stream = shake(stage.edge.https, stage.config(offered), HOST).unwrap();
        stream.conn.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(chosen(&[b"h3", b"http/1.1"]), Some(b"http/1.1".to_vec()));
    assert_eq!(chosen(&[b"http/1.1", b"h2"]), Some(b"h2".to_vec()), "the edge chooses");
    assert_eq!(chosen(&[]), None);
}

#[test]
fn a_client_that_offers_no_protocol_speaks_http_1() {
    let stage = stage();
    let mut stream = shake(stage.edge.https, stage.config(&[]), HOST).unwrap();
    assert_eq!(ask(&mut stream, HOST).unwrap(), 200);
}

/// Says `bytes` where `agreed` was agreed on; what is answered until the connection ends, and how often it arrives.
fn mismatched(agreed: &[u8], bytes: &[u8]) -> (Vec<u8>, usize) {
    let stage = stage();
    let mut stream = shake(stage.edge.https, stage.config(&[agreed]), HOST).unwrap();
    let port = port(&stream.sock);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // It may end without a farewell of TLS, since there was no HTTP on it.
    drop(stream.read_to_end(&mut answer));
    drop(stream);
    (answer, arrived(port))
}

#[test]
fn http_2_where_http_1_was_agreed_on_is_refused() {
    let (answer, arrived) = mismatched(b"http/1.1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.1 505"), "{text}");
    assert_eq!((arrived, text.matches("HTTP/1.1 ").count()), (0, 1));
    passes();
}

#[test]
fn http_1_where_http_2_was_agreed_on_is_refused() {
    let (answer, arrived) = mismatched(b"h2", b"GET / HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
    assert!(!answer.starts_with(b"HTTP/"), "{}", answer.escape_ascii());
    assert_eq!(arrived, 0);
    passes();
}
