//! A local authority for development: it signs for hosts that have no certificate.

use crate::clock::Clock;
use crate::file;
use crate::identity::Identity;
use crate::problem::Problem;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

const KEY_PATH: &str = "tls.self_signed";
const DAY: i64 = 24 * 60 * 60;
const YEARS_10: i64 = 3652 * DAY;
/// How long a certificate that is signed here holds.
pub(crate) const LEAF_SECONDS: i64 = 90 * DAY;
/// A clock that runs behind ours still finds the certificate valid.
const SLACK: i64 = DAY;

/// Signs with a key that the state folder keeps; `ca.pem` beside it is what clients may trust.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
    identity: Identity,
    leaf: KeyPair,
    leaf_key: Arc<dyn SigningKey>,
}

impl Authority {
    /// The authority of `state_dir`, made when it is not there.
    pub(crate) fn open(state_dir: &Path, clock: &Clock, provider: &CryptoProvider) -> Result<Self, Problem> {
        let file = state_dir.join("ca.pem");
        let failed = |what: String| {
            let hint = "check --state-dir, or remove ca.pem and ca.key there to begin anew";
            Problem::new(KEY_PATH, &file, &what, hint)
        };
        let fresh = || generate().map(|key| key.serialize_pem().into_bytes()).unwrap_or_default();
        let kept = file::kept(state_dir, "ca.key", fresh)
            .map_err(|cause| failed(format!("cannot be made: {cause}")))?;
        let broken = |cause: rcgen::Error| failed(format!("has no usable key beside it: {cause}"));
        let key = KeyPair::from_pem(&String::from_utf8_lossy(&kept)).map_err(broken)?;
        let (leaf, identity) = (generate().map_err(broken)?, Identity::of([key.public_key_raw()]));
        let now = seconds(clock);
        if !holds(&file, &key, now) {
            let certificate =
                params(&key, now).and_then(|params| params.self_signed(&key)).map_err(broken)?;
            file::replace(&file, certificate.pem().as_bytes(), 0o644)
                .map_err(|cause| failed(format!("cannot be kept: {cause}")))?;
        }
        let der = PrivateKeyDer::Pkcs8(leaf.serialize_der().into());
        let leaf_key = provider
            .key_provider
            .load_private_key(der)
            .map_err(|cause| failed(format!("cannot be used: {cause}")))?;
        let issuer = Issuer::new(params(&key, now).map_err(broken)?, key);
        Ok(Self { issuer, file, identity, leaf, leaf_key })
    }

    /// Its certificate, as a PEM file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// A certificate for `names`, hosts or IP addresses, that holds from now on for a while.
    pub(crate) fn sign(&self, names: &[&str], now: i64) -> Option<(CertifiedKey, Identity)> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let identity = Identity::of([self.identity.as_bytes().as_slice(), names.join(" ").as_bytes()]);
        let mut params = CertificateParams::new(names).ok()?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "nearside development");
        params.not_before = at(now - SLACK);
        params.not_after = at(now + LEAF_SECONDS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.leaf, &self.issuer).ok()?;
        let chain = vec![CertificateDer::from(certificate)];
        Some((CertifiedKey::new(chain, Arc::clone(&self.leaf_key)), identity))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("file", &self.file).finish_non_exhaustive()
    }
}

fn generate() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

/// The authority's own certificate. Its name tells the authorities of two machines apart in a browser's list.
fn params(key: &KeyPair, now: i64) -> Result<CertificateParams, rcgen::Error> {
    let digest = Identity::of([key.public_key_raw()]).to_string();
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = format!("nearside local authority {}", digest.get(..8).unwrap_or_default());
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = at(now - SLACK);
    params.not_after = at(now + YEARS_10);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// Whether `file` has a certificate for `key` that will hold as long as what is signed now.
fn holds(file: &Path, key: &KeyPair, now: i64) -> bool {
    let Ok(der) = CertificateDer::from_pem_file(file) else { return false };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return false };
    certificate.public_key().subject_public_key.data.as_ref() == key.public_key_raw()
        && certificate.validity().not_after.timestamp() > now + 2 * LEAF_SECONDS
        && certificate.validity().not_before.timestamp() <= now
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

pub(crate) fn seconds(clock: &Clock) -> i64 {
    i64::try_from(clock.seconds()).unwrap_or(i64::MAX)
}
