//! Backends and where they listen.

use super::Drain;
use crate::id::{BackendKey, PoolId, RegionId};
use crate::random::salt;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// One addressable target.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Its identity over generations.
    pub key: BackendKey,
    /// Its id in the file, or its url.
    pub name: Arc<str>,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Its pool.
    pub pool: PoolId,
    /// Its region.
    pub region: RegionId,
    /// Its tier; 1 is first.
    pub priority: u8,
    /// Its share inside what is left; 0 is no new traffic.
    pub weight: u16,
    /// Requests at one time, as this PoP counts them.
    pub max_in_flight: Option<u32>,
    /// The operator's mark.
    pub drain: Option<Drain>,
    /// A number that stands for its identity.
    pub salt: u64,
}

/// Where a backend listens.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Endpoint {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A host name in lower case, an IP address without brackets, or the path of a Unix socket, which alone begins
    /// with a slash.
    pub host: Box<str>,
    /// Its port; 0 for a Unix socket.
    pub port: u16,
}

impl Endpoint {
    /// The Unix socket at `path`, which begins with a slash.
    #[must_use]
    pub fn unix(path: &str) -> Self {
        Self { tls: false, host: path.into(), port: 0 }
    }

    /// The path, where it is a Unix socket.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.host.starts_with('/').then(|| Path::new(&*self.host))
    }

    /// The `Host` for it: without the port where that is the scheme's own. A Unix socket is `localhost`.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.socket().is_some() {
            return "localhost".to_owned();
        }
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        let default_port = if self.tls { 443 } else { 80 };
        if self.port == default_port { host } else { format!("{host}:{}", self.port) }
    }
}

/// Its url.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket() {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority()),
        }
    }
}

impl Backend {
    /// The backend `name` of `pool`, of the first tier and without a limit.
    #[must_use]
    pub fn new(pool: (PoolId, &str), name: &str, endpoint: Endpoint, region: RegionId) -> Self {
        let key = BackendKey::new(pool.1, name);
        Self {
            salt: salt(key.as_str()),
            key,
            name: name.into(),
            endpoint,
            pool: pool.0,
            region,
            priority: 1,
            weight: 50,
            max_in_flight: None,
            drain: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_a_host_and_a_url() {
        let check = |endpoint: &Endpoint, authority: &str, url: &str| {
            assert_eq!((endpoint.authority().as_str(), endpoint.to_string().as_str()), (authority, url));
        };
        let tcp = |tls, host: &str, port| Endpoint { tls, host: host.into(), port };
        check(&tcp(true, "a.example", 443), "a.example", "https://a.example");
        check(&tcp(false, "2001:db8::1", 8080), "[2001:db8::1]:8080", "http://[2001:db8::1]:8080");
        check(&Endpoint::unix("/run/app.sock"), "localhost", "unix:/run/app.sock");
        assert_eq!(tcp(true, "a.example", 443).socket(), None);
    }
}
