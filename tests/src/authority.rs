//! A certificate authority of the test's own.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An authority and the folder where its files stand.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    /// A new authority; its certificate stands in `folder` as `ca.pem`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let mut params = CertificateParams::new(Vec::new()).expect("no names are lawful names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "nearside test authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        fs::write(folder.join("ca.pem"), issuer.pem()).expect("the folder is writable");
        Self { issuer, folder: folder.to_owned() }
    }

    /// The authority's certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The file with the authority's certificate.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Signs a new key for `names`: certificate and key as PEM.
    #[must_use]
    pub fn sign(&self, names: &[&str]) -> (String, String) {
        self.sign_as(names, |_| {})
    }

    /// The same, with something about the certificate changed.
    pub fn sign_as(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("lawful names");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a signature");
        (certificate.pem(), key.serialize_pem())
    }

    /// Signs for `names` and writes certificate and key into one file, whole at once; the bytes of the certificate.
    pub fn write(&self, file: &Path, names: &[&str]) -> Vec<u8> {
        let (certificate, key) = self.sign(names);
        let fresh = file.with_extension("fresh");
        fs::write(&fresh, format!("{certificate}{key}")).expect("the folder is writable");
        fs::set_permissions(&fresh, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("own file");
        fs::rename(&fresh, file).expect("one folder");
        use rustls::pki_types::pem::PemObject;
        rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM").to_vec()
    }

    /// TLS of a client that trusts this authority only.
    #[must_use]
    pub fn trusting(&self, protocols: &[&[u8]]) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate");
        let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}
