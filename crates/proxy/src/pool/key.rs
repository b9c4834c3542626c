//! What tells connections apart: two requests share one only where the keys are equal.

use crate::dial::Preamble;
use crate::live::Live;
use nearside_core::generation::Endpoint;
use nearside_core::policy::Protocol;
use nearside_core::{BackendId, BackendKey};
use nearside_tls::Identity;
use rustls::pki_types::ServerName;

/// The backend, and how it is spoken to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Key {
    pub(super) backend: BackendKey,
    /// The url may change under one id.
    pub(super) endpoint: Endpoint,
    pub(super) protocol: Protocol,
    /// Authorities, client certificate and ALPN as one identity; and the name that is verified.
    pub(super) tls: Option<(Identity, ServerName<'static>)>,
    /// For whom a connection is, where the backend was told.
    pub(super) preamble: Option<Preamble>,
}

impl Key {
    /// The key of connections to `backend` as `live` describes it.
    pub(super) fn of(live: &Live, id: BackendId) -> Option<Self> {
        let backend = live.generation.backend(id)?;
        let pool = live.generation.pool(backend.pool)?;
        let client = live.backend_tls.pool(backend.pool).map(|client| client.identity);
        let name = live.backend_tls.server_name(id).cloned();
        Some(Self {
            backend: backend.key.clone(),
            endpoint: backend.endpoint.clone(),
            protocol: pool.connections.protocol,
            tls: client.zip(name).filter(|_| backend.endpoint.tls),
            preamble: None,
        })
    }

    /// Whether connections may turn out to be HTTP/2, which many requests share.
    pub(super) fn may_share(&self) -> bool {
        match self.protocol {
            Protocol::H1 => false,
            Protocol::H2 | Protocol::H2c => true,
            Protocol::Auto => self.tls.is_some(),
        }
    }

    /// Whether a connection speaks HTTP/2 for which ALPN chose `alpn`; `None` where that is not what the pool wants.
    pub(super) fn speaks_h2(&self, alpn: Option<&[u8]>) -> Option<bool> {
        speaks_h2(self.protocol, self.tls.is_some(), alpn)
    }
}

/// Whether a connection with or without TLS, for which ALPN chose `alpn`, speaks HTTP/2 under a pool's `protocol`;
/// `None` where that is not what the pool wants.
pub(crate) fn speaks_h2(protocol: Protocol, tls: bool, alpn: Option<&[u8]>) -> Option<bool> {
    let chosen = alpn == Some(b"h2");
    match protocol {
        Protocol::H1 => Some(false),
        Protocol::Auto => Some(chosen),
        // A url without TLS leaves prior knowledge, whichever of the two words the file uses.
        Protocol::H2 | Protocol::H2c if !tls => Some(true),
        Protocol::H2 | Protocol::H2c => chosen.then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial::Parties;
    use nearside_core::policy::ProxyProtocol;

    fn key(protocol: Protocol, tls: bool) -> Key {
        let name = ServerName::try_from("a.example").unwrap();
        Key {
            backend: BackendKey::new("web", "a"),
            endpoint: Endpoint { tls, host: "a.example".into(), port: 443 },
            protocol,
            tls: tls.then(|| (Identity::of(["authorities"]), name)),
            preamble: None,
        }
    }

    fn preamble(client: &str) -> Preamble {
        let [client, local] = [client, "127.0.0.1:443"].map(|text| text.parse().unwrap());
        Preamble { version: ProxyProtocol::V2, parties: Some(Parties { client, local }) }
    }

    #[test]
    fn keys_differ_with_all_that_must_not_mix() {
        let one = key(Protocol::Auto, true);
        let other = |change: fn(&mut Key)| {
            let mut other = one.clone();
            change(&mut other);
            other
        };
        assert_eq!(one, one.clone());
        assert_ne!(one, other(|key| key.backend = BackendKey::new("other", "a")));
        assert_ne!(one, other(|key| key.endpoint.port = 444));
        assert_ne!(one, other(|key| key.protocol = Protocol::H1));
        assert_ne!(one, other(|key| key.tls = None));
        assert_ne!(one, other(|key| key.preamble = Some(preamble("127.0.0.1:1"))));
        assert_ne!(preamble("127.0.0.1:1"), preamble("127.0.0.1:2"));
        let name = ServerName::try_from("a.example").unwrap();
        assert_eq!(one, other(|key| key.tls = Some((Identity::of(["authorities"]), name_of("a.example")))));
        assert_ne!(one, Key { tls: Some((Identity::of(["other authorities"]), name)), ..one.clone() });
        assert_ne!(one, other(|key| key.tls = Some((Identity::of(["authorities"]), name_of("b.example")))));
    }

    fn name_of(text: &'static str) -> ServerName<'static> {
        ServerName::try_from(text).unwrap()
    }

    #[test]
    fn alpn_decides_where_the_pool_leaves_it_open_and_is_held_to_where_it_does_not() {
        let h2 = Some(b"h2".as_slice());
        let check = |protocol, tls, alpn, expected| assert_eq!(key(protocol, tls).speaks_h2(alpn), expected);
        check(Protocol::Auto, true, h2, Some(true));
        check(Protocol::Auto, true, None, Some(false));
        check(Protocol::Auto, false, None, Some(false));
        check(Protocol::H2, true, h2, Some(true));
        check(Protocol::H2, true, Some(b"http/1.1"), None);
        check(Protocol::H2c, false, None, Some(true));
        check(Protocol::H1, true, None, Some(false));
        assert!(!key(Protocol::Auto, false).may_share());
        assert!(key(Protocol::Auto, true).may_share());
    }
}
