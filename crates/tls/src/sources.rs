//! The certificates that `tls.certificates` names, read from their files.

use crate::pair::{Pair, Place, served_name};
use crate::problem::{Findings, Problem};
use glob::MatchOptions;
use nearside_core::generation::CertificateSource;
use rustls::crypto::CryptoProvider;
use std::path::{Path, PathBuf};

/// The most of a chain that leaves with a server's first flight: ten packets, of which keys and a signature take their part.
const CHAIN: usize = 10 * 1024;

/// A pair, and the names that it is served for.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) pair: Pair,
    pub(crate) hosts: Vec<Box<str>>,
    pub(crate) default: bool,
    /// Named by itself, not by a pattern.
    pub(crate) explicit: bool,
    pub(crate) key_path: String,
}

/// Reads them all, and notes all that is wrong.
pub(crate) fn load(
    sources: &[CertificateSource],
    provider: &CryptoProvider,
    now: i64,
    findings: &mut Findings,
) -> Vec<Served> {
    let mut served = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let key_path = format!("tls.certificates[{index}]");
        match source {
            CertificateSource::Pattern(pattern) => {
                for file in matches(&key_path, pattern, findings) {
                    let place = Place {
                        cert_key_path: key_path.clone(),
                        key_key_path: key_path.clone(),
                        cert: &file,
                        key: None,
                    };
                    let pair = Pair::load(&place, provider, now, findings);
                    served.extend(pair.and_then(|pair| by_own_names(pair, &key_path, findings)));
                }
            }
            CertificateSource::Pair { cert, key, hosts, default } => {
                let place = Place {
                    cert_key_path: format!("{key_path}.cert"),
                    key_key_path: format!("{key_path}.key"),
                    cert,
                    key: Some(key),
                };
                let Some(pair) = Pair::load(&place, provider, now, findings) else { continue };
                let one = if hosts.is_empty() && !default {
                    by_own_names(pair, &key_path, findings)
                } else {
                    Some(by_hosts(pair, hosts, &key_path, findings))
                };
                served.extend(one.map(|one| Served { default: *default, explicit: true, ..one }));
            }
        }
    }
    served.iter().for_each(|one| check_size(one, findings));
    served
}

fn check_size(one: &Served, findings: &mut Findings) {
    let bytes: usize = one.pair.certified.cert.iter().map(|certificate| certificate.len()).sum();
    if bytes > CHAIN {
        let what = format!("holds a chain of {bytes} bytes: each full handshake takes a round trip more");
        let hint = "leave out the root and what else clients need not be sent, or ask for ECDSA certificates";
        findings.warnings.push(Problem::new(&one.key_path, &one.pair.source, &what, hint));
    }
}

/// The files that a pattern names, in order; a pattern without stars names one file.
fn matches(key_path: &str, pattern: &Path, findings: &mut Findings) -> Vec<PathBuf> {
    let text = pattern.to_string_lossy();
    if !text.contains(['*', '?', '[']) {
        return vec![pattern.to_owned()];
    }
    // Folders of Kubernetes hold the files once more behind names that begin with a dot.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::default() };
    let found = match glob::glob_with(&text, options) {
        Ok(found) => found,
        Err(cause) => {
            let what = format!("is no pattern: {}", cause.msg);
            findings.problems.push(Problem::new(key_path, pattern, &what, "write it like certs/*.pem"));
            return Vec::new();
        }
    };
    let (mut files, before) = (Vec::new(), findings.problems.len());
    for entry in found {
        match entry {
            Ok(file) => files.push(file),
            Err(cause) => {
                findings.problems.push(Problem::unreadable(key_path, cause.path(), cause.error()));
            }
        }
    }
    if files.is_empty() && findings.problems.len() == before {
        let hint = "put a PEM file with the chain and the key there, or correct the pattern";
        findings.problems.push(Problem::new(key_path, pattern, "matches no file", hint));
    }
    files.sort();
    files
}

fn by_own_names(pair: Pair, key_path: &str, findings: &mut Findings) -> Option<Served> {
    if pair.names.is_empty() {
        let what = "holds a certificate that names no host, so no client is answered with it";
        let hint = "ask for a certificate with subject alternative names, or say `hosts`";
        findings.problems.push(Problem::new(key_path, &pair.source, what, hint));
        return None;
    }
    let (hosts, key_path) = (pair.names.clone(), key_path.to_owned());
    Some(Served { pair, hosts, default: false, explicit: false, key_path })
}

fn by_hosts(pair: Pair, hosts: &[Box<str>], key_path: &str, findings: &mut Findings) -> Served {
    let mut names = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let key_path = format!("{key_path}.hosts[{index}]");
        let Some(name) = served_name(host) else {
            let message = format!("{host:?} is no host name");
            let hint = "write a host, or *. and a host";
            findings.problems.push(Problem::without_file(&key_path, &message, hint));
            continue;
        };
        if !pair.certifies(&name) {
            let what = format!("holds a certificate that does not certify {name}: clients refuse it there");
            let hint = format!("it certifies {}", listed(&pair.names));
            findings.warnings.push(Problem::new(&key_path, &pair.source, &what, &hint));
        }
        names.push(name);
    }
    if hosts.is_empty() {
        names.clone_from(&pair.names);
    }
    Served { pair, hosts: names, default: false, explicit: false, key_path: key_path.to_owned() }
}

/// The first few of `names`, for a person.
pub(crate) fn listed(names: &[Box<str>]) -> String {
    const SHOWN: usize = 5;
    let mut text = names.iter().take(SHOWN).map(|name| &**name).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => text.push_str("no host"),
        more if more > SHOWN => text.push_str(&format!(" and {} more", more - SHOWN)),
        _ => {}
    }
    text
}
