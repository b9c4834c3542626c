//! Certificates of clients (`client_ca`).

use super::{arrived, ask, port, shake, stage};
use nearside_tests::client::HOST;
use nearside_tests::{Authority, frames};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use std::io;

/// The client with this certificate and key.
pub(super) fn named(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    (certificate, key): &(String, String),
) -> ClientConfig {
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    builder.with_client_auth_cert(chain, key).unwrap()
}

/// What a client with this certificate gets at the listener that wants one of `ours`.
fn asked(pair: Option<&(String, String)>) -> io::Result<u16> {
    let stage = stage();
    let mut roots = RootCertStore::empty();
    let authority = stage.edge.door().authority;
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match pair {
        Some(pair) => named(builder, pair),
        None => builder.with_no_client_auth(),
    };
    let mut stream = shake(stage.closed, config, HOST)?;
    let port = port(&stream.sock);
    let answer = ask(&mut stream, HOST);
    drop(stream);
    assert_eq!(arrived(port), usize::from(answer.is_ok()), "what is not answered did not arrive");
    answer
}

/// It is refused, and the right one is not.
fn refused(pair: Option<&(String, String)>) {
    let error = asked(pair).unwrap_err();
    assert!(error.to_string().contains("alert"), "{error}");
    assert_eq!(asked(Some(&stage().ours.sign(&["employee"]))).unwrap(), 200);
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    refused(None);
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    refused(Some(&stage().theirs.sign(&["employee"])));
}

#[test]
fn a_certificate_of_an_authority_of_the_same_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    refused(Some(&Authority::new(folder.path()).sign(&["employee"])));
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    refused(Some(&stage().ours.sign_as(&["employee"], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    })));
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_refused() {
    refused(Some(
        &stage().ours.sign_as(&["employee"], |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1)),
    ));
}

#[test]
fn a_certificate_that_is_for_servers_only_is_refused() {
    refused(Some(&stage().ours.sign_as(&["employee"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    })));
}

#[test]
fn the_certificate_of_the_edge_is_no_pass() {
    let folder = stage().edge.folder().join("certs/www.pem");
    let text = std::fs::read_to_string(folder).unwrap();
    refused(Some(&(text.clone(), text)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_its_certificate_may_speak_http_2() {
    let stage = tokio::task::block_in_place(stage);
    let mut roots = RootCertStore::empty();
    let authority = stage.edge.door().authority;
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let mut config = named(builder, &stage.ours.sign(&["employee"]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = nearside_tests::client::connect(config.into(), stage.closed, HOST).await.unwrap();
    let mut raw = frames::Raw::new(stream);
    raw.begin(&[]).await.unwrap();
    raw.send(&frames::get(1, "/")).await.unwrap();
    assert_eq!(raw.until(frames::kind::HEADERS).await.unwrap().status(), Some(200));
}
