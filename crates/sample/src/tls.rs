//! The backend's side of TLS.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::options::{Protocol, Tls};

/// The largest record.
const RECORD: usize = 4 * 1024;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text is no PEM, or holds nothing of the kind.
    #[error("cannot read the {what}")]
    Pem {
        /// Which of the texts.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        cause: pem::Error,
    },
    /// rustls does not take certificate and key.
    #[error("cannot use the certificate with its key")]
    Pair(#[from] rustls::Error),
    /// rustls does not take the authority of the clients.
    #[error("cannot use the clients' authority")]
    ClientCa(#[from] VerifierBuilderError),
}

pub(crate) fn config(tls: &Tls, protocols: &[Protocol]) -> Result<ServerConfig, TlsError> {
    let certificates = certificates(&tls.certificate, "certificate")?;
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes());
    let key = key.map_err(|cause| TlsError::Pem { what: "key", cause })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(self::certificates(authority, "clients' authority")?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(certificates, key)?;
    // The first byte of a small record is read before the next round trip, wherever the client is.
    config.max_fragment_size = Some(RECORD);
    config.alpn_protocols =
        protocols.iter().filter_map(|protocol| alpn(*protocol)).map(<[u8]>::to_vec).collect();
    Ok(config)
}

/// What a request may learn of its connection.
pub(crate) fn facts(connection: &ServerConnection) -> Value {
    let client = connection.peer_certificates().and_then(|chain| chain.first());
    json!({
        "sni": connection.server_name(),
        "version": connection.protocol_version().and_then(|version| version.as_str()),
        "resumed": connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        "client_certificate_sha256": client.map(|client| format!("{:x}", Sha256::digest(client))),
    })
}

fn certificates(text: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(TlsError::Pem { what, cause: pem::Error::NoItemsFound })
        }
        Ok(certificates) => Ok(certificates),
        Err(cause) => Err(TlsError::Pem { what, cause }),
    }
}

fn alpn(protocol: Protocol) -> Option<&'static [u8]> {
    match protocol {
        Protocol::H1 => Some(b"http/1.1"),
        Protocol::H2 => Some(b"h2"),
        Protocol::H2c => None,
    }
}
