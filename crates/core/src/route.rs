//! A route: host, path and methods to a pool or a fixed answer, with its policy.

use crate::candidates::Set;
use crate::home::Home;
use crate::host::Pattern;
use crate::id::PoolId;
use crate::method::Methods;
use crate::path;
use crate::place::ByArea;
use crate::residency::Residency;
use std::fmt;
use std::sync::Arc;

/// One route of a generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its name in logs and metrics.
    pub id: Arc<str>,
    /// The hosts that it serves.
    pub hosts: Box<[Pattern]>,
    /// The path that it serves.
    pub path: PathPattern,
    /// The methods that it serves.
    pub methods: Methods,
    /// What it does.
    pub action: Action,
    /// Edits of the answer's fields.
    pub to_client: FieldEdits,
    /// Edits of the request's fields.
    pub to_backend: FieldEdits,
    /// Taken off the front of the path before it is forwarded.
    pub strip_prefix: Option<Box<str>>,
    /// What becomes of paths that can be read in several ways.
    pub paths: Paths,
    /// Whether WebSocket upgrades may pass.
    pub websocket: bool,
    /// What is refused.
    pub limits: Limits,
    /// Where requests of a place go first: sets of equal regions, in their order.
    pub geo: ByArea<Box<[Set]>>,
    /// Which regions may handle them by law.
    pub residency: Residency,
    /// Where the user's data lives.
    pub home: Option<Home>,
}

impl Route {
    /// A route for everything of `host` to `pool`, without any policy.
    #[must_use]
    pub fn new(id: &str, host: Pattern, pool: PoolId) -> Self {
        Self {
            id: id.into(),
            hosts: [host].into(),
            path: PathPattern::Prefix("".into()),
            methods: Methods::Any,
            action: Action::Forward(pool),
            to_client: FieldEdits::default(),
            to_backend: FieldEdits::default(),
            strip_prefix: None,
            paths: Paths::Strict,
            websocket: true,
            limits: Limits { body: None, headers: 64 << 10, url: 8 << 10, concurrency: None },
            geo: ByArea::default(),
            residency: Residency::None,
            home: None,
        }
    }

    /// Whether a decision for it depends on where the client is.
    #[must_use]
    pub fn asks_for_place(&self) -> bool {
        !self.geo.is_empty() || self.residency != Residency::None
    }
}

/// What becomes of a path that is not in its normal form, so that programs may read it in several ways. Routes are always
/// chosen by the normal form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paths {
    /// It is refused.
    Strict,
    /// Its normal form is forwarded.
    Normalise,
    /// It is forwarded as it came, if the same route is chosen by it as by its normal form; else it is refused.
    AsIs,
}

/// Which paths a route serves.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum PathPattern {
    /// This path.
    Exact(Box<str>),
    /// This path, without trailing slash, and everything below it: `/a/*` is `/a`, and `/*` is empty.
    Prefix(Box<str>),
}

impl PathPattern {
    /// Reads `/a` or `/a/*`; `None` when it does not begin with a slash, has a star elsewhere, or is not in its normal
    /// form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (path, prefix) = match text.strip_suffix("/*") {
            Some(path) => (path, true),
            None => (text, false),
        };
        let rooted = path.starts_with('/') || (prefix && path.is_empty());
        let plain = path.is_empty() || path::is_plain(path);
        if !rooted || !plain || path.contains('*') || (prefix && path.ends_with('/')) {
            return None;
        }
        // The normal form, which is what requests are compared in.
        let path: Box<str> = if path.is_empty() { path.into() } else { path::normal(path)?.into() };
        Some(if prefix { Self::Prefix(path) } else { Self::Exact(path) })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{path}/*"),
        }
    }
}

/// What a route does with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Forwards it to a pool.
    Forward(PoolId),
    /// Answers it here.
    Answer(Answer),
}

/// A fixed answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Box<str>,
    /// Its `Location`, in pieces.
    pub location: Option<Box<[LocationPart]>>,
}

/// A piece of a redirect's target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LocationPart {
    /// This text.
    Text(Box<str>),
    /// The request's path: `{path}`.
    Path,
    /// The request's query with its question mark, if it has one: `{query}`.
    Query,
    /// The request's host: `{host}`.
    Host,
}

/// Edits of a head's fields: first `remove`, then `set`, then `add`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FieldEdits {
    /// Names to remove, in lower case.
    pub remove: Box<[Box<str>]>,
    /// Names, in lower case, and the one value that they get.
    pub set: Box<[(Box<str>, Box<str>)]>,
    /// Names, in lower case, and a value that they get besides.
    pub add: Box<[(Box<str>, Box<str>)]>,
}

impl FieldEdits {
    /// Whether there is nothing to edit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }
}

/// What a route refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of body; `None` is no limit.
    pub body: Option<u64>,
    /// Bytes of fields.
    pub headers: usize,
    /// Bytes of request target.
    pub url: usize,
    /// Requests in flight; `None` is no limit.
    pub concurrency: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(PathPattern::parse(text).map(|p| p.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn a_path_is_exact_or_a_prefix() {
        check("/", Some("/"));
        check("/*", Some("/*"));
        check("/a/*", Some("/a/*"));
        check("/a/", Some("/a/"));
        check("/a%c3%a4a/*", Some("/a%C3%A4a/*"));
        check("a", None);
        check("/a*", None);
        check("/*/b", None);
        check("*", None);
        check("/a//b", None);
        check("/%61/*", None);
    }
}
