//! What one request leaves behind.

use crate::trace::TraceId;
use nearside_core::route::Action;
use nearside_core::{BackendId, Generation, PoolId, Reason, RouteId};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One request, at its end. It belongs to one generation, whose names are read when the line is written.
#[derive(Clone, Debug)]
pub struct Record {
    /// When the request's head had arrived.
    pub time: SystemTime,
    /// What the client said.
    pub asked: Asked,
    /// What else of the client's words is written down, where the file asks for any.
    pub words: Option<Box<Words>>,
    /// The client's address, as believed.
    pub client: IpAddr,
    /// The address at the other end of the socket.
    pub peer: IpAddr,
    /// What the client spoke.
    pub protocol: Protocol,
    /// The TLS version, when there was one.
    pub tls: Option<TlsVersion>,
    /// The generation that decided.
    pub generation: Arc<Generation>,
    /// The route that matched.
    pub route: Option<RouteId>,
    /// The backend that answered, or was tried last.
    pub backend: Option<BackendId>,
    /// Why it went there, or was not served; `None` for an answer that its route declares.
    pub reason: Option<Reason>,
    /// The answer's status; `None` when the client got none.
    pub status: Option<u16>,
    /// How many backends were tried.
    pub tries: u32,
    /// From the head to the end of the answer.
    pub total: Duration,
    /// What the last connection took to make; `None` when a kept one served.
    pub connect: Option<Duration>,
    /// From the head to the first byte of the answer's head.
    pub first_byte: Option<Duration>,
    /// Bytes of request body.
    pub bytes_in: u64,
    /// Bytes of answer body.
    pub bytes_out: u64,
    /// The trace that it belongs to.
    pub trace: TraceId,
}

impl Record {
    /// Whether it is written down, whatever share of requests is: an error, a refusal, a failover or a repeat.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        let told = self.reason.is_some_and(|reason| {
            let family = reason.name().split_once('.').map(|(family, _)| family);
            matches!(family, Some("refused" | "failed"))
                || matches!(reason, Reason::WonFailover | Reason::WonFailOpen)
        });
        told || self.tries > 1 || self.status.is_none_or(|status| status >= 500)
    }

    /// The names of what it went through.
    pub(crate) fn names(&self) -> Names<'_> {
        let generation: &Generation = &self.generation;
        let backend = self.backend.and_then(|id| generation.backend(id));
        let region = backend.and_then(|backend| generation.region(backend.region));
        let pool = self.pool().and_then(|id| generation.pool(id));
        Names {
            route: self.route.and_then(|id| generation.routes.route(id)).map(|route| &*route.id),
            pool: pool.map(|pool| &*pool.name),
            region: region.map(|region| &*region.name),
            backend: backend.map(|backend| &*backend.name),
        }
    }

    /// The pool that the request was for.
    #[must_use]
    pub fn pool(&self) -> Option<PoolId> {
        let chosen = self.backend.and_then(|id| self.generation.backend(id)).map(|backend| backend.pool);
        chosen.or_else(|| match self.generation.routes.route(self.route?)?.action {
            Action::Forward(pool) => Some(pool),
            Action::Answer(_) => None,
        })
    }
}

/// What a record's ids are called in its generation, as far as it has any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) route: Option<&'a str>,
    pub(crate) pool: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) backend: Option<&'a str>,
}

/// What a client spoke.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsVersion {
    /// 1.2.
    V12,
    /// 1.3.
    V13,
}

impl TlsVersion {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        }
    }
}

/// The texts of a request, in one allocation. They are the client's: they go into the log, escaped, and nowhere
/// else.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    text: Box<[u8]>,
    /// Where the ref, the method and the host end.
    ends: [usize; 3],
}

/// Words of the client that are written down where the file asks for them: the client's, as [`Asked`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Words {
    /// The query.
    pub query: Option<Word>,
    /// Its cookies.
    pub cookie: Option<Word>,
    /// Its credentials.
    pub authorization: Option<Word>,
    /// Where it says that it comes from.
    pub referrer: Option<Word>,
    /// What it calls itself.
    pub agent: Option<Word>,
}

/// A value that a client has sent, no longer than is written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Word(Box<[u8]>);

impl Word {
    /// The value.
    #[must_use]
    pub fn new(value: &[u8]) -> Self {
        Self(value.get(..value.len().min(LONGEST)).unwrap_or_default().into())
    }

    /// The value without the query of the address that it is.
    #[must_use]
    pub fn without_query(value: &[u8]) -> Self {
        Self::new(value.split(|byte| *byte == b'?').next().unwrap_or_default())
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The longest path, and the longest host, that is written down.
const LONGEST: usize = 2048;

impl Asked {
    /// The texts of a request. The query is left out of `path`, as it may hold secrets.
    #[must_use]
    pub fn new(reference: &str, method: &[u8], host: &[u8], path: &[u8]) -> Self {
        let query = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
        let parts = [reference.as_bytes(), method, host, path.get(..query).unwrap_or_default()];
        let parts = parts.map(|part| part.get(..part.len().min(LONGEST)).unwrap_or_default());
        let [reference, method, host, _] = parts.map(<[u8]>::len);
        let ends = [reference, reference + method, reference + method + host];
        Self { text: parts.concat().into(), ends }
    }

    /// The request's unique id.
    #[must_use]
    pub fn reference(&self) -> &[u8] {
        self.part(0, self.ends[0])
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.part(self.ends[0], self.ends[1])
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.part(self.ends[1], self.ends[2])
    }

    /// The path, without its query.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.part(self.ends[2], self.text.len())
    }

    fn part(&self, from: usize, to: usize) -> &[u8] {
        self.text.get(from..to).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_never_kept() {
        let asked = Asked::new("r1", b"GET", b"a.example", b"/login?token=secret");
        assert_eq!(
            (asked.reference(), asked.method(), asked.host(), asked.path()),
            (b"r1".as_slice(), b"GET".as_slice(), b"a.example".as_slice(), b"/login".as_slice())
        );
        assert!(!asked.text.windows(6).any(|part| part == b"secret"));
    }

    #[test]
    fn errors_refusals_failovers_and_repeats_are_notable() {
        let usual = Record {
            time: SystemTime::UNIX_EPOCH,
            asked: Asked::default(),
            words: None,
            client: IpAddr::from([192, 0, 2, 7]),
            peer: IpAddr::from([192, 0, 2, 7]),
            protocol: Protocol::Http2,
            tls: None,
            generation: Arc::default(),
            route: None,
            backend: None,
            reason: Some(Reason::WonLatency),
            status: Some(404),
            tries: 1,
            total: Duration::ZERO,
            connect: None,
            first_byte: None,
            bytes_in: 0,
            bytes_out: 0,
            trace: TraceId::default(),
        };
        let with = |reason| Record { reason, ..usual.clone() }.is_notable();
        assert!(!usual.is_notable() && !with(None) && !with(Some(Reason::NoRoutePath)));
        assert!(
            with(Some(Reason::WonFailover))
                && with(Some(Reason::RefusedLimit))
                && with(Some(Reason::FailedClientGone))
        );
        assert!(Record { status: Some(500), ..usual.clone() }.is_notable());
        assert!(Record { status: None, ..usual.clone() }.is_notable());
        assert!(Record { tries: 2, ..usual }.is_notable());
    }

    #[test]
    fn a_long_path_is_cut() {
        assert_eq!(Asked::new("r", b"GET", b"h", &[b'a'; 9000]).path().len(), LONGEST);
        assert_eq!(Asked::new("", b"", b"", b""), Asked::default());
    }
}
