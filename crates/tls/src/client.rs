//! TLS towards backends: one configuration per pool, with its authorities, certificate and sessions.

use crate::authority::seconds;
use crate::clock::Clock;
use crate::identity::Identity;
use crate::pair::{Pair, Place};
use crate::pem;
use crate::problem::{Findings, Problem, Warning};
use crate::provider::{Order, provider, versions};
use crate::trust::{AcceptAny, System};
use nearside_core::generation::{Backend, Pool};
use nearside_core::policy::Protocol;
use nearside_core::{BackendId, BackendKey, Generation, PoolId};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::ServerName;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Sessions that are kept of one server: rustls counts eight tickets for each.
const SESSIONS: usize = 8;

/// How each pool's backends are dialled.
#[derive(Debug)]
pub struct ClientTable {
    pools: Box<[Option<Client>]>,
    backends: Box<[Option<Peer>]>,
}

/// How one backend is dialled.
#[derive(Debug)]
struct Peer {
    key: BackendKey,
    name: ServerName<'static>,
    /// Of its pool; but the sessions are its own, since all backends of a pool may go by one name.
    client: Client,
}

/// How one pool's backends are dialled.
#[derive(Clone, Debug)]
pub struct Client {
    /// For every connection, so that sessions resume.
    pub config: Arc<ClientConfig>,
    /// Equal where pool, authorities, client certificate and ALPN are: connections of two identities never mix.
    pub identity: Identity,
}

impl ClientTable {
    /// Reads what the pools of `generation` need that have a backend with TLS. Where a pool is as it was in `previous`,
    /// it and its backends keep their configurations, and so their sessions.
    ///
    /// # Errors
    /// Everything that is wrong with the files and names.
    pub fn load(
        generation: &Generation,
        clock: &Clock,
        previous: Option<&Self>,
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let mut findings = Findings::default();
        let mut system = System::default();
        let mut pools = Vec::new();
        for pool in &generation.pools {
            let speaks_tls = generation.backends_of(pool).iter().any(|backend| backend.endpoint.tls);
            let client = speaks_tls.then(|| {
                let mut loading = Loading { pool, clock, system: &mut system, findings: &mut findings };
                loading.client()
            });
            pools.push(client.flatten().map(|client| kept(previous, client)));
        }
        let known = previous.iter().flat_map(|table| table.backends.iter().flatten());
        let known: HashMap<_, _> = known.map(|peer| (&peer.key, &peer.client)).collect();
        let backends = generation.backends.iter().map(|backend| {
            let name = server_name(generation, backend, &mut findings)?;
            let pool = pools.get(backend.pool.index())?.as_ref()?;
            let same = known.get(&backend.key).filter(|client| client.identity == pool.identity);
            let client = same.map_or_else(|| pool.apart(), |client| Client::clone(client));
            Some(Peer { key: backend.key.clone(), name, client })
        });
        let backends = backends.collect();
        findings.conclude(Self { pools: pools.into(), backends })
    }

    /// How `backend` is dialled; `None` when it does not speak TLS.
    #[must_use]
    pub fn backend(&self, backend: BackendId) -> Option<&Client> {
        Some(&self.backends.get(backend.index())?.as_ref()?.client)
    }

    /// How backends of `pool` are dialled, sessions apart; `None` when none of them speaks TLS.
    #[must_use]
    pub fn pool(&self, pool: PoolId) -> Option<&Client> {
        self.pools.get(pool.index())?.as_ref()
    }

    /// The name that `backend` is asked for and verified by; `None` when it does not speak TLS.
    #[must_use]
    pub fn server_name(&self, backend: BackendId) -> Option<&ServerName<'static>> {
        Some(&self.backends.get(backend.index())?.as_ref()?.name)
    }
}

impl Client {
    /// The same with sessions of its own.
    fn apart(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Self { config: Arc::new(config), identity: self.identity }
    }
}

fn kept(previous: Option<&ClientTable>, client: Client) -> Client {
    let mut before = previous.iter().flat_map(|table| table.pools.iter().flatten());
    before.find(|old| old.identity == client.identity).cloned().unwrap_or(client)
}

fn server_name(
    generation: &Generation,
    backend: &Backend,
    findings: &mut Findings,
) -> Option<ServerName<'static>> {
    let pool = generation.pool(backend.pool)?;
    if !backend.endpoint.tls {
        return None;
    }
    let host = pool.tls.sni.as_deref().unwrap_or(&backend.endpoint.host);
    let name = ServerName::try_from(host.to_owned()).map_err(|_invalid| {
        let message = format!("{host:?} is no name that a certificate can have");
        let hint = "name the host that the backend's certificate is for";
        Problem::without_file(&format!("pools.{}.tls.sni", pool.name), &message, hint)
    });
    findings.take(name)
}

/// One pool on its way to a configuration.
struct Loading<'a> {
    pool: &'a Pool,
    clock: &'a Clock,
    system: &'a mut System,
    findings: &'a mut Findings,
}

impl Loading<'_> {
    fn client(&mut self) -> Option<Client> {
        let provider = provider(Order::AesFirst);
        let (pool, clock) = (self.pool, Arc::new(self.clock.clone()));
        let alpn: &[&str] = match pool.connections.protocol {
            Protocol::Auto => &["h2", "http/1.1"],
            Protocol::H1 => &["http/1.1"],
            Protocol::H2 | Protocol::H2c => &["h2"],
        };
        let mut content = vec![Identity::of([&*pool.name]), Identity::of(alpn)];
        let builder = ClientConfig::builder_with_details(Arc::clone(&provider), clock);
        let versions = builder.with_protocol_versions(versions(false));
        let builder = self.findings.take(versions.map_err(|cause| self.unusable(&cause.to_string())))?;
        // A wrong client certificate is reported even when the authorities are wrong too.
        let own = pool.tls.client.as_ref().map(|(cert, key)| self.own(cert, key, &provider));
        let builder = if pool.tls.insecure {
            content.push(Identity::of(["any"]));
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny::new(provider)))
        } else {
            let (roots, identity) = self.roots()?;
            content.push(identity);
            builder.with_root_certificates(roots)
        };
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let (resolver, identity) = own?;
                content.push(identity);
                builder.with_client_cert_resolver(Arc::new(resolver))
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| (*name).into()).collect();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Some(Client { config: Arc::new(config), identity: Identity::of(content) })
    }

    fn roots(&mut self) -> Option<(Arc<rustls::RootCertStore>, Identity)> {
        let key_path = format!("pools.{}.tls.ca", self.pool.name);
        match &self.pool.tls.ca {
            None => self.findings.take(self.system.roots(&key_path)),
            Some(path) => {
                let (roots, certificates) = self.findings.take(pem::authorities(&key_path, path))?;
                Some((Arc::new(roots), Identity::of(certificates)))
            }
        }
    }

    fn own(
        &mut self,
        cert: &Path,
        key: &Path,
        provider: &CryptoProvider,
    ) -> Option<(SingleCertAndKey, Identity)> {
        let place = Place {
            cert_key_path: format!("pools.{}.tls.client_cert", self.pool.name),
            key_key_path: format!("pools.{}.tls.client_key", self.pool.name),
            cert,
            key: Some(key),
        };
        let pair = Pair::load(&place, provider, seconds(self.clock), self.findings)?;
        let identity = Identity::of(&pair.certified.cert);
        Some((pair.certified.as_ref().clone().into(), identity))
    }

    fn unusable(&self, cause: &str) -> Problem {
        Problem::without_file(&format!("pools.{}.tls", self.pool.name), cause, "check the pool's `tls`")
    }
}
