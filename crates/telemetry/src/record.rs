//! What one request leaves behind.

use crate::trace::TraceId;
use nearside_core::route::Action;
use nearside_core::{BackendId, Generation, PoolId, Reason, RouteId};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One request, at its end. It belongs to one generation, whose names are read when the line is written.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// When the request's head had arrived.
    pub time: SystemTime,
    /// What the client said.
    pub asked: Asked<'a>,
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

impl Record<'_> {
    /// The same, with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Record<'static> {
        Record { asked: self.asked.into_owned(), ..self }
    }

    /// Whether it is written down, whatever share of requests is: an error, a refusal, a failover or a repeat.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        let told = self.reason.is_some_and(|reason| {
            let name = reason.name();
            name.starts_with("refused.")
                || name.starts_with("failed.")
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

/// The texts of a request. They are the client's: they go into the log, escaped, and nowhere else.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Asked<'a> {
    /// The request's unique id.
    pub reference: Cow<'a, [u8]>,
    /// The method.
    pub method: Cow<'a, [u8]>,
    /// The host.
    pub host: Cow<'a, [u8]>,
    /// The path, without its query, which may hold secrets.
    pub path: Cow<'a, [u8]>,
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

impl<'a> Asked<'a> {
    /// The texts of a request, no longer than is written down. The query of `path` is left out.
    #[must_use]
    pub fn new(reference: &'a str, method: &'a [u8], host: &'a [u8], path: &'a [u8]) -> Self {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
        let [reference, method, host, path] = [reference.as_bytes(), method, host, path]
            .map(|part| Cow::Borrowed(part.get(..part.len().min(LONGEST)).unwrap_or_default()));
        Self { reference, method, host, path }
    }

    /// The same, with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Asked<'static> {
        let [reference, method, host, path] =
            [self.reference, self.method, self.host, self.path].map(|part| Cow::Owned(part.into_owned()));
        Asked { reference, method, host, path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_never_kept() {
        let asked = Asked::new("r1", b"GET", b"a.example", b"/login?token=secret");
        let texts = [&asked.reference, &asked.method, &asked.host, &asked.path].map(|text| text.to_vec());
        assert_eq!(texts, [b"r1".to_vec(), b"GET".to_vec(), b"a.example".to_vec(), b"/login".to_vec()]);
        assert_eq!(asked.clone().into_owned(), asked);
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
        assert_eq!(Asked::new("r", b"GET", b"h", &[b'a'; 9000]).path.len(), LONGEST);
        assert_eq!(Asked::new("", b"", b"", b""), Asked::default());
    }
}
