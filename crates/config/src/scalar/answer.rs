//! Pieces of an answer: statuses and locations.

use crate::node::{Kind, quoted};
use crate::report::Finding;
use crate::rule;
use crate::shape::Scalar;
use nearside_core::route::LocationPart;
use serde_json::{Value as Json, json};
use std::ops::RangeInclusive;

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
    fn a_location_knows_three_variables() {
        let parts = Location::parse("https://www.{host}{path}{query}").unwrap().parts;
        let text = LocationPart::Text("https://www.".into());
        assert_eq!(*parts, [text, LocationPart::Host, LocationPart::Path, LocationPart::Query]);
        for text in ["www.example.com", "/a{", "/{port}", "/a b", "javascript:x", ""] {
            check::<Location>(text, false);
        }
    }
}
