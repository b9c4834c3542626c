//! Authorities, files, clients and the wire between a client and a table.

use nearside_core::generation::{CertificateSource, Listener, ListenerKind, Tls};
use nearside_core::host::Pattern;
use nearside_tls::{Clock, Keys, Problem, Table, UNRECOGNIZED_NAME, Wanted, Warning};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::server::{Acceptor, ServerConnection};
use rustls::{
    ALL_VERSIONS, AlertDescription, CipherSuite, ClientConfig, ClientConnection, Error, HandshakeKind,
    ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use time::{Duration, OffsetDateTime};

/// An authority of the test's own.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // Two authorities of one name would be told apart by their signatures alone.
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, format!("{:02x?}", &key.public_key_raw()[..9]));
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn pair(&self, names: &[&str]) -> Pair {
        self.pair_between(names, -1, 365)
    }

    /// Valid from `from` to `to`, in days from now.
    pub(crate) fn pair_between(&self, names: &[&str], from: i64, to: i64) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = OffsetDateTime::now_utc() + Duration::days(from);
        // A minute more, so that a whole number of days is left when the test looks.
        params.not_after = OffsetDateTime::now_utc() + Duration::days(to) + Duration::minutes(1);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { cert, key: key.serialize_pem() }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        roots(&self.pem)
    }
}

pub(crate) fn roots(pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    roots
}

impl Pair {
    pub(crate) fn both(&self) -> String {
        format!("{}{}", self.cert, self.key)
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap()
    }
}

/// A clock that stands where the test puts it; it begins at the true time, as certificates have dates.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn now() -> Self {
        Self(Arc::new(AtomicU64::new(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())))
    }

    pub(crate) fn clock(&self) -> Clock {
        let own = Arc::clone(&self.0);
        Clock::new(move || own.load(Ordering::Relaxed))
    }

    pub(crate) fn turn_hours(&self, hours: i64) {
        let seconds = self.0.load(Ordering::Relaxed).checked_add_signed(hours * 3600).unwrap();
        self.0.store(seconds, Ordering::Relaxed);
    }
}

/// What a PoP has: files and what `routes.yaml` says of them.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) tls: Tls,
    pub(crate) hosts: Vec<Pattern>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) hands: Hands,
}

pub(crate) type Loaded = Result<(Table, Vec<Warning>), Vec<Problem>>;

impl Site {
    /// One listener with h2 and h1, no certificates.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            tls: Tls::default(),
            hosts: Vec::new(),
            listeners: vec![listener(true, true, None)],
            key_file: None,
            hands: Hands::now(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(crate) fn source(&mut self, source: CertificateSource) {
        let mut sources = std::mem::take(&mut self.tls.certificates).into_vec();
        sources.push(source);
        self.tls.certificates = sources.into();
    }

    /// Names `*.pem` of the folder `certs`.
    pub(crate) fn pattern(&mut self) {
        self.source(CertificateSource::Pattern(self.path("certs/*.pem")));
    }

    /// A site that has `pair` in the file `certs/NAME.pem` for each of `pairs`.
    pub(crate) fn with(pairs: &[(&str, &Pair)]) -> Self {
        let mut site = Self::new();
        for (name, pair) in pairs {
            site.write(&format!("certs/{name}.pem"), &pair.both());
        }
        site.pattern();
        site
    }

    /// Serves `pair` by itself for `hosts`.
    pub(crate) fn explicit(&mut self, name: &str, pair: &Pair, hosts: &[&str], default: bool) {
        let cert = self.write(&format!("{name}.crt"), &pair.cert);
        let key = self.write(&format!("{name}.key"), &pair.key);
        let hosts = hosts.iter().map(|host| (*host).into()).collect();
        self.source(CertificateSource::Pair { cert, key, hosts, default });
    }

    pub(crate) fn keys(&self) -> Keys {
        let state = self.path("state");
        Keys::load(self.key_file.as_deref(), &state, self.hands.clock()).unwrap().0
    }

    pub(crate) fn load(&self) -> Loaded {
        let wanted = Wanted {
            tls: &self.tls,
            hosts: self.hosts.iter().collect(),
            listeners: &self.listeners,
            admin: false,
        };
        Table::load(&wanted, &self.keys(), &self.path("state"))
    }

    pub(crate) fn table(&self) -> Table {
        self.load().unwrap_or_else(|problems| panic!("{problems:#?}")).0
    }

    /// Every problem as `key path: message`, with the folder left out.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.short(&self.load().err().unwrap_or_default())
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.short(&self.load().unwrap_or_else(|problems| panic!("{problems:#?}")).1)
    }

