//! Names of backends and the addresses behind them.

use arc_swap::{ArcSwap, ArcSwapOption};
use async_trait::async_trait;
use nearside_core::generation::Endpoint;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddr;
use pingora_core::{Error, ErrorType};
use pingora_load_balancing::discovery::ServiceDiscovery;
use pingora_load_balancing::{Backend, Extensions};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// An answer is kept no shorter than this, so that a TTL of 0 is no load ...
const SHORTEST: Duration = Duration::from_secs(5);
/// ... and no longer than this, so that a mistaken TTL of a day is no outage.
const LONGEST: Duration = Duration::from_mins(5);
/// When a resolver without an answer has failed.
const DEADLINE: Duration = Duration::from_secs(10);

/// The addresses of a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// How long they hold.
    pub ttl: Duration,
}

/// Why a host has no addresses.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot resolve {host:?}: {why}")]
pub struct Unresolved {
    /// The host.
    pub host: Box<str>,
    /// What the resolver says.
    pub why: Box<str>,
}

/// Asks for the addresses of hosts.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of `host`.
    ///
    /// # Errors
    /// When there is none, or nobody who knows.
    async fn resolve(&self, host: &str) -> Result<Answer, Unresolved>;
}

/// Where an endpoint is: its addresses as last resolved.
#[derive(Debug)]
pub(crate) struct Name {
    host: Box<str>,
    port: u16,
    addresses: ArcSwap<Arc<[SocketAddr]>>,
    error: ArcSwapOption<String>,
    asked: watch::Sender<bool>,
}

impl Name {
    /// The name of `endpoint`; an IP literal has its address at once, and a Unix socket needs none.
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let literal: Option<IpAddr> = endpoint.host.parse().ok();
        let addresses: Arc<[SocketAddr]> =
            literal.iter().map(|address| SocketAddr::new(*address, endpoint.port)).collect();
        Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            addresses: ArcSwap::from_pointee(addresses),
            error: ArcSwapOption::empty(),
            asked: watch::Sender::new(literal.is_some() || endpoint.socket().is_some()),
        }
    }

    /// Whether there is nothing to resolve: it is an address already, or a path.
    pub(crate) fn is_literal(&self) -> bool {
        self.is_socket() || self.host.parse::<IpAddr>().is_ok()
    }

    /// Whether it is a Unix socket.
    pub(crate) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Its addresses, IPv6 and IPv4 in turn (RFC 8305, section 4); none before the first answer, nor of a Unix socket.
    pub(crate) fn addresses(&self) -> Arc<[SocketAddr]> {
        Arc::clone(&self.addresses.load())
    }

    /// Its addresses, or the path of a Unix socket, as text.
    pub(crate) fn shown(&self) -> Vec<String> {
        if self.is_socket() {
            return vec![self.host.to_string()];
        }
        self.addresses().iter().map(ToString::to_string).collect()
    }

    /// Knows `addresses` until it is asked for, unless it is an address itself.
    pub(crate) fn recall(&self, addresses: &[SocketAddr]) {
        if !self.is_literal() && self.addresses.load().is_empty() {
            self.addresses.store(Arc::new(addresses.into()));
        }
    }

    /// Why the last question had no answer.
    pub(crate) fn error(&self) -> Option<String> {
        self.error.load().as_deref().cloned()
    }

    /// Waits until it has been asked for once.
    pub(crate) async fn asked(&self) {
        // The sender lives in `self`, so the wait ends by the value alone.
        drop(self.asked.subscribe().wait_for(|asked| *asked).await);
    }

    /// Asks once. A failure keeps the last good answer. How long until the next question.
    pub(crate) async fn refresh(&self, discovery: &(dyn ServiceDiscovery + Send + Sync)) -> Duration {
        let found = match timeout(DEADLINE, discovery.discover()).await {
            Ok(Ok((backends, _))) => Ok(backends),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
        };
        let pause = match found {
            Ok(backends) => {
                let ttl = backends.iter().find_map(|backend| backend.ext.get::<Ttl>());
                let ttl = ttl.map_or(SHORTEST, |ttl| ttl.0);
                let addresses =
                    in_turn(backends.iter().filter_map(|backend| backend.addr.as_inet().copied()));
                self.addresses.store(Arc::new(addresses));
                self.error.store(None);
                ttl.clamp(SHORTEST, LONGEST)
            }
            Err(text) => {
                if self.error.load().is_none() {
                    tracing::warn!(host = &*self.host, error = text, "name not resolved");
                }
                self.error.store(Some(Arc::new(text)));
                SHORTEST
            }
        };
        self.asked.send_replace(true);
        pause
    }
}

