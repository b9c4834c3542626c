//! Which certificate a name gets, and who is refused.

use crate::setting::stage;
use nearside_tests::client::connect;
use std::sync::Arc;

#[tokio::test]
async fn a_name_gets_its_certificate_and_an_unknown_one_an_alert() {
    let stage = stage().await;
    let config = stage.edge.authority.trusting(&[b"h2", b"http/1.1"]);
    for name in ["www.example.com", "a.shop.example.com"] {
        let stream = connect(Arc::clone(&config), stage.edge.https, name).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    }
    let refused = connect(Arc::clone(&config), stage.edge.https, "other.example.org").await.unwrap_err();
    assert!(refused.to_string().to_lowercase().contains("unrecogni"), "{refused}");
    // An address is no name: such a client sends none.
    assert!(connect(config, stage.edge.https, "127.0.0.1").await.is_err());
}

#[tokio::test]
async fn both_versions_of_tls_are_served_and_a_session_is_resumed() {
    let stage = stage().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::pem::PemObject;
        roots
            .add(
                rustls::pki_types::CertificateDer::from_pem_slice(stage.edge.authority.pem().as_bytes())
                    .unwrap(),
            )
            .unwrap();
        let config = Arc::new(
            rustls::ClientConfig::builder_with_protocol_versions(&[version])
                .with_root_certificates(roots)
                .with_no_client_auth(),
        );
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut stream = connect(Arc::clone(&config), stage.edge.https, "www.example.com").await.unwrap();
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            stream
                .write_all(b"GET /h1/ HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200"));
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds[1], rustls::HandshakeKind::Resumed, "{version:?}");
    }
}

#[tokio::test]
async fn a_host_of_another_certificate_is_misdirected() {
    let stage = stage().await;
    let config = stage.edge.authority.trusting(&[b"http/1.1"]);
    let mut stream = connect(config, stage.edge.https, "www.example.com").await.unwrap();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: other.example.org\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
}
