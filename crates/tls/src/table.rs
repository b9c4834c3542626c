//! The table of a generation: which certificate a name gets, and the configuration that serves it.

use crate::authority::{Authority, seconds};
use crate::class::{Certificate, Class, Classes};
use crate::identity::Identity;
use crate::keys::Keys;
use crate::names::Names;
use crate::problem::{Findings, Problem, Warning};
use crate::provider::{Order, provider};
use crate::seal::Seal;
use crate::signed::Signed;
use crate::sources::{self, Served, listed};
use nearside_core::Generation;
use nearside_core::generation::{Listener, Tls};
use nearside_core::host::Pattern;
use rustls::ServerConfig;
use rustls::server::ClientHello;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The alert `unrecognized_name` as the record that a server sends before anything else.
///
/// A client whose name has no certificate gets it (RFC 6066 section 3), and the connection is closed.
pub const UNRECOGNIZED_NAME: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70];

const CERTIFICATES: &str = "tls.certificates";

/// What of a generation its certificates depend on.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Certificates and versions.
    pub tls: &'a Tls,
    /// The hosts that routes serve.
    pub hosts: Vec<&'a Pattern>,
    /// Where clients connect.
    pub listeners: &'a [Listener],
    /// Whether the admin interface speaks TLS too: other machines can reach it.
    pub admin: bool,
}

impl<'a> Wanted<'a> {
    /// What `generation` wants.
    #[must_use]
    pub fn of(generation: &'a Generation) -> Self {
        let hosts = generation.routes.routes().iter().flat_map(|route| route.hosts.iter()).collect();
        let admin = generation.observe.admin.is_some_and(|admin| !admin.ip().is_loopback());
        Self { tls: &generation.tls, hosts, listeners: &generation.listeners, admin }
    }
}

/// Which certificate a name gets, with the configurations that serve it.
#[derive(Debug)]
pub struct Table {
    names: Names,
    certificates: Vec<Certificate>,
    default: Option<usize>,
    signed: Option<Signed>,
    classes: Classes,
    keys: Keys,
    identity: Identity,
    held: Box<[Held]>,
}

/// A certificate that was read from a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// The file.
    pub file: PathBuf,
    /// The hosts that it is served for.
    pub hosts: Vec<Box<str>>,
    /// When it expires, in seconds since the Unix epoch.
    pub not_after: i64,
    /// Equal where the chain is equal.
    pub identity: Identity,
}

impl Table {
    /// Reads every certificate that `wanted` names, and gives each name its own.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn load(
        wanted: &Wanted<'_>,
        keys: &Keys,
        state_dir: &Path,
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let mut findings = Findings::default();
        let (provider, now) = (provider(Order::AesFirst), seconds(keys.clock()));
        let classes = Classes::load(
            (wanted.listeners, wanted.admin),
            wanted.tls.tls13_only,
            keys.clock(),
            &mut findings,
        );
        let served = sources::load(&wanted.tls.certificates, &provider, now, &mut findings);
        let signed = wanted.tls.self_signed.then(|| {
            let authority = findings.take(Authority::open(state_dir, keys.clock(), &provider));
            authority.map(|authority| Signed::new(authority, &wanted.hosts))
        });
        let default = default_of(&served, &mut findings);
        let names = names_of(&served, &mut findings);
        if !classes.is_empty() && !wanted.tls.self_signed {
            check_reach(wanted, &served, &names, &mut findings);
        }
        let identity = identity_of(wanted.tls, &served, &classes, keys);
        let certificate = |one: Served| {
            let certified = &one.pair.certified;
            let identity = Identity::of(&certified.cert);
            Certificate::new(certified.as_ref().clone(), identity, &classes)
        };
        let held = served.iter().map(Held::of).collect();
        let certificates = served.into_iter().map(certificate).collect();
        let (signed, keys) = (signed.flatten(), keys.clone());
        findings.conclude(Self { names, certificates, default, signed, classes, keys, identity, held })
    }

    /// The configuration for a client that says `hello` at the listener with this index.
    ///
    /// `None` is a name without a certificate, or no name where none is the default: the connection is then
    /// closed with [`UNRECOGNIZED_NAME`].
    #[must_use]
    pub fn config_for(&self, hello: &ClientHello<'_>, listener: usize) -> Option<Arc<ServerConfig>> {
        self.config(hello, self.classes.of(listener)?)
    }

    /// The same at the admin interface, where it speaks TLS.
    #[must_use]
    pub fn config_for_admin(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        self.config(hello, self.classes.admin()?)
    }

    fn config(&self, hello: &ClientHello<'_>, class: (usize, &Class)) -> Option<Arc<ServerConfig>> {
        let order = Order::suiting(hello.cipher_suites());
        let lower;
        let name = match hello.server_name() {
            Some(name) if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                lower = name.to_ascii_lowercase();
                Some(lower.as_str())
            }
            name => name,
        };
        if let Some(certificate) = self.find(name).and_then(|index| self.certificates.get(index)) {
            return certificate.config(class, order, &self.keys);
        }
        let signed = self.signed.as_ref()?;
        let certificate = signed.certificate(name, &self.classes, seconds(self.keys.clock()))?;
        certificate.config(class, order, &self.keys)
    }

    /// Whether a connection that was made for `sni` may carry requests for `host`, both in lower case: they
    /// have one certificate. A client that named no host may ask for any.
    #[must_use]
    pub fn covers(&self, sni: Option<&str>, host: &str) -> bool {
        match sni {
            Some(sni) if sni != host => {
                self.find(Some(sni)).is_some_and(|one| self.names.find(host) == Some(one))
            }
            _ => true,
        }
    }

    /// The certificates that were read from files.
    #[must_use]
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// The PEM file of the local authority, where it signs.
    #[must_use]
    pub fn authority_file(&self) -> Option<&Path> {
        self.signed.as_ref().map(Signed::file)
    }

    /// What the fleet's keys sign and verify for `purpose`.
    #[must_use]
    pub fn seal(&self, purpose: &str) -> Seal {
        self.keys.seal(purpose)
    }

    /// Equal where certificates, their hosts, client authorities and fleet keys are equal.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    fn find(&self, name: Option<&str>) -> Option<usize> {
        match name {
            Some(name) => self.names.find(name),
            None => self.default,
        }
    }
}

