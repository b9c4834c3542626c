//! Places: countries, states, degrees.

use crate::node::{Kind, quoted};
use crate::report::Finding;
use crate::rule;
use crate::shape::Scalar;
use nearside_core::place::Country;
use serde_json::{Value as Json, json};

impl Scalar for Country {
    fn what() -> String {
        "a country such as `DE`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        Self::parse(text).ok_or_else(|| {
            let finding = Finding::new(rule::COUNTRY, format!("{} is no country", quoted(text)));
            finding.hint(if text == "UK" {
                "did you mean \"GB\"?"
            } else {
                "write its ISO 3166-1 code, such as DE"
            })
        })
    }

    fn write(&self) -> serde_yaml::Value {
        self.as_str().into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z]{2}$" })
    }

    fn refuse(found: Kind) -> Option<Finding> {
        (found == Kind::Bool).then(|| {
            let finding = Finding::new(rule::PLACE_BOOLEAN, "a boolean stands where a country is expected");
            finding.hint("Norway is NO, quoted or not")
        })
    }
}

/// A subdivision of a country by its ISO 3166-2 code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State(pub(crate) Box<str>);

impl Scalar for State {
    fn what() -> String {
        "a state such as `US-VA`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let upper = text.to_ascii_uppercase();
        let shape = |(country, part): (&str, &str)| {
            let fits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
            fits && Country::parse(country).is_some()
        };
        if !upper.split_once('-').is_some_and(shape) {
            let finding = Finding::new(rule::STATE, format!("{} is no state", quoted(text)));
            return Err(finding.hint("write its ISO 3166-2 code, such as US-VA"));
        }
        Ok(Self(upper.into()))
    }

    fn write(&self) -> serde_yaml::Value {
        (*self.0).into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z]{2}-[A-Za-z0-9]{1,3}$" })
    }

    fn refuse(found: Kind) -> Option<Finding> {
        <Country as Scalar>::refuse(found).map(|_| {
            Finding::new(rule::PLACE_BOOLEAN, "a boolean stands where a state is expected")
                .hint("write its ISO 3166-2 code, such as US-VA")
        })
    }
}

/// Degrees from `-MAX` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Degrees<const MAX: u8>(pub(crate) f64);

impl<const MAX: u8> Scalar for Degrees<MAX> {
    const KINDS: &'static [Kind] = &[Kind::Number];

    fn what() -> String {
        format!("degrees from -{MAX} to {MAX}")
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let degrees: f64 = text.parse().unwrap_or(f64::NAN);
        if !(-f64::from(MAX)..=f64::from(MAX)).contains(&degrees) {
            return Err(Finding::new(rule::RANGE, format!("{text} is out of range: {}", Self::what())));
        }
        Ok(Self(degrees))
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.into()
    }

    fn json() -> Json {
        json!({ "type": "number", "minimum": -i16::from(MAX), "maximum": MAX })
    }
}
