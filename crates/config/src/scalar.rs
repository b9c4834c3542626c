//! The values in one piece that are not special to one part of the file: text, truth, numbers, words, names.

pub(crate) mod address;
pub(crate) mod answer;
pub(crate) mod field;
pub(crate) mod http;
pub(crate) mod place;
pub(crate) mod quantity;

use crate::node::{Kind, quoted};
use crate::reader::suggest;
use crate::report::Finding;
use crate::rule;
use crate::shape::Scalar;
use serde_json::{Value as Json, json};
use std::path::PathBuf;

fn quote_it(found: Kind, text: &str) -> Option<String> {
    matches!(found, Kind::Bool | Kind::Number).then(|| format!("quote it: {}", quoted(text)))
}

/// Any text.
impl Scalar for Box<str> {
    fn what() -> String {
        "text".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        Ok(text.into())
    }

    fn write(&self) -> serde_yaml::Value {
        (**self).into()
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        quote_it(found, text)
    }
}

/// Text that says something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Says(pub(crate) Box<str>);

impl Scalar for Says {
    fn what() -> String {
        "text".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        if text.trim().is_empty() {
            return Err(Finding::new(rule::EMPTY_TEXT, "an empty text"));
        }
        Ok(Self(text.into()))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "\\S" })
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        quote_it(found, text)
    }
}

impl Scalar for bool {
    const KINDS: &'static [Kind] = &[Kind::Bool];

    fn what() -> String {
        "true or false".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        Ok(text.eq_ignore_ascii_case("true"))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self).into()
    }

    fn json() -> Json {
        json!({ "type": "boolean" })
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        let word = match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" => "true",
            "no" | "off" | "false" => "false",
            _ => return None,
        };
        (found == Kind::Text).then(|| format!("write {word}, without quotes"))
    }
}

/// A whole number in a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Int<const MIN: u32, const MAX: u32>(pub(crate) u32);

impl<const MIN: u32, const MAX: u32> Scalar for Int<MIN, MAX> {
    const KINDS: &'static [Kind] = &[Kind::Number];

    fn what() -> String {
        match (MIN, MAX) {
            (_, u32::MAX) => format!("a whole number, {MIN} or more"),
            _ => format!("a whole number from {MIN} to {MAX}"),
        }
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let Ok(number) = text.parse::<i128>() else {
            let message = format!("found the number {text}, expected {}", Self::what());
            return Err(Finding::new(rule::TYPE, message));
        };
        match u32::try_from(number) {
            Ok(fits) if (MIN..=MAX).contains(&fits) => Ok(Self(fits)),
            _ => Err(Finding::new(rule::RANGE, format!("{number} is out of range: {}", Self::what()))),
        }
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.into()
    }

    fn json() -> Json {
        match MAX {
            u32::MAX => json!({ "type": "integer", "minimum": MIN }),
            _ => json!({ "type": "integer", "minimum": MIN, "maximum": MAX }),
        }
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        (found == Kind::Text && text.parse::<u32>().is_ok()).then(|| "take the quotes off".to_owned())
    }
}

/// The version of the file's language.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Version;

impl Scalar for Version {
    const KINDS: &'static [Kind] = &[Kind::Number, Kind::Text];

    fn what() -> String {
        "1".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        if text == "1" {
            return Ok(Self);
        }
        let finding = Finding::new(rule::VERSION, format!("version {} is not known here", quoted(text)));
        Err(finding.hint("write `version: 1`"))
    }

    fn write(&self) -> serde_yaml::Value {
        1.into()
    }

    fn json() -> Json {
        json!({ "const": 1 })
    }

    fn stand_in() -> Option<Self> {
        Some(Self)
    }
}

/// The name of a region, a pool, a route or a backend.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Name(pub(crate) Box<str>);

impl Scalar for Name {
    fn what() -> String {
        "a name".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
            let finding = Finding::new(rule::NAME, format!("{} is no name", quoted(text)));
            return Err(finding.hint("use letters, digits, `.`, `_` and `-`, at most 64"));
        }
        Ok(Self(text.into()))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" })
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        quote_it(found, text)
    }
}

/// The name of the fleet: a token (RFC 9110, 5.6.2), as `CDN-Loop` needs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FleetName(pub(crate) Box<str>);

impl Scalar for FleetName {
    fn what() -> String {
        "a name".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        if text.len() > 64 || !http::token(text) {
            let finding = Finding::new(rule::FLEET_NAME, format!("{} is no name for a fleet", quoted(text)));
            return Err(finding.hint("use letters, digits and `-`, at most 64"));
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

/// The path of a file, relative to the folder of `routes.yaml`.
impl Scalar for PathBuf {
    fn what() -> String {
        "the path of a file".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        if text.trim().is_empty() || text.contains('\0') {
            return Err(Finding::new(rule::FILE, format!("{} is no path of a file", quoted(text))));
        }
        Ok(Self::from(text))
    }

    fn write(&self) -> serde_yaml::Value {
        self.to_string_lossy().into_owned().into()
    }

    fn hint(found: Kind, text: &str) -> Option<String> {
        quote_it(found, text)
    }
}

/// Gives an enum its words.
macro_rules! words {
    ($type:ty { $($word:literal => $value:path),* $(,)? }) => {
        impl $crate::shape::Scalar for $type {
            fn what() -> String {
                [$(concat!("`", $word, "`")),*].join(" or ")
            }

            fn parse(text: &str) -> Result<Self, $crate::report::Finding> {
                match text {
                    $($word => Ok($value),)*
                    _ => Err($crate::scalar::no_such_word(text, &[$($word),*])),
                }
            }

            fn write(&self) -> serde_yaml::Value {
                match self {
                    $($value => $word.into(),)*
                }
            }

            fn json() -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),*] })
            }
        }
    };
}
pub(crate) use words;

pub(crate) fn no_such_word(text: &str, known: &[&str]) -> Finding {
    let list = known.join(", ");
    let finding = Finding::new(rule::CHOICE, format!("{} is none of {list}", quoted(text)));
    suggest(finding, text, known.iter().copied())
}
