//! Pieces of a request: hosts, paths, methods.

use crate::node::quoted;
use crate::report::Finding;
use crate::rule;
use crate::shape::Scalar;
use nearside_core::host::{Host, Pattern};
use nearside_core::path;
use nearside_core::route::PathPattern;
use serde_json::{Value as Json, json};

/// Whether `text` is a token (RFC 9110, 5.6.2).
pub(crate) fn token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

impl Scalar for Pattern {
    fn what() -> String {
        "a host such as `www.example.com`, `*.example.com` or `*`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let fail = || Finding::new(rule::HOST, format!("{} is no host", quoted(text)));
        if text.contains("://") {
            return Err(fail().hint("leave the scheme out"));
        }
        let port = text.rsplit_once(':').filter(|(host, _)| !host.contains('[') || host.ends_with(']'));
        if let Some((host, _)) = port {
            return Err(fail().hint(format!("leave the port out: \"{host}\"")));
        }
        if !text.is_ascii() {
            return Err(fail().hint("write it in its xn-- form"));
        }
        Self::parse(text).ok_or_else(|| fail().hint(format!("write {}", <Self as Scalar>::what())))
    }

    fn write(&self) -> serde_yaml::Value {
        self.to_string().into()
    }
}

/// A TLS server name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServerName(pub(crate) Box<str>);

impl Scalar for ServerName {
    fn what() -> String {
        "a host name".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        match Host::parse(text) {
            Some(host) if !text.contains([':', '[']) => Ok(Self(host.as_str().into())),
            _ => Err(Finding::new(rule::SNI, format!("{} is no host name", quoted(text)))),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }
}

/// A `Host` that is sent: a host, and a port where it needs one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Authority(pub(crate) Box<str>);

impl Scalar for Authority {
    fn what() -> String {
        "a host".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        match Host::parse(text) {
            Some(_) => Ok(Self(text.into())),
            None => Err(Finding::new(rule::HOST, format!("{} is no host", quoted(text)))),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }
}

/// The name of a cookie: a token (RFC 6265, 4.1.1).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CookieName(pub(crate) Box<str>);

impl Scalar for CookieName {
    fn what() -> String {
        "the name of a cookie".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        if !token(text) {
            let finding = Finding::new(rule::COOKIE_NAME, format!("{} is no name of a cookie", quoted(text)));
            return Err(finding.hint("use letters, digits, `-` and `_`"));
        }
        Ok(Self(text.into()))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }
}

impl Scalar for PathPattern {
    fn what() -> String {
        "a path such as `/a` or `/a/*`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let fail = || Finding::new(rule::PATH, format!("{} is no path of a route", quoted(text)));
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '\\' | '"' | '<' | '>'))
        {
            let hint = format!("percent-encode {}", quoted(&bad.to_string()));
            return Err(fail().hint(hint));
        }
        if text.split('/').skip(1).any(|part| matches!(part, "." | "..")) || text.contains("//") {
            return Err(
                fail().hint("leave `.`, `..` and empty segments out: no request is matched with them")
            );
        }
        let path = text.strip_suffix('*').unwrap_or(text);
        if path.starts_with('/') && !path.contains(['*', '?', '#']) && !path::is_plain(path) {
            return Err(fail().hint("requests are matched without escapes that are not needed"));
        }
        Self::parse(text).ok_or_else(|| fail().hint(format!("write {}", <Self as Scalar>::what())))
    }

    fn write(&self) -> serde_yaml::Value {
        self.to_string().into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^/" })
    }
}

/// The target of a probe: a path, and a query where it has one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target(pub(crate) Box<str>);

impl Scalar for Target {
    fn what() -> String {
        "a path such as `/healthz`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        if !text.starts_with('/') || !text.chars().all(|c| c.is_ascii_graphic() && c != '#') {
            let finding = Finding::new(rule::PROBE_PATH, format!("{} is no path", quoted(text)));
            return Err(finding.hint("begin with a slash, and percent-encode what is not plain"));
        }
        Ok(Self(text.into()))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^/" })
    }
}

/// A method in upper case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Method(pub(crate) Box<str>);

impl Scalar for Method {
    fn what() -> String {
        "a method such as `GET`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let fail = |what: &str| Finding::new(rule::METHOD, format!("{} {what}", quoted(text)));
        let upper = text.to_ascii_uppercase();
        match text {
            "TRACE" | "CONNECT" => Err(fail("is refused everywhere").hint("leave it out")),
            _ if !token(text) => Err(fail("is no method")),
            _ if upper != text => Err(fail("is no method").hint(format!("write {upper}"))),
            _ => Ok(Self(text.into())),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^[^a-z\\s]+$" })
    }
}

/// A method that may be repeated (RFC 9110, 9.2.2).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Idempotent(pub(crate) Box<str>);

impl Scalar for Idempotent {
    fn what() -> String {
        "an idempotent method such as `GET`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
        if IDEMPOTENT.contains(&text) {
            return Ok(Self(text.into()));
        }
        let finding = Finding::new(rule::RETRY_METHOD, format!("{} is not repeated", quoted(text)));
        Err(finding.hint("only GET, HEAD, OPTIONS, PUT and DELETE are safe to send twice"))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }

    fn json() -> Json {
        json!({ "enum": ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Scalar>(text: &str, fits: bool) {
        assert_eq!(T::parse(text).is_ok(), fits, "{text}");
    }

    #[test]
    fn a_host_pattern_has_neither_port_nor_scheme() {
        check::<Pattern>("*.example.com", true);
        check::<Pattern>("[2001:db8::1]", true);
        for text in
            ["www.example.com:443", "https://www.example.com", "a.*.b", "bücher.example", "", "[::1]:80"]
        {
            check::<Pattern>(text, false);
        }
    }

    #[test]
    fn a_path_holds_nothing_that_no_request_is_forwarded_with() {
        check::<PathPattern>("/a/*", true);
        check::<PathPattern>("/.well-known/*", true);
        for text in ["a", "/%61", "/a%2fb", "/a%", "/a b", "/ä", "/a/../b", "/a//b", "/a*", "/a?b", "/a\\b"]
        {
            check::<PathPattern>(text, false);
        }
    }
}
