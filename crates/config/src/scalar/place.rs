//! Places: countries, states, degrees.

use crate::node::{Kind, quoted};
use crate::reader::suggest;
use crate::report::Finding;
use crate::rule;
use crate::shape::Scalar;
use nearside_core::place::{Continent, Country, Group, Subdivision, clouds};
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

impl Scalar for Subdivision {
    fn what() -> String {
        "a state such as `US-VA`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        Self::parse(text).ok_or_else(|| {
            let finding = Finding::new(rule::STATE, format!("{} is no state", quoted(text)));
            finding.hint("write its ISO 3166-2 code, such as US-VA")
        })
    }

    fn write(&self) -> serde_yaml::Value {
        self.to_string().into()
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

impl Scalar for Group {
    fn what() -> String {
        "a group of countries: `EU`, `EEA` or `GDPR`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        Self::parse(text).ok_or_else(|| {
            let finding = Finding::new(rule::GROUP, format!("{} is no group of countries", quoted(text)));
            finding.hint("write EU, EEA or GDPR")
        })
    }

    fn write(&self) -> serde_yaml::Value {
        self.as_str().into()
    }

    fn json() -> Json {
        json!({ "enum": Self::ALL.map(Self::as_str) })
    }
}

impl Scalar for Continent {
    fn what() -> String {
        "a continent such as `EU`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        Self::parse(text).ok_or_else(|| {
            let finding = Finding::new(rule::CONTINENT, format!("{} is no continent", quoted(text)));
            finding.hint("write AF, AN, AS, EU, NA, OC or SA")
        })
    }

    fn write(&self) -> serde_yaml::Value {
        self.as_str().into()
    }

    fn json() -> Json {
        json!({ "enum": Self::ALL.map(Self::as_str) })
    }
}

/// A region of a cloud.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cloud(pub(crate) &'static str);

impl Scalar for Cloud {
    fn what() -> String {
        "a cloud's region such as `azure/germanywestcentral`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        clouds().find(|known| *known == text).map(Self).ok_or_else(|| {
            let finding =
                Finding::new(rule::CLOUD, format!("{} is no known region of a cloud", quoted(text)));
            suggest(finding, text, clouds())
        })
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.into()
    }

    fn json() -> Json {
        json!({ "type": "string", "pattern": "^(aws|azure|gcp)/" })
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
