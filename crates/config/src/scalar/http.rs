//! Pieces of HTTP: hosts, paths, methods, header names and values, statuses, locations.

use crate::node::{Kind, quoted};
use crate::report::Finding;
use crate::rule;
use crate::scalar::quote_it;
use crate::shape::Scalar;
use nearside_core::host::{Host, Pattern};
use nearside_core::route::{LocationPart, PathPattern};
use serde_json::{Value as Json, json};
use std::ops::RangeInclusive;

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
                fail().hint("leave `.`, `..` and empty segments out: no request is forwarded with them")
            );
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

/// The name of a header that the file may set or remove, in lower case.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct FieldName(pub(crate) Box<str>);

impl Scalar for FieldName {
    fn what() -> String {
        "the name of a header".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        if !token(text) {
            let finding = Finding::new(rule::HEADER_NAME, format!("{} is no name of a header", quoted(text)));
            return Err(if text.ends_with(':') { finding.hint("leave the colon out") } else { finding });
        }
        let lower = text.to_ascii_lowercase();
        let why = match lower.as_str() {
            name if name.starts_with("x-nearside-") => "belongs to nearside",
            "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "upgrade" => {
                "ends at each hop"
            }
            "transfer-encoding" | "content-length" => "frames the message",
            "host" => "is the pool's `host_header`",
            _ => return Ok(Self(lower.into())),
        };
        Err(Finding::new(rule::HEADER_RESERVED, format!("{} {why}", quoted(text))))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldValue(pub(crate) Box<str>);

impl Scalar for FieldValue {
    fn what() -> String {
        "text".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let plain = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ' || b == b'\t');
        if !plain || text.trim() != text {
            let finding =
                Finding::new(rule::HEADER_VALUE, format!("{} is no value of a header", quoted(text)));
            return Err(finding.hint("use printable ASCII, without space at either end"));
        }
        Ok(Self(text.into()))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        quote_it(found, text)
    }
}

/// A status, or a range of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statuses(pub(crate) RangeInclusive<u16>);

impl Scalar for Statuses {
    const KINDS: &'static [Kind] = &[Kind::Number, Kind::Text];

    fn what() -> String {
        "a status such as `200`, or a range such as `200-299`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => {
                let finding =
                    Finding::new(rule::STATUS, format!("{} is no status from 100 to 599", quoted(text)));
                Err(finding.hint(format!("write {}", Self::what())))
            }
        }
    }

    fn write(&self) -> serde_yaml::Value {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last { (*first).into() } else { format!("{first}-{last}").into() }
    }

    fn json() -> Json {
        json!({ "type": ["integer", "string"], "minimum": 100, "maximum": 599, "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$" })
    }
}

fn status(text: &str) -> Option<u16> {
    let number = text.trim().parse().ok()?;
    (100..=599).contains(&number).then_some(number)
}

/// The status of a fixed answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AnswerStatus(pub(crate) u16);

impl Scalar for AnswerStatus {
    const KINDS: &'static [Kind] = &[Kind::Number];

    fn what() -> String {
        "a status from 200 to 599".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        match status(text) {
            Some(status) if status >= 200 => Ok(Self(status)),
            _ => Err(Finding::new(rule::STATUS, format!("{text} is no status from 200 to 599"))),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.into()
    }

    fn json() -> Json {
        json!({ "type": "integer", "minimum": 200, "maximum": 599 })
    }
}

/// The status of a redirect that keeps the target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RedirectStatus(pub(crate) u16);

impl Scalar for RedirectStatus {
    const KINDS: &'static [Kind] = &[Kind::Number];

    fn what() -> String {
        "301, 302, 307 or 308".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        match status(text) {
            Some(status @ (301 | 302 | 307 | 308)) => Ok(Self(status)),
            _ => Err(Finding::new(rule::STATUS, format!("{text} is none of 301, 302, 307 and 308"))),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.into()
    }

    fn json() -> Json {
        json!({ "enum": [301, 302, 307, 308] })
    }
}

/// The target of a redirect, with `{path}`, `{query}` and `{host}` in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Location {
    /// As the file writes it.
    text: Box<str>,
    pub(crate) parts: Box<[LocationPart]>,
}

impl Scalar for Location {
    fn what() -> String {
        "a url or a path, such as `https://www.example.com{path}`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let fail = |what: String| Finding::new(rule::LOCATION, format!("{} {what}", quoted(text)));
        let begins = ["/", "{path}", "http://", "https://"].iter().any(|start| text.starts_with(start));
        if !begins || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(fail("is no location".to_owned()).hint(format!("write {}", Self::what())));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| fail("has an open brace".to_owned()))?;
            if !before.is_empty() {
                parts.push(LocationPart::Text(before.into()));
            }
            parts.push(match name {
                "path" => LocationPart::Path,
                "query" => LocationPart::Query,
                "host" => LocationPart::Host,
                _ => {
                    let finding = fail(format!("has the unknown variable {{{name}}}"));
                    return Err(finding.hint("use {path}, {query} or {host}"));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(LocationPart::Text(rest.into()));
        }
        Ok(Self { text: text.into(), parts: parts.into() })
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.text).into()
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
        for text in ["a", "/a b", "/ä", "/a/../b", "/a//b", "/a*", "/a?b", "/a\\b"] {
            check::<PathPattern>(text, false);
        }
    }

    #[test]
    fn a_location_knows_three_variables() {
        let parts = Location::parse("https://www.{host}{path}{query}").unwrap().parts;
        let text = LocationPart::Text("https://www.".into());
        assert_eq!(*parts, [text, LocationPart::Host, LocationPart::Path, LocationPart::Query]);
        for text in ["www.example.com", "/a{", "/{port}", "/a b", "javascript:x", ""] {
            check::<Location>(text, false);
        }
    }

    #[test]
    fn headers_that_are_nearsides_own_are_refused() {
        check::<FieldName>("Strict-Transport-Security", true);
        for text in ["Connection", "x-nearside-ref", "Content-Length", "host", "a b", "", "a:"] {
            check::<FieldName>(text, false);
        }
    }
}
