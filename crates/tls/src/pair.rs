//! A certificate with its key, checked: that they belong together, and that now is between its dates.

use crate::file::Content;
use crate::pem::Sections;
use crate::problem::{Findings, Problem};
use nearside_core::host::Pattern;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const DAY: i64 = 24 * 60 * 60;
const SOON: i64 = 14 * DAY;

/// A certificate that may be served.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) certified: Arc<CertifiedKey>,
    /// The names that it certifies, in lower case; `*.` in front of those for one label.
    pub(crate) names: Vec<Box<str>>,
    pub(crate) not_after: i64,
    pub(crate) source: PathBuf,
}

/// Where a pair stands, in `routes.yaml` and on disk.
pub(crate) struct Place<'a> {
    pub(crate) cert_key_path: String,
    pub(crate) key_key_path: String,
    pub(crate) cert: &'a Path,
    pub(crate) key: Option<&'a Path>,
}

impl Pair {
    /// Reads the pair at `place`, or notes all that is wrong with it.
    pub(crate) fn load(
        place: &Place<'_>,
        provider: &CryptoProvider,
        now: i64,
        findings: &mut Findings,
    ) -> Option<Self> {
        let content = Content::read(&place.cert_key_path, place.cert);
        let content = findings.take(content)?;
        let sections = findings.take(Sections::of(&place.cert_key_path, place.cert, &content))?;
        if sections.key.is_some() {
            findings.warnings.extend(content.exposure(&place.cert_key_path, place.cert));
        }
        let key = match place.key {
            Some(path) => key_of(&place.key_key_path, path, findings),
            None => sections.key.or_else(|| key_beside(place, findings)),
        };
        let chain = sections.certificates;
        let Some(leaf) = chain.first() else {
            let hint = "put the certificate and its chain into it, or name it as `key` of a certificate";
            let problem = Problem::new(&place.cert_key_path, place.cert, "holds no certificate", hint);
            findings.problems.push(problem);
            return None;
        };
        let facts = findings.take(Facts::of(place, leaf));
        if let Some(facts) = &facts {
            facts.check_dates(place, now, findings);
        }
        let (facts, key) = (facts?, key?);
        let certified = findings.take(certified(place, chain, key, provider))?;
        let (names, not_after) = (facts.names, facts.not_after);
        Some(Self { certified: Arc::new(certified), names, not_after, source: place.cert.to_owned() })
    }

    /// Whether it certifies `name`, which may be `*.` and a host.
    pub(crate) fn certifies(&self, name: &str) -> bool {
        let wildcard = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        self.names.iter().any(|own| **own == *name || wildcard.as_deref() == Some(own))
    }
}

/// What the certificate says.
struct Facts {
    names: Vec<Box<str>>,
    not_before: i64,
    not_after: i64,
}

impl Facts {
    fn of(place: &Place<'_>, leaf: &CertificateDer<'_>) -> Result<Self, Problem> {
        let parsed = X509Certificate::from_der(leaf);
        let (_, certificate) = parsed.map_err(|cause| {
            let what = format!("holds a certificate that cannot be read: {cause}");
            Problem::new(&place.cert_key_path, place.cert, &what, "ask its authority for it again")
        })?;
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let names = alternatives.iter().flat_map(|extension| &extension.value.general_names);
        let dns = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => served_name(name),
            _ => None,
        });
        let validity = certificate.validity();
        Ok(Self {
            names: dns.collect(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    fn check_dates(&self, place: &Place<'_>, now: i64, findings: &mut Findings) {
        let say = |what: &str, hint: &str| Problem::new(&place.cert_key_path, place.cert, what, hint);
        let days = (self.not_after - now) / DAY;
        if self.not_after < now {
            let what = format!("holds a certificate that expired {} days ago", -days);
            findings.problems.push(say(&what, "renew it"));
        } else if self.not_after - now < SOON {
            let what = format!("holds a certificate that expires in {days} days");
            findings.warnings.push(say(&what, "renew it"));
        }
        if self.not_before > now {
            let what = "holds a certificate that is not valid yet: clients refuse it";
            findings.warnings.push(say(what, "check the clock of this machine and of its authority"));
        }
    }
}

/// `text` as a name that a listener can look up: a host, or `*.` and a host.
pub(crate) fn served_name(text: &str) -> Option<Box<str>> {
    match Pattern::parse(text)? {
        Pattern::Any => None,
        named => Some(named.to_string().into()),
    }
}

fn key_of(key_path: &str, path: &Path, findings: &mut Findings) -> Option<PrivateKeyDer<'static>> {
    let content = findings.take(Content::read(key_path, path))?;
    findings.warnings.extend(content.exposure(key_path, path));
    let sections = findings.take(Sections::of(key_path, path, &content))?;
    if sections.key.is_none() {
        let hint = "put the private key into it as PEM";
        findings.problems.push(Problem::new(key_path, path, "holds no private key", hint));
    }
    sections.key
}

/// The key of `x.pem` in `x.key`.
fn key_beside(place: &Place<'_>, findings: &mut Findings) -> Option<PrivateKeyDer<'static>> {
    let beside = place.cert.with_extension("key");
    if beside.exists() && beside != place.cert {
        return key_of(&place.key_key_path, &beside, findings);
    }
    let what = "holds no private key, and none stands beside it";
    let hint = format!("append the key to it, or put it at {}", beside.display());
    findings.problems.push(Problem::new(&place.cert_key_path, place.cert, what, &hint));
    None
}

fn certified(
    place: &Place<'_>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Problem> {
    let key_file = place.key.unwrap_or(place.cert);
    let key = provider.key_provider.load_private_key(key).map_err(|cause| {
        let what = format!("holds a private key that cannot be used: {cause}");
        Problem::new(&place.key_key_path, key_file, &what, "use an ECDSA P-256 or P-384, Ed25519 or RSA key")
    })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let hint = "name the key that the certificate was asked for with; the certificate comes first, then \
                        its chain";
            let what =
                format!("holds a key that does not belong to the certificate in {}", place.cert.display());
            Err(Problem::new(&place.key_key_path, key_file, &what, hint))
        }
        Err(cause) => {
            let what = format!("holds a certificate that cannot be used: {cause}");
            Err(Problem::new(&place.cert_key_path, place.cert, &what, "ask its authority for it again"))
        }
    }
}
