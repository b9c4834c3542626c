//! Headers: names and values.

use crate::node::{Kind, quoted};
use crate::report::Finding;
use crate::rule;
use crate::scalar::http::token;
use crate::scalar::quote_it;
use crate::shape::Scalar;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Scalar>(text: &str, fits: bool) {
        assert_eq!(T::parse(text).is_ok(), fits, "{text}");
    }

    #[test]
    fn headers_that_are_nearsides_own_are_refused() {
        check::<FieldName>("Strict-Transport-Security", true);
        for text in ["Connection", "x-nearside-ref", "Content-Length", "host", "a b", "", "a:"] {
            check::<FieldName>(text, false);
        }
    }
}
