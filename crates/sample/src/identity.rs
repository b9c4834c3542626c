//! The identity of a backend, and what it saw of a request.

use std::collections::BTreeMap;

use http::header::{ACCEPT, HOST};
use http::request::Parts;
use serde_json::{Value, json};

use crate::body::words;

/// Who answers.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) region: String,
}

/// How a connection came to be, as far as its requests may ask.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// `h1` or `h2`.
    pub(crate) protocol: &'static str,
    /// `null` in clear.
    pub(crate) tls: Value,
}

impl Identity {
    /// One line for people, or an object where the request asks for JSON.
    pub(crate) fn answer(
        &self,
        request: &Parts,
        session: &Session,
        body_length: u64,
    ) -> (String, &'static str) {
        if wants_json(request) {
            let text = format!("{:#}\n", self.seen(request, session, body_length));
            return (text, "application/json");
        }
        let Self { name, region } = self;
        let path = path(request);
        let reference = reference(request).map(|reference| format!(", ref {reference}")).unwrap_or_default();
        let line =
            format!("{name} in {region}: {} {path} over {}{reference}\n", request.method, session.protocol);
        (line, "text/plain")
    }

    fn seen(&self, request: &Parts, session: &Session, body_length: u64) -> Value {
        let headers = words(&request.headers);
        let beginning = |prefix: &str| -> BTreeMap<&String, &String> {
            headers.iter().filter(|(name, _)| name.starts_with(prefix)).collect()
        };
        json!({
            "name": self.name,
            "region": self.region,
            "protocol": session.protocol,
            "tls": session.tls,
            "method": request.method.as_str(),
            "path": path(request),
            "host": host(request),
            "ref": reference(request),
            "nearside": beginning("x-nearside-"),
            "forwarded": beginning("x-forwarded-"),
            "body_length": body_length,
        })
    }
}

/// The path with its query.
pub(crate) fn path(request: &Parts) -> &str {
    request.uri.path_and_query().map_or("/", |path| path.as_str())
}

/// The request's name at nearside.
pub(crate) fn reference(request: &Parts) -> Option<&str> {
    header(request, "x-nearside-ref")
}

/// A header's value, where it is text.
pub(crate) fn header<'a>(request: &'a Parts, name: &str) -> Option<&'a str> {
    request.headers.get(name)?.to_str().ok()
}

fn host(request: &Parts) -> Option<&str> {
    let authority = request.uri.authority().map(|authority| authority.as_str());
    authority.or_else(|| header(request, HOST.as_str()))
}

fn wants_json(request: &Parts) -> bool {
    header(request, ACCEPT.as_str()).is_some_and(|accept| accept.contains("json"))
}