/// Resolves one name as pingora's discovery: its addresses as backends that carry their TTL.
pub(crate) struct Lookup {
    pub(crate) name: Arc<Name>,
    pub(crate) resolver: Arc<dyn Resolver>,
}

#[derive(Clone, Copy, Debug)]
struct Ttl(Duration);

#[async_trait]
impl ServiceDiscovery for Lookup {
    async fn discover(&self) -> pingora_core::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let answer = self.resolver.resolve(&self.name.host).await;
        let answer = answer.map_err(|error| Error::explain(ErrorType::ConnectNoRoute, error.to_string()))?;
        if answer.addresses.is_empty() {
            return Err(Error::explain(ErrorType::ConnectNoRoute, "an answer without addresses"));
        }
        let backend = |address: &IpAddr| {
            let mut ext = Extensions::new();
            ext.insert(Ttl(answer.ttl));
            Backend { addr: PeerAddr::Inet(SocketAddr::new(*address, self.name.port)), weight: 1, ext }
        };
        Ok((answer.addresses.iter().map(backend).collect(), HashMap::new()))
    }
}

fn in_turn(addresses: impl Iterator<Item = SocketAddr>) -> Arc<[SocketAddr]> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.partition(SocketAddr::is_ipv6);
    let rounds = six.len().max(four.len());
    (0..rounds).flat_map(|round| [six.get(round), four.get(round)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    struct Script(Mutex<Vec<Result<Answer, &'static str>>>);

    #[async_trait]
    impl Resolver for Script {
        async fn resolve(&self, host: &str) -> Result<Answer, Unresolved> {
            let next = self.0.lock().unwrap().remove(0);
            next.map_err(|why| Unresolved { host: host.into(), why: why.into() })
        }
    }

    fn lookup(answers: Vec<Result<Answer, &'static str>>) -> Lookup {
        let endpoint = Endpoint { tls: false, host: "a.example".into(), port: 80 };
        let resolver = Arc::new(Script(Mutex::new(answers)));
        Lookup { name: Arc::new(Name::new(&endpoint)), resolver }
    }

    fn answer(addresses: &[&str], seconds: u64) -> Result<Answer, &'static str> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Ok(Answer { addresses, ttl: Duration::from_secs(seconds) })
    }

    #[tokio::test]
    async fn the_last_good_answer_survives_a_failure() {
        let lookup = lookup(vec![
            answer(&["192.0.2.1", "2001:db8::1", "192.0.2.2"], 60),
            Err("no server"),
            Ok(Answer { addresses: Vec::new(), ttl: LONGEST }),
            answer(&["192.0.2.9"], 60),
        ]);
        let name = &lookup.name;
        assert_eq!(name.shown(), Vec::<String>::new());
        assert_eq!(name.refresh(&lookup).await, Duration::from_secs(60));
        let first = ["[2001:db8::1]:80", "192.0.2.1:80", "192.0.2.2:80"];
        assert_eq!(name.shown(), first);
        assert_eq!(name.refresh(&lookup).await, SHORTEST);
        assert_eq!(name.shown(), first);
        assert!(name.error().unwrap().contains("no server"), "{:?}", name.error());
        assert_eq!(name.refresh(&lookup).await, SHORTEST);
        assert_eq!(name.shown(), first);
        name.refresh(&lookup).await;
        assert_eq!((name.shown(), name.error()), (vec!["192.0.2.9:80".to_string()], None));
    }

    #[tokio::test]
    async fn a_ttl_is_kept_between_5_seconds_and_5_minutes() {
        let lookup = lookup(vec![answer(&["192.0.2.1"], 0), answer(&["192.0.2.1"], 86_400)]);
        assert_eq!(lookup.name.refresh(&lookup).await, Duration::from_secs(5));
        assert_eq!(lookup.name.refresh(&lookup).await, Duration::from_mins(5));
    }

    #[tokio::test]
    async fn a_socket_has_nothing_to_resolve() {
        let name = Name::new(&Endpoint::unix("/run/app.sock"));
        name.asked().await;
        assert!(name.is_literal() && name.addresses().is_empty());
        assert_eq!(name.shown(), ["/run/app.sock"]);
    }

    #[tokio::test]
    async fn a_literal_has_its_address_at_once() {
        let name = Name::new(&Endpoint { tls: true, host: "2001:db8::7".into(), port: 8443 });
        name.asked().await;
        assert!(name.is_literal());
        assert_eq!(name.shown(), ["[2001:db8::7]:8443"]);
    }
}
