//! What listeners share: client authentication, ALPN, versions; and the configurations made from it.

use crate::clock::Clock;
use crate::identity::Identity;
use crate::keys::Keys;
use crate::pem;
use crate::problem::{Findings, Problem};
use crate::provider::{Order, provider, versions};
use crate::ticket::Tickets;
use nearside_core::generation::{Listener, ListenerKind};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, ServerConfig};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Listeners whose connections differ by nothing but the certificate.
#[derive(Debug)]
pub(crate) struct Class {
    wanted: Wanted,
    /// Whom clients are verified with; the scope of their sessions.
    client_auth: Identity,
    /// By [`Order`], without a certificate.
    bases: [ServerConfig; 2],
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Wanted {
    h2: bool,
    h1: bool,
    client_ca: Option<PathBuf>,
}

/// The classes of all listeners, and which listener has which.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    classes: Vec<Class>,
    by_listener: Vec<Option<usize>>,
    /// The class of the admin interface, where it speaks TLS.
    admin: Option<usize>,
}

impl Classes {
    /// The classes of these listeners, and with `admin` that of the admin interface.
    pub(crate) fn load(
        (listeners, admin): (&[Listener], bool),
        tls13_only: bool,
        clock: &Clock,
        findings: &mut Findings,
    ) -> Self {
        let mut all = Self::default();
        let mut load = |all: &mut Self, key_path: &str, wanted: Wanted| {
            all.classes.iter().position(|class| class.wanted == wanted).or_else(|| {
                let class = findings.take(Class::load(key_path, wanted, tls13_only, clock))?;
                all.classes.push(class);
                Some(all.classes.len() - 1)
            })
        };
        for (index, listener) in listeners.iter().enumerate() {
            let ListenerKind::Tls { h2, h1, client_ca } = &listener.kind else {
                all.by_listener.push(None);
                continue;
            };
            let wanted = Wanted { h2: *h2, h1: *h1, client_ca: client_ca.clone() };
            let known = load(&mut all, &format!("listeners[{index}].client_ca"), wanted);
            all.by_listener.push(known);
        }
        if admin {
            let wanted = Wanted { h2: false, h1: true, client_ca: None };
            all.admin = load(&mut all, "observe.admin", wanted);
        }
        all
    }

    /// The class of the admin interface, with its number.
    pub(crate) fn admin(&self) -> Option<(usize, &Class)> {
        let index = self.admin?;
        Some((index, self.classes.get(index)?))
    }

    /// The class of a listener, with its number.
    pub(crate) fn of(&self, listener: usize) -> Option<(usize, &Class)> {
        let index = (*self.by_listener.get(listener)?)?;
        Some((index, self.classes.get(index)?))
    }

    /// Whether no listener speaks TLS.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_listener.iter().all(Option::is_none)
    }

    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }

    pub(crate) fn identities(&self) -> impl Iterator<Item = Identity> {
        self.classes.iter().map(|class| class.client_auth)
    }
}

impl Class {
    fn load(key_path: &str, wanted: Wanted, tls13_only: bool, clock: &Clock) -> Result<Self, Problem> {
        let (verifier, client_auth) = match &wanted.client_ca {
            None => (WebPkiClientVerifier::no_client_auth(), Identity::of(["any client"])),
            Some(path) => {
                let (roots, certificates) = pem::authorities(key_path, path)?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider(Order::AesFirst))
                        .build()
                        .map_err(|cause| {
                            let what = format!("cannot verify clients: {cause}");
                            Problem::new(
                                key_path,
                                path,
                                &what,
                                "name a file of the authorities that sign clients",
                            )
                        })?;
                (verifier, Identity::of(certificates))
            }
        };
        let alpn = [(wanted.h2, "h2"), (wanted.h1, "http/1.1")];
        let alpn: Vec<Vec<u8>> = alpn.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).into()).collect();
        let base = |order| {
            base(order, tls13_only, clock, Arc::clone(&verifier))
                .map_err(|cause| Problem::without_file("tls.profile", &cause.to_string(), "choose another"))
        };
        let mut bases = [base(Order::AesFirst)?, base(Order::ChachaFirst)?];
        bases.iter_mut().for_each(|base| base.alpn_protocols.clone_from(&alpn));
        Ok(Self { wanted, client_auth, bases })
    }
}

fn base(
    order: Order,
    tls13_only: bool,
    clock: &Clock,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, Error> {
    let builder = ServerConfig::builder_with_details(provider(order), Arc::new(clock.clone()))
        .with_protocol_versions(versions(tls13_only))?;
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(NoCertificate));
    config.ignore_client_order = true;
    config.send_tls13_tickets = 1;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// Stands where a certificate's own resolver will stand.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

/// A certificate with a configuration per class and order, each made when it is first wanted.
#[derive(Debug)]
pub(crate) struct Certificate {
    resolver: Arc<SingleCertAndKey>,
    identity: Identity,
    configs: Box<[OnceLock<Arc<ServerConfig>>]>,
}

impl Certificate {
    pub(crate) fn new(certified: CertifiedKey, identity: Identity, classes: &Classes) -> Self {
        let configs = (0..classes.len() * Order::ALL.len()).map(|_| OnceLock::new()).collect();
        Self { resolver: Arc::new(certified.into()), identity, configs }
    }

    /// The configuration for connections of `class`, whose number is `index`.
    pub(crate) fn config(
        &self,
        (index, class): (usize, &Class),
        order: Order,
        keys: &Keys,
    ) -> Option<Arc<ServerConfig>> {
        let [aes, chacha] = &class.bases;
        let (base, offset) = match order {
            Order::AesFirst => (aes, 0),
            Order::ChachaFirst => (chacha, 1),
        };
        let slot = self.configs.get(index * Order::ALL.len() + offset)?;
        let config = slot.get_or_init(|| {
            let scope = Identity::of([class.client_auth, self.identity]);
            let mut config = base.clone();
            config.cert_resolver = Arc::<SingleCertAndKey>::clone(&self.resolver);
            config.ticketer = Arc::new(Tickets::new(keys.clone(), scope));
            Arc::new(config)
        });
        Some(Arc::clone(config))
    }
}
