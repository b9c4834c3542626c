//! Whom we trust as backends: the system's authorities, or anyone where the file says so.

use crate::identity::Identity;
use crate::problem::Problem;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;

/// The system's authorities, read when the first pool needs them.
#[derive(Debug, Default)]
pub(crate) struct System(Option<(Arc<RootCertStore>, Identity)>);

impl System {
    pub(crate) fn roots(&mut self, key_path: &str) -> Result<(Arc<RootCertStore>, Identity), Problem> {
        if let Some((roots, identity)) = &self.0 {
            return Ok((Arc::clone(roots), *identity));
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let identity = Identity::of(&found.certs);
        // Systems carry authorities that no longer parse; one of them is no reason to trust none.
        let (added, _ignored) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let cause = found.errors.first().map_or_else(String::new, |cause| format!(": {cause}"));
            let message = format!("the system has no authorities to verify backends with{cause}");
            let hint = "install ca-certificates, or name a file here";
            return Err(Problem::without_file(key_path, &message, hint));
        }
        let (roots, identity) = self.0.insert((Arc::new(roots), identity));
        Ok((Arc::clone(roots), *identity))
    }
}

/// Takes any certificate, for `verify: false`; its holder still has to have the key.
#[derive(Debug)]
pub(crate) struct AcceptAny(Arc<CryptoProvider>);

impl AcceptAny {
    pub(crate) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self(provider)
    }
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