impl Held {
    fn of(one: &Served) -> Self {
        Self {
            file: one.pair.source.clone(),
            hosts: one.hosts.clone(),
            not_after: one.pair.not_after,
            identity: Identity::of(&one.pair.certified.cert),
        }
    }
}

fn default_of(served: &[Served], findings: &mut Findings) -> Option<usize> {
    let mut defaults = served.iter().enumerate().filter(|(_, one)| one.default);
    let (index, first) = defaults.next()?;
    for (_, other) in defaults {
        let message = format!("{} is the default already", first.pair.source.display());
        let key_path = format!("{}.default", other.key_path);
        findings.problems.push(Problem::without_file(
            &key_path,
            &message,
            "leave `default: true` at one of them",
        ));
    }
    Some(index)
}

/// Gives each name to the certificate that was named by itself, or else to the one that holds longest.
fn names_of(served: &[Served], findings: &mut Findings) -> Names {
    let mut order: Vec<_> = served.iter().enumerate().collect();
    order.sort_by_key(|(_, one)| (!one.explicit, std::cmp::Reverse(one.pair.not_after)));
    let mut names = Names::default();
    for (index, one) in order {
        let mut taken_by = None;
        let mut taken: Vec<Box<str>> = Vec::new();
        for host in &one.hosts {
            match names.add(host, index) {
                Err(other) if other != index => {
                    taken.push(host.clone());
                    taken_by = served.get(other);
                }
                _ => {}
            }
        }
        if let Some(other) = taken_by {
            let what = format!("is not used for {}", listed(&taken));
            let hint = format!("{} is; remove the one that is not needed", other.pair.source.display());
            findings.warnings.push(Problem::new(&one.key_path, &one.pair.source, &what, &hint));
        }
    }
    names
}

/// Notes the hosts of routes that no client can reach over TLS.
fn check_reach(wanted: &Wanted<'_>, served: &[Served], names: &Names, findings: &mut Findings) {
    let hint = "name certificates there, or say `self_signed: true` for development";
    if wanted.tls.certificates.is_empty() {
        let message = "a listener speaks TLS, and there is no certificate";
        findings.problems.push(Problem::without_file(CERTIFICATES, message, hint));
        return;
    }
    if !findings.problems.is_empty() {
        return;
    }
    let all = served.iter().flat_map(|one| &one.hosts);
    let parents: HashSet<&str> = all
        .flat_map(|host| std::iter::successors(host.split_once('.'), |(_, rest)| rest.split_once('.')))
        .map(|(_, parent)| parent)
        .collect();
    let unreachable = wanted.hosts.iter().filter(|pattern| match pattern {
        Pattern::Exact(host) => names.find(host.as_str()).is_none(),
        Pattern::Below(host) => names.find_below(host.as_str()).is_none() && !parents.contains(host.as_str()),
        Pattern::Any => false,
    });
    let mut hosts: Vec<Box<str>> = unreachable.map(|pattern| pattern.to_string().into()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    if !hosts.is_empty() {
        let message = format!("no certificate certifies {}: its TLS clients are refused", listed(&hosts));
        findings.warnings.push(Problem::without_file(CERTIFICATES, &message, hint));
    }
}

fn identity_of(tls: &Tls, served: &[Served], classes: &Classes, keys: &Keys) -> Identity {
    let mut parts: Vec<Vec<u8>> = vec![vec![u8::from(tls.tls13_only), u8::from(tls.self_signed)]];
    let certificates = served.iter().map(|one| {
        let hosts = Identity::of(one.hosts.iter().map(|host| host.as_bytes()));
        let flags = [u8::from(one.default), u8::from(one.explicit)];
        let chain = Identity::of(&one.pair.certified.cert);
        Identity::of([chain.as_bytes().as_slice(), hosts.as_bytes(), &flags]).as_bytes().to_vec()
    });
    // Two PoPs may have the same files under other names, and so in another order.
    let mut certificates: Vec<_> = certificates.collect();
    certificates.sort_unstable();
    parts.extend(certificates);
    parts.extend(classes.identities().map(|identity| identity.as_bytes().to_vec()));
    parts.extend(keys.fingerprints().iter().map(|print| print.to_vec()));
    Identity::of(parts)
}