    fn short(&self, problems: &[Problem]) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let text = |problem: &Problem| format!("{}: {}", problem.key_path, problem.message);
        problems.iter().map(|problem| text(problem).replace(&folder, "")).collect()
    }
}

pub(crate) fn listener(h2: bool, h1: bool, client_ca: Option<&Path>) -> Listener {
    let client_ca = client_ca.map(Path::to_owned);
    Listener::new("127.0.0.1:0".parse().unwrap(), ListenerKind::Tls { h2, h1, client_ca })
}

/// A client that trusts `roots`.
pub(crate) fn client(roots: RootCertStore) -> ClientConfig {
    client_with(roots, ALL_VERSIONS, &[])
}

/// The same with these versions, and these suites in this order (all of them where none is named).
pub(crate) fn client_with(
    roots: RootCertStore,
    versions: &[&'static SupportedProtocolVersion],
    suites: &[CipherSuite],
) -> ClientConfig {
    let mut provider = default_provider();
    if !suites.is_empty() {
        let all = provider.cipher_suites;
        let find = |wanted: &CipherSuite| *all.iter().find(|suite| suite.suite() == *wanted).unwrap();
        provider.cipher_suites = suites.iter().map(find).collect();
    }
    let builder = ClientConfig::builder_with_provider(provider.into());
    let mut config =
        builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(32);
    config
}

/// A client with a certificate of its own.
pub(crate) fn client_as(roots: RootCertStore, own: &Pair) -> ClientConfig {
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    ClientConfig::builder_with_provider(default_provider().into())
        .with_protocol_versions(ALL_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![own.der()], key)
        .unwrap()
}

/// What came of a handshake.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) version: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) resumed: bool,
    pub(crate) tickets: u32,
    pub(crate) client_named: bool,
    pub(crate) group: Option<rustls::NamedGroup>,
}

/// Shakes hands as `client` for `name` at the first listener.
pub(crate) fn shake(table: &Table, client: &Arc<ClientConfig>, name: &str) -> Result<Session, Error> {
    shake_at(table, 0, client, name)
}

/// Shakes hands at a listener. The error is the client's: an alert where the server refused.
pub(crate) fn shake_at(
    table: &Table,
    listener: usize,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<Session, Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut acceptor = Acceptor::default();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    acceptor.read_tls(&mut hello.as_slice()).unwrap();
    let accepted = acceptor.accept().map_err(|(error, _)| error)?.unwrap();
    let Some(config) = table.config_for(&accepted.client_hello(), listener) else {
        client.read_tls(&mut UNRECOGNIZED_NAME.as_slice()).unwrap();
        return Err(client.process_new_packets().unwrap_err());
    };
    let mut server = match accepted.into_connection(config) {
        Ok(server) => server,
        Err((error, mut alert)) => {
            let mut wire = Vec::new();
            alert.write_all(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            return Err(client.process_new_packets().err().unwrap_or(error));
        }
    };
    exchange(&mut client, &mut server)?;
    Ok(Session {
        certificate: client.peer_certificates().unwrap()[0].clone().into_owned(),
        version: client.protocol_version().unwrap(),
        suite: client.negotiated_cipher_suite().unwrap().suite(),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        resumed: client.handshake_kind() == Some(HandshakeKind::Resumed),
        tickets: client.tls13_tickets_received(),
        client_named: server.peer_certificates().is_some(),
        group: client.negotiated_key_exchange_group().map(|group| group.name()),
    })
}

/// Carries records both ways until nobody has any left. A server's refusal reaches the client as an alert.
pub(crate) fn exchange(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Error> {
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            drop(server.process_new_packets());
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

pub(crate) fn alert(description: AlertDescription) -> Error {
    Error::AlertReceived(description)
}
