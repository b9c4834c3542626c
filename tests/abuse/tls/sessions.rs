//! Sessions: what may be resumed, and where (RFC 8446, 4.6.1; RFC 6066, 3).

#[path = "../../../crates/tls/tests/tls/careless.rs"]
mod store;

use super::{OTHER, Stage, ask, shake, stage};
use nearside_tests::client::HOST;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion, version};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// A careless client of this version; with a certificate of the authority `ours` where `named`.
fn careless(stage: &Stage, version: &'static SupportedProtocolVersion, named: bool) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let authority = stage.edge.door().authority;
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_protocol_versions(&[version]).with_root_certificates(roots);
    let mut config = if named {
        super::clients::named(builder, &stage.ours.sign(&["employee"]))
    } else {
        builder.with_no_client_auth()
    };
    config.resumption = store::resumption();
    config.enable_early_data = true;
    Arc::new(config)
}

/// Whether a connection for `name` is resumed. It carries a request, so that tickets are read.
fn resumed(address: SocketAddr, client: &Arc<ClientConfig>, name: &str) -> io::Result<bool> {
    let mut stream = shake(address, Arc::clone(client), name)?;
    assert_eq!(ask(&mut stream, name)?, 200);
    assert!(!stream.conn.is_early_data_accepted());
    Ok(stream.conn.handshake_kind() == Some(HandshakeKind::Resumed))
}

fn a_name_of_its_own(version: &'static SupportedProtocolVersion) {
    let stage = stage();
    let client = careless(stage, version, false);
    let to = |name| resumed(stage.edge.https, &client, name).unwrap();
    assert!(!to(HOST));
    assert!(to(HOST), "the careless client resumes where it may");
    assert!(!to(OTHER), "another certificate");
    assert!(!to(HOST), "and back");
    assert!(!to("localhost"), "another name of the same certificate");
}

#[test]
fn a_session_of_one_name_is_none_of_another() {
    a_name_of_its_own(&version::TLS13);
}

#[test]
fn a_session_of_tls_1_2_of_one_name_is_none_of_another() {
    a_name_of_its_own(&version::TLS12);
}

fn an_authority_of_its_own(version: &'static SupportedProtocolVersion) {
    let stage = stage();
    let open = careless(stage, version, false);
    assert!(!resumed(stage.edge.https, &open, HOST).unwrap());
    assert!(
        resumed(stage.closed, &open, HOST).is_err(),
        "who has shown no certificate does not come in by a session"
    );
    let named = careless(stage, version, true);
    assert!(!resumed(stage.closed, &named, HOST).unwrap());
    assert!(resumed(stage.closed, &named, HOST).unwrap(), "who has shown one need not show it twice");
    assert!(resumed(stage.foreign, &named, HOST).is_err(), "theirs asks for another");
}

#[test]
fn a_session_of_one_client_authority_is_none_of_another() {
    an_authority_of_its_own(&version::TLS13);
}

#[test]
fn a_session_of_tls_1_2_of_one_client_authority_is_none_of_another() {
    an_authority_of_its_own(&version::TLS12);
}

#[test]
fn a_session_of_a_closed_listener_is_none_of_the_open_one() {
    let stage = stage();
    let named = careless(stage, &version::TLS13, true);
    assert!(!resumed(stage.closed, &named, HOST).unwrap());
    assert!(!resumed(stage.edge.https, &named, HOST).unwrap());
    assert!(resumed(stage.edge.https, &named, HOST).unwrap());
}

#[test]
fn no_request_is_taken_before_the_handshake_ends() {
    let stage = stage();
    let client = careless(stage, &version::TLS13, false);
    assert!(!resumed(stage.edge.https, &client, HOST).unwrap());
    let name = ServerName::try_from(HOST).unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::clone(&client), name).unwrap();
    // A ticket that allowed early data would let the client write here.
    assert!(connection.early_data().is_none());
}
