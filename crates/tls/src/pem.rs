//! PEM files: the certificates and the key that they hold.

use crate::file::Content;
use crate::problem::Problem;
use rustls::RootCertStore;
use rustls_pki_types::pem::{self, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

/// What a PEM file holds.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(crate) key: Option<PrivateKeyDer<'static>>,
}

impl Sections {
    /// Reads the sections of `content`, the file at `path`.
    pub(crate) fn of(key_path: &str, path: &Path, content: &Content) -> Result<Self, Problem> {
        let mut rest: &[u8] = &content.bytes;
        let mut sections = Self::default();
        loop {
            match pem::from_buf(&mut rest) {
                Ok(Some((kind, der))) => sections.add(kind, der),
                Ok(None) => break,
                Err(cause) => {
                    let what = format!("is no valid PEM file: {}", fault(&cause));
                    return Err(Problem::new(key_path, path, &what, "write the file again"));
                }
            }
        }
        if !sections.certificates.is_empty() || sections.key.is_some() {
            return Ok(sections);
        }
        Err(nothing_in(key_path, path, content))
    }

    fn add(&mut self, kind: SectionKind, der: Vec<u8>) {
        match kind {
            SectionKind::Certificate => self.certificates.push(der.into()),
            SectionKind::PrivateKey => self.key = Some(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::RsaPrivateKey => self.key = Some(PrivateKeyDer::Pkcs1(der.into())),
            SectionKind::EcPrivateKey => self.key = Some(PrivateKeyDer::Sec1(der.into())),
            _ => {}
        }
    }
}

/// What is wrong with a PEM file, in words of our own. The cause repeats the line that it stumbles over, and where a file has
/// lost its line ends that line is the key.
pub(crate) fn fault(cause: &pem::Error) -> &'static str {
    match cause {
        pem::Error::MissingSectionEnd { .. } => "a section has no end line",
        pem::Error::IllegalSectionStart { .. } => {
            "a section does not begin with a line of its own; have its line ends been lost?"
        }
        pem::Error::Base64Decode(_) => "a section holds what is no base64",
        _ => "it cannot be read",
    }
}

/// Why a file without a usable section is none.
fn nothing_in(key_path: &str, path: &Path, content: &Content) -> Problem {
    let holds = |text: &str| content.bytes.windows(text.len()).any(|window| window == text.as_bytes());
    if holds("ENCRYPTED PRIVATE KEY-----") || holds("Proc-Type: 4,ENCRYPTED") {
        let hint = "decrypt it: openssl pkey -in FILE -out FILE.plain, mode 0600";
        return Problem::new(key_path, path, "holds a key that is protected by a passphrase", hint);
    }
    if holds("-----BEGIN ") {
        return Problem::new(
            key_path,
            path,
            "holds neither a certificate nor a private key",
            "check the file",
        );
    }
    let hint = "convert it: openssl x509 -inform der -in FILE -out FILE.pem";
    Problem::new(key_path, path, "is not PEM", hint)
}

/// The authorities in the PEM file at `path`, with their encoded certificates.
pub(crate) fn authorities(
    key_path: &str,
    path: &Path,
) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Problem> {
    let content = Content::read(key_path, path)?;
    let sections = Sections::of(key_path, path, &content)?;
    let mut roots = RootCertStore::empty();
    for (index, certificate) in sections.certificates.iter().enumerate() {
        roots.add(certificate.clone()).map_err(|cause| {
            let what = format!("holds a certificate (number {}) that is no authority: {cause}", index + 1);
            Problem::new(key_path, path, &what, "name a file of the certificates that sign")
        })?;
    }
    if roots.is_empty() {
        return Err(Problem::new(key_path, path, "holds no certificate", "name a file of certificates"));
    }
    Ok((roots, sections.certificates))
}
