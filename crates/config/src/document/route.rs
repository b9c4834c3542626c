//! Routes: host, path and methods to a pool or an answer.

use crate::document::law::{GeoRule, Residency};
use crate::document::pool::Backend;
use crate::document::session::Home;
use crate::scalar::answer::{AnswerStatus, Location};
use crate::scalar::field::{FieldName, FieldValue};
use crate::scalar::http::{Method, Target};
use crate::scalar::quantity::Size;
use crate::scalar::{Int, Name, Says, words};
use crate::shape::{Names, OneOrMore, Some1, Word, WordOr, document};
use nearside_core::host::Pattern;
use nearside_core::route::{PathPattern, Paths};

/// `any`: every method but TRACE and CONNECT.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Any;

impl Word for Any {
    const WORD: &'static str = "any";
}

/// The methods of a route.
pub(crate) type MethodList = WordOr<Any, Some1<Method>>;

document! {
    entry
    /// A route. It has one of `pool`, `backends` and `answer`.
    Route {
        /// Its name in logs and metrics. By default `<host><path>`, of the first host.
        id: Option<Says> = None,
        /// The hosts that it serves: exact, everything below one (at any depth), or every host. Exact wins over the longest wildcard, and that over `*`.
        host: OneOrMore<Pattern>,
        /// The path that it serves: `/a` is that path alone, `/a/*` is `/a`, `/a/` and all below. Exact wins over the longest prefix.
        path: PathPattern = PathPattern::Prefix("".into()),
        /// The methods that it serves. GET brings HEAD with it.
        methods: MethodList = WordOr::word(),
        /// The pool that it forwards to.
        pool: Option<Name> = None,
        /// Backends of its own instead: a pool that is named after the route and inherits `defaults`.
        backends: Option<Some1<Backend>> = None,
        /// A fixed answer instead.
        answer: Option<Answer> = None,
        /// Edits of headers.
        headers: Headers = Headers::default(),
        /// What is taken off the front of the path before the request is forwarded.
        strip_prefix: Option<Target> = None,
        /// What becomes of a path that programs may read in several ways: dot segments, empty segments, backslashes, escaped slashes, escapes of characters that need none. `strict` refuses it, `normalise` forwards its normal form, `as_is` forwards it as it came, if it leads to this route in both forms. Routes are always chosen by the normal form, and a path that has none (`%00`, a broken escape) is always refused.
        paths: Paths = Paths::Strict,
        /// The upgrades that may pass. What is not listed is no upgrade: in HTTP/1.1 the request goes on without it, in
        /// HTTP/2 an extended CONNECT is refused.
        upgrades: Vec<Upgrade> = vec![Upgrade::Websocket],
        /// What is refused.
        limits: Limits = Limits::default(),
        /// Where the requests of a place go first.
        geo: Vec<GeoRule> = Vec::new(),
        /// The residency class of every request, or who is of which.
        residency: Option<Residency> = None,
        /// The region where the user's data lives, as the request says it.
        home: Option<Home> = None,
    }
}

document! {
    entry
    /// A fixed answer.
    Answer {
        /// Its status.
        status: AnswerStatus,
        /// Its body.
        body: Box<str> = Box::default(),
        /// The target of a redirect, with `{path}`, `{query}` (with its question mark, if there is one) and `{host}` in it.
        location: Option<Location> = None,
    }
}

document! {
    settings
    /// Edits of headers.
    Headers {
        /// Edits of the answer's.
        to_client: FieldEdits = FieldEdits::default(),
        /// Edits of the request's.
        to_backend: FieldEdits = FieldEdits::default(),
    }
}

document! {
    settings
    /// Edits of headers: first `remove`, then `set`, then `add`.
    FieldEdits {
        /// The headers that are removed.
        remove: Vec<FieldName> = Vec::new(),
        /// The headers that get this one value.
        set: Names<FieldName, FieldValue> = Names::default(),
        /// The headers that get this value besides.
        add: Names<FieldName, FieldValue> = Names::default(),
    }
}

/// An upgrade that may pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Upgrade {
    Websocket,
}

words!(Paths { "strict" => Paths::Strict, "normalise" => Paths::Normalise, "as_is" => Paths::AsIs });

words!(Upgrade { "websocket" => Upgrade::Websocket });

document! {
    settings
    /// What a route refuses.
    Limits {
        /// The bytes of a body. By default there is no limit.
        body: Option<Size<{ u64::MAX }>> = None,
        /// The bytes of all headers of a request.
        headers: Size<{ 1 << 20 }> = Size(64 << 10),
        /// The bytes of a request's target.
        url: Size<{ 1 << 20 }> = Size(8 << 10),
        /// The requests in flight. By default there is no limit.
        concurrency: Option<Int<1, { u32::MAX }>> = None,
    }
}

impl Route {
    /// Its id, or `<host><path>` where it has none.
    pub(crate) fn name(&self) -> String {
        match (&self.id, self.host.0.first()) {
            (Some(id), _) => id.0.to_string(),
            (None, Some(host)) => format!("{host}{}", self.path),
            (None, None) => self.path.to_string(),
        }
    }
}
